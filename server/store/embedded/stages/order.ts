import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { compileSort } from '../query/sort.js';
import { typeName } from '../values/compare.js';
import { paced, pacer } from './pace.js';
import { type Maker, type Stage, weighed } from './stage.js';
import { topOf } from './top.js';

/** `$sort`: stable, interrupted as a reading is, and of a sort with a limit only what can still come first is kept. */

export type Order<Item = Doc> = (left: Item, right: Item) => number;

const runLength = 1_024;

function* merged<Item>(
  left: Item[],
  right: Item[],
  order: Order<Item>,
  isTime: () => boolean,
): Generator<null, Item[]> {
  const result: Item[] = [];
  let at = 0;
  for (const one of left) {
    while (at < right.length && order(right[at]!, one) < 0) {
      result.push(right[at]!);
      at += 1;
      if (isTime()) yield null;
    }
    result.push(one);
    if (isTime()) yield null;
  }
  for (; at < right.length; at += 1) result.push(right[at]!);
  return result;
}

/** All rows in order; equal ones stay as they came. */
export function* inOrder<Item>(rows: Iterable<Item | null>, order: Order<Item>): Generator<null, Item[]> {
  let runs: Item[][] = [];
  let run: Item[] = [];
  for (const doc of rows) {
    if (doc === null) {
      yield null;
      continue;
    }
    run.push(doc);
    if (run.length < runLength) continue;
    runs.push(run.sort(order));
    run = [];
  }
  if (run.length > 0) runs.push(run.sort(order));
  const isTime = pacer();
  while (runs.length > 1) {
    const longer: Item[][] = [];
    for (let n = 0; n < runs.length; n += 2) {
      const next = runs[n + 1];
      longer.push(next ? yield* merged(runs[n]!, next, order, isTime) : runs[n]!);
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

export const sorting = (order: Order, limit: number | undefined): Stage =>
  function* (rows) {
    if (limit === undefined) {
      yield* paced(yield* inOrder(weighed(rows, 'Sort'), order));
      return;
    }
    const top = topOf(limit, order);
    for (const doc of rows) {
      if (doc === null) yield null;
      else top.add(doc);
    }
    yield* paced(yield* inOrder(top.items(), order));
  };

export const sort: Maker = (operand, { context }, _name, limit) => {
  if (!(operand instanceof Map))
    throw location(15973, `the $sort key specification must be an object, not ${typeName(operand)}`);
  if (operand.size === 0) throw location(15976, '$sort stage must have at least one sort key');
  return sorting(compileSort(operand, context.collate), limit);
};

/** By one field upwards or downwards. */
export const orderBy =
  (field: string, compare: (left: Value | undefined, right: Value | undefined) => number): Order =>
  (left, right) =>
    compare(left.get(field), right.get(field));
