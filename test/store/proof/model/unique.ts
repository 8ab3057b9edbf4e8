import type { IndexSpec } from './cases.js';
import { fits, reach, sortKeys } from './match.js';
import { equal, type Fields, type Value } from './order.js';

/** Which documents a unique index of one field keeps apart. */

function keysIn({ key, options }: IndexSpec, document: Fields): Value[] {
  const path = Object.keys(key)[0]!.split('.');
  if (options.partialFilterExpression && !fits(document, options.partialFilterExpression)) return [];
  if (options.sparse && reach(document, path).every((value) => value === undefined)) return [];
  return sortKeys(document, path);
}

/** Whether a document may not stand beside the others. */
export function isClashing(indexes: IndexSpec[], others: Fields[], document: Fields): boolean {
  return indexes
    .filter(({ options }) => options.unique)
    .some((index) => {
      const keys = keysIn(index, document);
      return others.some((other) => keysIn(index, other).some((key) => keys.some((own) => equal(own, key))));
    });
}
