import { Timestamp } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { immutableField } from '../errors.js';
import { equals } from '../values/compare.js';
import { identical } from './identical.js';
import { checkTopName } from './names.js';
import { field } from './show.js';

/**
 * A whole document in the place of another. Empty timestamps at its top are filled in, once a statement.
 *
 * @throws StoreError when applied: `ImmutableField` (66), `DollarPrefixedFieldName` (52)
 */
export function compileReplacement(
  replacement: Doc,
  timestamp: () => Timestamp,
): (doc: Doc, isInsert: boolean) => Doc {
  const filled = fillTimestamps(replacement, timestamp);
  const dollars = [...filled.keys()].filter((name) => name.startsWith('$'));
  return (doc, isInsert) => {
    const after = replaced(doc, filled);
    if (after !== doc && !isInsert) for (const name of dollars) checkTopName(after, name);
    return after;
  };
}

function fillTimestamps(doc: Doc, timestamp: () => Timestamp): Doc {
  let result: Doc | null = null;
  for (const [name, value] of doc) {
    if (name === '_id' || !(value instanceof Timestamp) || !value.isZero()) continue;
    result ??= new Map(doc);
    result.set(name, timestamp());
  }
  return result ?? doc;
}

/**
 * `after` in the place of `before`, whose `_id` it keeps, in the first place. As MongoDB has it, a replacement that
 * leaves `_id` to the document counts as a change even when all else is the same.
 *
 * @returns `before` itself when `after` is the same bytes
 * @throws StoreError `ImmutableField` (66) for another `_id`
 */
export function replaced(before: Doc, after: Doc): Doc {
  if (identical(before, after)) return before;
  const id = before.get('_id');
  const newId = after.get('_id');
  if (newId === undefined) return id === undefined ? after : withIdFirst(id, after);
  if (id !== undefined && !equals(id, newId))
    throw immutableField(
      `After applying the update, the (immutable) field '_id' was found to have been altered to ${field('_id', newId)}`,
    );
  return after.keys().next().value === '_id' ? after : withIdFirst(newId, after);
}

function withIdFirst(id: Value, doc: Doc): Doc {
  const result: Doc = new Map([['_id', id]]);
  for (const [name, value] of doc) if (name !== '_id') result.set(name, value);
  return result;
}
