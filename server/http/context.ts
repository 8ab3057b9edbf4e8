import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';

const ids = new WeakMap<Request, string>();

/**
 * Gives each request an id, in the answer and in the log. A proxy's own `x-request-id` is kept when it is harmless, so
 * that one id leads from the browser to the log.
 */
export const requestIds: RequestHandler = (req, res, next) => {
  const given = req.get('x-request-id');
  const id = given !== undefined && /^[0-9a-zA-Z_-]{8,64}$/.test(given) ? given : randomUUID();
  ids.set(req, id);
  res.set('x-request-id', id);
  next();
};

export const requestIdOf = (req: Request): string => ids.get(req) ?? 'none';
