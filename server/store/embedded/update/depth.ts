import type { Value } from '../bson/types.js';
import { overflow } from '../errors.js';

/** MongoDB's own limit of fields within fields. */
const deepest = 180;

/** How many levels of fields a value holds: none for a text, one for `{a: 1}`. */
export function depthOf(value: Value): number {
  if (value === null || typeof value !== 'object') return 0;
  let below = 0;
  if (value instanceof Map) for (const item of value.values()) below = Math.max(below, 1 + depthOf(item));
  else if (Array.isArray(value)) for (const item of value) below = Math.max(below, 1 + depthOf(item));
  return below;
}

/** @throws StoreError `Overflow` (15) for a field deeper than what can be stored */
export function checkDepth(levels: number): void {
  if (levels > deepest) throw overflow(`Document exceeds maximum nesting depth of ${deepest}`);
}
