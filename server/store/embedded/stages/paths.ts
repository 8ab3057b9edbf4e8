import type { Doc, Value } from '../bson/types.js';

/** Documents with a value at a path, as stages that join and unwind put it there. */

/** What is no document on the way is replaced by one. A missing value takes the field out. */
export function withValue(doc: Doc, path: readonly string[], value: Value | undefined, from = 0): Doc {
  const name = path[from]!;
  const copy = new Map(doc);
  if (from < path.length - 1) {
    const below = copy.get(name);
    copy.set(name, withValue(below instanceof Map ? below : new Map(), path, value, from + 1));
  } else if (value === undefined) copy.delete(name);
  else copy.set(name, value);
  return copy;
}
