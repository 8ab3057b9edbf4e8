import type { ErrorRequestHandler, RequestHandler } from 'express';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { log } from '../log.js';
import { correlationOf } from '../observe/correlation.js';
import { httpErrors } from '../observe/metrics.js';
import { requestIdOf } from './context.js';

/** What nobody else answered. */
export const nothingHere: RequestHandler = () => {
  throw new AppError('not_found');
};

/**
 * The one error handler: `{ error: ErrorReply }`, never a stack, a path or a word that a library chose. What is not in
 * the catalogue is `internal` and stands in the log under the request's id.
 */
export const answerError: ErrorRequestHandler = (thrown, req, res, next) => {
  const requestId = requestIdOf(req);
  const error = asAppError(thrown);
  httpErrors.inc({ code: error.code });
  const correlationId = correlationOf(req.body);
  if (error.code === 'internal') {
    log.error({ requestId, correlationId, method: req.method, err: thrown }, 'request failed');
  } else if (log.isLevelEnabled('debug')) {
    log.debug({ requestId, correlationId, method: req.method, code: error.code }, 'request refused');
  }
  if (res.headersSent) {
    // Too late to say anything: cut it, so that half an answer is never taken for a whole one.
    res.destroy();
    return;
  }
  res.status(error.status);
  res.set('cache-control', 'no-store');
  const retryAfterMs = error.details?.retryAfterMs;
  if (typeof retryAfterMs === 'number') res.set('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  // Whatever is left of a body that was refused is not read: the connection ends with the answer.
  if (!req.complete) res.set('connection', 'close');
  res.json({ error: error.toReply(requestId) });
  next satisfies unknown;
};

/** Errors of Express and its body parser carry a status and a type: these are the sender's, told in our words. */
function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const { status, type } = foreign(thrown);
  if (type === 'entity.too.large') return new AppError('too_large', { limit: limits.bodyBytes });
  if (type === 'request.aborted') return new AppError('upload_incomplete');
  if (status === 413) return new AppError('too_large');
  // An address with `%` that cannot be decoded names nothing that could be here.
  if (thrown instanceof URIError) return new AppError('not_found');
  if (status === 404) return new AppError('not_found');
  if (status !== undefined && status >= 400 && status < 500) return new AppError('bad_request');
  return new AppError('internal', undefined, { cause: thrown });
}

function foreign(thrown: unknown): { status?: number; type?: string } {
  if (!(thrown instanceof Error)) return {};
  const { status, type } = thrown as { status?: unknown; type?: unknown };
  return {
    ...(typeof status === 'number' && { status }),
    ...(typeof type === 'string' && { type }),
  };
}
