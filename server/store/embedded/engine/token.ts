import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import { type Time, timeKey, timeOfKey } from './clock.js';

/** A change stream's resume token: a place in the oplog, in hexadecimal digits that sort as the places do. */
export interface Token {
  time: Time;
  /** After the event that ended the stream. */
  isInvalidation: boolean;
}

const version = '82';

export const tokenOf = ({ time, isInvalidation }: Token): Doc =>
  new Map([
    ['_data', `${version}${timeKey(time).toString('hex').toUpperCase()}${isInvalidation ? '01' : '00'}`],
  ]);

/** @throws StoreError `InvalidResumeToken` (260) */
export function tokenFrom(value: Value): Token {
  const data = value instanceof Map ? value.get('_data') : undefined;
  const match = typeof data === 'string' ? /^82([0-9A-F]{16})(0[01])$/i.exec(data) : null;
  if (!match)
    throw new StoreError(260, 'InvalidResumeToken', 'the resume token is not one that this store gave out');
  return { time: timeOfKey(Buffer.from(match[1]!, 'hex')), isInvalidation: match[2] === '01' };
}
