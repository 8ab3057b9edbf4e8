import * as v from 'valibot';
import { AppError } from '../../shared/errors.js';

/** A place in an order that people read by: a time, and the id that tells two of the same time apart. */
export interface Place {
  at: Date;
  id: string;
}

const Parts = v.tuple([v.pipe(v.number(), v.integer()), v.pipe(v.string(), v.maxLength(64))]);

/** Opaque to whoever holds it: nothing but this file may look inside. */
export const encodePlace = ({ at, id }: Place): string =>
  Buffer.from(JSON.stringify([at.getTime(), id])).toString('base64url');

/** @throws AppError `bad_request` for what no answer of ours ever held */
export function decodePlace(cursor: string): Place {
  const refused = new AppError('bad_request', { field: 'cursor' });
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refused;
  }
  const parts = v.safeParse(Parts, value);
  if (!parts.success) throw refused;
  const at = new Date(parts.output[0]);
  if (Number.isNaN(at.getTime())) throw refused;
  return { at, id: parts.output[1] };
}
