import type { Doc } from '../bson/types.js';
import { StoreError } from '../errors.js';
import type { Path } from '../values/path.js';
import { plainTuple, tuplesOf } from '../values/tuples.js';
import { type KeyShape, tupleKey } from './key.js';

/** The keys of documents in an index. */

export interface KeyedIndex extends KeyShape {
  readonly paths: readonly Path[];
}

export interface DocumentKeys {
  /** One, or one an element of an array, none of them twice. */
  keys: Buffer[];
  /**
   * An array lies on the index's way through the document, or a value was so long that its key was cut: either way a
   * key's place does not tell the document's, and the index is to be marked `multikey`.
   */
  isScattered: boolean;
}

const parallel = (left: Path, right: Path) =>
  new StoreError(
    171,
    'CannotIndexParallelArrays',
    `cannot index parallel arrays [${right.steps.at(-1)}] [${left.steps.at(-1)}]`,
  );

/** @throws StoreError `CannotIndexParallelArrays` (171) */
export function keysOf(index: KeyedIndex, doc: Doc): DocumentKeys {
  const plain = plainTuple(doc, index.paths);
  if (plain) {
    const { key, isCut } = tupleKey(plain, index);
    return { keys: [key], isScattered: isCut };
  }
  const keys = new Map<string, Buffer>();
  for (const tuple of tuplesOf(doc, index.paths, parallel)) {
    const { key } = tupleKey(tuple, index);
    keys.set(key.toString('latin1'), key);
  }
  return { keys: [...keys.values()], isScattered: true };
}
