import { Decimal128 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { compare, typeOf } from '../values/compare.js';

/**
 * Whether two values are the same bytes: type, digits and order of fields included. An update that leaves them so has
 * changed nothing; 1 and 1.0 are equal, and yet a change.
 */
export function identical(left: Value, right: Value): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (left instanceof Map) return right instanceof Map && identicalDocuments(left, right);
  if (Array.isArray(left)) return Array.isArray(right) && identicalArrays(left, right);
  if (typeOf(left) !== typeOf(right)) return false;
  if (left instanceof Decimal128) return Buffer.compare(left.bytes, (right as Decimal128).bytes) === 0;
  return compare(left, right) === 0;
}

function identicalArrays(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, at) => identical(item, right[at]!));
}

function identicalDocuments(left: Doc, right: Doc): boolean {
  if (left.size !== right.size) return false;
  const others = right.entries();
  for (const [name, value] of left) {
    const [otherName, other] = others.next().value!;
    if (name !== otherName || !identical(value, other)) return false;
  }
  return true;
}
