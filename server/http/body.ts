import express, { type RequestHandler } from 'express';
import { AppError } from '../../shared/errors.js';
import { guardShape } from '../../shared/guard.js';
import { limits } from '../../shared/limits.js';

const bodyWithinMs = 10_000;

/**
 * Reads JSON bodies, and only those: a form or `text/plain`, which a foreign page can send with a visitor's cookies and
 * without asking first, is refused. Nothing compressed is taken, so no small body becomes a large one. The shape is
 * looked at before anything touches it.
 */
export function jsonBodies(): RequestHandler[] {
  const read = express.json({
    limit: limits.bodyBytes,
    inflate: false,
    strict: true,
    type: 'application/json',
  });
  return [
    (req, res, next) => {
      if (!hasBody(req.headers) || isUpload(req.method, req.path)) return next();
      if (req.get('content-encoding') !== undefined && req.get('content-encoding') !== 'identity') {
        throw new AppError('bad_request', { field: 'content-encoding', problem: 'Send the body as it is.' });
      }
      if (!req.is('application/json')) {
        throw new AppError('bad_request', { field: 'content-type', problem: 'Send application/json.' });
      }
      // A body this small is here at once, or its sender holds on to a connection for nothing.
      const timer = setTimeout(() => req.destroy(), bodyWithinMs);
      read(req, res, (error?: unknown) => {
        clearTimeout(timer);
        next(error);
      });
    },
    (req, _res, next) => {
      guardShape(req.body);
      next();
    },
  ];
}

const hasBody = (headers: {
  'transfer-encoding'?: string | undefined;
  'content-length'?: string | undefined;
}) => headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Files are streamed by their own routes, never read into memory here. */
const isUpload = (method: string, path: string): boolean =>
  method === 'POST' && (path === '/v1/visitor/files' || /^\/api\/workspaces\/[^/]+\/files$/.test(path));

/**
 * A query that holds a name twice, or brackets, arrives as an array or an object where text belongs. Nothing of ours
 * asks for either.
 */
export const plainQueries: RequestHandler = (req, _res, next) => {
  for (const value of Object.values(req.query)) {
    if (typeof value !== 'string') throw new AppError('bad_request', { field: 'query' });
  }
  next();
};
