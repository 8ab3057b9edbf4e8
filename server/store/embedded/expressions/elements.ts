import type { Value } from '../bson/types.js';
import { location } from '../errors.js';
import { typeName } from '../values/compare.js';

/** The elements of what must be an array. @throws StoreError with the operator's own number */
export function elements(value: Value | undefined, name: string, code: number): Value[] {
  if (Array.isArray(value)) return value;
  throw location(code, `${name}'s argument must be an array, but is ${typeName(value)}`);
}
