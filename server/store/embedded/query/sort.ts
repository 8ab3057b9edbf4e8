import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import { type Collate, compare } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { valuesAt } from '../values/path.js';

/** Orders of documents. */

const bad = (message: string) => new StoreError(15975, 'Location15975', message);

export interface SortPart {
  name: string;
  path: string[];
  direction: 1 | -1;
}

/** @throws StoreError for what is no order: a direction other than 1 and -1, an empty name */
export function sortParts(spec: Doc): SortPart[] {
  if (spec.size > 32) throw new StoreError(13103, 'Location13103', 'too many compound keys');
  return [...spec].map(([name, direction]): SortPart => {
    if (direction instanceof Map) {
      const [kind] = direction.keys();
      throw new StoreError(
        kind === '$meta' ? 31138 : 17312,
        `Location${kind === '$meta' ? 31138 : 17312}`,
        `Illegal sort: '${name}' by an expression is not supported by this store`,
      );
    }
    const number = isNumber(direction) ? toDouble(direction) : Number.NaN;
    if (number !== 1 && number !== -1)
      throw bad(`$sort key ordering must be 1 (for ascending) or -1 (for descending)`);
    if (name === '' || name.startsWith('.') || name.endsWith('.') || name.includes('..'))
      throw new StoreError(40352, 'Location40352', 'FieldPath field names may not be empty strings.');
    return { name, path: name.split('.'), direction: number };
  });
}

/** Upwards an array stands where its least element does, downwards where its greatest; an empty one before null. */
function keyOf(doc: Doc, { path, direction }: SortPart, collate: Collate | undefined): Value | undefined {
  const only = path.length === 1 ? doc.get(path[0]!) : undefined;
  if (path.length === 1 && !Array.isArray(only)) return only ?? null;
  const reached = path.length === 1 ? [only] : valuesAt(doc, path);
  let best: Value | undefined;
  let isFirst = true;
  for (const value of reached)
    for (const one of Array.isArray(value) ? (value.length === 0 ? [undefined] : value) : [value ?? null]) {
      if (isFirst || compare(one, best, collate) * direction < 0) best = one;
      isFirst = false;
    }
  return isFirst ? null : best;
}

export function compileSort(spec: Doc, collate?: Collate): (left: Doc, right: Doc) => number {
  const parts = sortParts(spec);
  return (left, right) => {
    for (const part of parts) {
      const difference = compare(keyOf(left, part, collate), keyOf(right, part, collate), collate);
      if (difference !== 0) return difference * part.direction;
    }
    return 0;
  };
}
