import type { Doc, Value } from '../bson/types.js';
import type { Expression, Variables } from '../expressions/compile.js';
import type { Order } from './order.js';
import type { Scope } from './stage.js';

/** What window functions look at: the rows of one partition, in their order. */

export interface SortBy {
  order: Order;
  parts: { isAscending: boolean; value: Expression }[];
}

export interface Partition {
  docs: readonly Doc[];
  /** What a row is ordered by, where that is one field. */
  sortValue(at: number): Value | undefined;
}

/** Begins with a partition; then asked for the value of each of its rows, from the first to the last. */
export type WindowFunction = (
  partition: Partition,
  variables: Variables,
) => (at: number) => Value | undefined;

/** `{ $name: argument, window: {...} }` */
export interface WindowCall {
  name: string;
  argument: Value;
  window: Value | undefined;
  sortBy: SortBy | null;
  scope: Scope;
}

export type WindowMaker = (call: WindowCall) => WindowFunction;

export function partitionOf(docs: readonly Doc[], sortBy: SortBy | null, variables: Variables): Partition {
  const [only] = sortBy?.parts ?? [];
  const values: (Value | undefined)[] = [];
  return {
    docs,
    sortValue(at) {
      // Each is computed once, in the order in which they are asked for.
      if (!(at in values)) values[at] = only?.value(docs[at]!, variables);
      return values[at];
    },
  };
}
