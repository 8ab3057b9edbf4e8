import type { Timestamp } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import type { Collate } from '../values/compare.js';

/** What operators are compiled with. */
export interface Settings {
  readonly collate?: Collate | undefined;
  readonly now: () => Date;
  readonly timestamp: () => Timestamp;
}

/** One application of an update to one document. */
export interface Run {
  /** The document as it was. */
  readonly root: Doc;
  readonly isInsert: boolean;
  /** The element that the query matched: what `$` stands for. */
  readonly position: string | null;
  /** Where the walk stands. */
  readonly path: string[];
  /** Where something changed, for who wants to tell it; null when nobody does, or when it is told as a whole. */
  touched: string[][] | null;
}

/** What one operator does to one place. */
export interface Leaf {
  readonly kind: 'leaf';
  /** What stands there afterwards: `current` itself when nothing changes, undefined when it goes. */
  change(current: Value, run: Run): Value | undefined;
  /** What is put where nothing stands; undefined when nothing is. */
  create(run: Run): Value | undefined;
  /** What becomes of a path that goes through a text or a number: only who creates nothing can pass over it. */
  readonly obstacle: 'cannot create' | 'cannot traverse' | 'pass';
  /** How many levels of fields it may put below its place. */
  readonly depth: number;
  readonly isForInsert?: boolean;
  /** Whether a change of an array did nothing but add to its end. */
  appends?(before: readonly Value[], after: readonly Value[]): boolean;
}

export type MakeLeaf = (operand: Value, path: string, settings: Settings) => Leaf;

export const pathOf = (run: Run): string => run.path.join('.');
