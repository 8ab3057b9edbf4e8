import { Int32 } from 'bson';
import type { Doc, Value } from '../../server/store/embedded/bson/types.js';

/** What a test writes as a plain object, as the store has it. Whole numbers are 32-bit integers, others doubles. */
export function value(plain: unknown): Value {
  if (typeof plain === 'number')
    return Number.isInteger(plain) && Math.abs(plain) < 2 ** 31 && !Object.is(plain, -0)
      ? new Int32(plain)
      : plain;
  if (Array.isArray(plain)) return plain.map(value);
  if (plain instanceof Map) return plain as Doc;
  if (typeof plain === 'object' && plain !== null) {
    const prototype: unknown = Object.getPrototypeOf(plain);
    if (prototype === Object.prototype || prototype === null) return doc(plain);
  }
  return plain as Value;
}

export function doc(plain: unknown): Doc {
  if (typeof plain !== 'object' || plain === null) throw new TypeError('not a document');
  return new Map(Object.entries(plain).map(([name, one]) => [name, value(one)]));
}
