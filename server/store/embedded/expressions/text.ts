import { Decimal128, Int32, ObjectId, Timestamp } from 'bson';
import type { Value } from '../bson/types.js';
import { location } from '../errors.js';
import { typeName } from '../values/compare.js';

/** A value as a text, as `$toString` gives it. @throws StoreError for what has none */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof Int32) return String(value.value);
  if (value instanceof Decimal128 || value instanceof ObjectId) return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Timestamp)
    return `Timestamp(${value.getHighBitsUnsigned()}, ${value.getLowBitsUnsigned()})`;
  throw location(16007, `can't convert from BSON type ${typeName(value)} to String`);
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'Infinity';
  if (value === Number.NEGATIVE_INFINITY) return '-Infinity';
  return Object.is(value, -0) ? '-0' : String(value);
}
