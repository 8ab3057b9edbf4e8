import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location } from '../errors.js';
import { isNullish } from '../expressions/expression.js';
import { compare, typeName } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { show } from '../values/show.js';
import { type AccumulatorMaker, counted, plain, type SlidingState, type State } from './accumulator.js';
import { valueSet } from './grouping.js';
import { median, percentile } from './percentile.js';
import { queue } from './queue.js';
import { bottom, bottomN, top, topN } from './ranked.js';
import { firstN, lastN, maxN, minN } from './several.js';
import type { Scope } from './stage.js';
import { summing } from './sums.js';

/** The accumulators by their names. */

function sum(): SlidingState {
  const total = summing();
  return {
    take: (value) => void (isNumber(value) && total.add(value)),
    remove: (value) => void (isNumber(value) && total.remove(value)),
    result: total.total,
  };
}

function average(): SlidingState {
  const total = summing();
  let count = 0;
  return {
    take(value) {
      if (!isNumber(value)) return;
      total.add(value);
      count += 1;
    },
    remove(value) {
      if (!isNumber(value)) return;
      total.remove(value);
      count -= 1;
    },
    result: () => (count === 0 ? null : total.mean(count)),
  };
}

function best(direction: 1 | -1, { context: { collate } }: Scope): State {
  let found: Value | undefined;
  return {
    take(value) {
      if (isNullish(value)) return;
      if (found === undefined || compare(value, found, collate) * direction > 0) found = value;
    },
    result: () => found ?? null,
  };
}

/** Keeps, behind the best value, those that will be the best once it is gone. */
function slidingBest(direction: 1 | -1, { context: { collate } }: Scope): SlidingState {
  const line = queue<Value>();
  return {
    take(value) {
      if (isNullish(value)) return;
      for (let end = line.last(); end !== undefined; end = line.last()) {
        if (compare(value, end, collate) * direction <= 0) break;
        line.pop();
      }
      line.push(value);
    },
    remove(value) {
      const head = line.first();
      if (!isNullish(value) && head !== undefined && compare(value, head, collate) === 0) line.shift();
    },
    result: () => line.first() ?? null,
  };
}

const extreme = (direction: 1 | -1): AccumulatorMaker =>
  plain(
    (scope) => best(direction, scope),
    (scope) => slidingBest(direction, scope),
  );

const count: AccumulatorMaker = (argument) => {
  if (!(argument instanceof Map) || argument.size > 0)
    throw failedToParse('$count takes no arguments, i.e. $count:{}');
  return {
    input: () => null,
    begin: counting,
    slide: counting,
    needsGroup: false,
  };
};

function counting(): SlidingState {
  let taken = 0;
  return {
    take() {
      taken += 1;
    },
    remove() {
      taken -= 1;
    },
    result: () => counted(taken),
  };
}

const first = plain(() => {
  let [value, isEmpty]: [Value, boolean] = [null, true];
  return {
    take(given) {
      if (isEmpty) value = given ?? null;
      isEmpty = false;
    },
    result: () => value,
  };
});

const last = plain(() => {
  let value: Value = null;
  return {
    take(given) {
      value = given ?? null;
    },
    result: () => value,
  };
});

function push(): SlidingState {
  const list = queue<Value>();
  return {
    take: (value) => void (value !== undefined && list.push(value)),
    remove: (value) => void (value !== undefined && list.shift()),
    result: list.items,
  };
}

const addToSet = plain(
  ({ context: { collate } }) => {
    const set = valueSet(collate);
    return { take: (value) => value !== undefined && set.add(value), result: set.values };
  },
  undefined,
  true,
);

/** By the mean so far, so that large values that are close together do not lose what makes them differ. */
function deviation(isSample: boolean): State {
  let [taken, mean, squares] = [0, 0, 0];
  return {
    take(value) {
      if (!isNumber(value)) return;
      const number = toDouble(value);
      taken += 1;
      const distance = number - mean;
      mean += distance / taken;
      squares += distance * (number - mean);
    },
    result() {
      const divisor = isSample ? taken - 1 : taken;
      return divisor <= 0 ? null : Math.sqrt(squares / divisor);
    },
  };
}

const mergeObjects = plain(() => {
  const merged: Doc = new Map();
  return {
    take(value) {
      if (isNullish(value)) return;
      if (!(value instanceof Map))
        throw location(
          40400,
          `$mergeObjects requires object inputs, but input ${show(value)} is of type ${typeName(value)}`,
        );
      for (const [name, one] of value) merged.set(name, one);
    },
    result: () => new Map(merged),
  };
});

export const accumulators: ReadonlyMap<string, AccumulatorMaker> = new Map(
  Object.entries({
    $sum: plain(sum, sum),
    $avg: plain(average, average),
    $min: extreme(-1),
    $max: extreme(1),
    $count: count,
    $first: first,
    $last: last,
    $push: plain(push, push, true),
    $addToSet: addToSet,
    $stdDevPop: plain(() => deviation(false)),
    $stdDevSamp: plain(() => deviation(true)),
    $mergeObjects: mergeObjects,
    $firstN: firstN,
    $lastN: lastN,
    $minN: minN,
    $maxN: maxN,
    $top: top,
    $topN: topN,
    $bottom: bottom,
    $bottomN: bottomN,
    $median: median,
    $percentile: percentile,
  }),
);
