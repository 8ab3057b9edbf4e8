import type { Doc, Value } from '../bson/types.js';
import { badValue } from '../errors.js';
import { after, longestFor } from '../index/key.js';
import { type Collate, equals } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { covers } from './coverage.js';
import { downwards, type Encoding, type Intervals, intersection } from './intervals.js';
import { narrowest, type Predicate, type Predicates, predicatesOf, weightOf } from './predicates.js';

/** Which index answers a filter and a sort: equality first, then the sort, then ranges. */

/** What the planner needs to know of an index. */
export interface PlannedIndex {
  readonly name: string;
  readonly key: Doc;
  readonly fields: readonly { name: string; path: string[]; direction: 1 | -1 }[];
  readonly unique: boolean;
  readonly sparse: boolean;
  readonly partial: Doc | undefined;
  readonly collate: Collate | undefined;
  readonly hidden: boolean;
  readonly multikey: boolean;
}

export interface Range {
  start: Buffer;
  /** Left out; null: to the end. */
  end: Buffer | null;
  /** Bytes of the fixed prefix: what follows them is what a merge compares. */
  fixed: number;
  /** `start` is a whole key: every field of the index has its one value. */
  isKey?: boolean;
}

export interface Plan {
  index: PlannedIndex;
  /** In the order of their bytes. To read as one ordered stream when `merge`, else one after another. */
  ranges: Range[];
  reverse: boolean;
  /** The index gives the order that was asked for. */
  sorted: boolean;
  /** The order comes of merging the ranges by what follows their fixed bytes. */
  merge: boolean;
  score: number;
}

export interface PlanQuery {
  filter: Doc;
  sort: Doc | undefined;
  hint: Value | undefined;
  collate: Collate | undefined;
}

/** So many ranges are read in turn; of more only what the fields before them say is looked up. */
const mostRanges = 20_000;
/** So many are merged, each with its own cursor; of more the documents are sorted. */
const mostMerged = 1_000;
const sortWorth = 12;
/** One document at most: nothing is better. */
const uniqueWorth = 1_000;

/** A way through the leading fields of an index, each with the values that are asked for. */
interface Prefix {
  bytes: Buffer;
  /** Where in `bytes` each field ends. */
  ends: number[];
}

interface Lookup {
  prefixes: Prefix[];
  /** Fields that have one value alone: any order has them. */
  single: Set<string>;
  /** How many fields the prefixes are made of. */
  depth: number;
  ranges: Range[];
  score: number;
}

const commonSteps = (left: readonly string[], right: readonly string[]): number => {
  let at = 0;
  while (at < left.length && at < right.length && left[at] === right[at]) at += 1;
  return at;
};

interface Chosen {
  path: readonly string[];
  element: Predicate['element'];
}

/**
 * In an index with arrays an entry is of one element: what is asked of two fields below one array holds for one entry
 * only when `$elemMatch` asks both of the same element.
 */
const mayJoin = (path: readonly string[], { element }: Predicate, chosen: readonly Chosen[]): boolean =>
  chosen.every((other) => {
    const common = commonSteps(path, other.path);
    return common === 0 || (element !== null && element === other.element && element.steps === common);
  });

/** What may be looked up of one field. Null: nothing. */
function lookedUp(
  index: PlannedIndex,
  path: readonly string[],
  predicates: readonly Predicate[],
  encoding: Encoding,
  chosen: Chosen[],
): Intervals | null {
  if (!index.multikey) {
    let common: Intervals | null = null;
    for (const { keys } of predicates) {
      const found = keys(encoding);
      if (found) common = common ? intersection(common, found) : found;
    }
    return common;
  }
  // Each condition may hold for another element: one of them must do.
  const found = predicates
    .filter((one) => mayJoin(path, one, chosen))
    .map(({ keys, element }) => ({ keys: keys(encoding), element }));
  const best = narrowest(found.map(({ keys }) => keys));
  const from = found.find(({ keys }) => keys === best);
  if (best && from) chosen.push({ path, element: from.element });
  return best;
}

function lookUp(index: PlannedIndex, query: PlanQuery, predicates: Predicates): Lookup {
  const encoding: Encoding = {
    collate: index.collate,
    isSameCollation: index.collate === query.collate,
    longest: longestFor(index.fields.length),
  };
  const chosen: Chosen[] = [];
  const single = new Set<string>();
  let prefixes: Prefix[] = [{ bytes: Buffer.alloc(0), ends: [] }];
  let score = 0;
  for (const [depth, { name, path, direction }] of index.fields.entries()) {
    const found = lookedUp(index, path, predicates.get(name) ?? [], encoding, chosen);
    if (!found || prefixes.length * found.length > mostRanges)
      return { prefixes, single, depth, ranges: prefixes.map(rangeOf), score };
    const intervals = direction > 0 ? found : downwards(found);
    score += weightOf(intervals);
    if (!intervals.every(({ isPoint }) => isPoint)) {
      const ranges = prefixes.flatMap((prefix) => intervals.map((one) => rangeWithin(prefix, one)));
      return { prefixes, single, depth, ranges, score };
    }
    if (intervals.length === 1) single.add(name);
    prefixes = prefixes.flatMap(({ bytes, ends }) =>
      intervals.map(({ start }) => {
        const longer = Buffer.concat([bytes, start]);
        return { bytes: longer, ends: [...ends, longer.length] };
      }),
    );
  }
  if (index.unique && !index.multikey && prefixes.length === 1) score += uniqueWorth;
  const ranges = prefixes.map((prefix): Range => ({ ...rangeOf(prefix), isKey: true }));
  return { prefixes, single, depth: index.fields.length, ranges, score };
}

const rangeOf = ({ bytes }: Prefix): Range => ({ start: bytes, end: after(bytes), fixed: 0 });

const rangeWithin = ({ bytes }: Prefix, { start, end }: Intervals[number]): Range => ({
  start: Buffer.concat([bytes, start]),
  end: end ? Buffer.concat([bytes, end]) : after(bytes),
  fixed: 0,
});

function sortOf(spec: Doc | undefined): [string, number][] {
  if (!spec || spec.has('$natural')) return [];
  return [...spec].map(([field, direction]) => [
    field,
    isNumber(direction) && toDouble(direction) < 0 ? -1 : 1,
  ]);
}

/** The direction in which the fields from `from` on give an order; null when they do not. */
function orderFrom(
  index: PlannedIndex,
  wanted: readonly [string, number][],
  from: number,
  single: ReadonlySet<string>,
): 1 | -1 | null {
  let turn = 0;
  let at = 0;
  for (const { name, direction } of index.fields.slice(from)) {
    if (at === wanted.length) break;
    const [field, asked] = wanted[at]!;
    if (name !== field) {
      if (single.has(name)) continue;
      return null;
    }
    if (turn !== 0 && asked * direction !== turn) return null;
    turn = asked * direction;
    at += 1;
  }
  if (at < wanted.length) return null;
  return turn < 0 ? -1 : 1;
}

interface Order {
  reverse: boolean;
  merge: number | null;
}

/** Whether ranges give a sort's order: as they stand, or merged by what follows their first `merge` fields. */
function orderOf(index: PlannedIndex, query: PlanQuery, { single, depth, ranges }: Lookup): Order | null {
  const sort = sortOf(query.sort);
  if (sort.length === 0 || index.multikey || index.collate || query.collate) return null;
  const wanted = sort.filter(([field]) => !single.has(field));
  for (let from = 0; from <= (ranges.length > mostMerged ? 0 : depth); from += 1) {
    const turn = orderFrom(index, wanted, from, single);
    if (turn !== null) return { reverse: turn < 0, merge: from > 0 ? from : null };
  }
  return null;
}

function planFor(index: PlannedIndex, query: PlanQuery, predicates: Predicates): Plan | null {
  if (!covers(index, { filter: query.filter, predicates, collate: query.collate })) return null;
  const found = lookUp(index, query, predicates);
  const order = orderOf(index, query, found);
  const isWorthIt = found.score > 0 || (order !== null && sortOf(query.sort).length > 0);
  if (!isWorthIt) return null;
  const { ranges } = found;
  const merge = order?.merge != null && ranges.length > 1;
  if (merge) {
    const perPrefix = ranges.length / found.prefixes.length;
    for (const [n, range] of ranges.entries())
      range.fixed = found.prefixes[Math.floor(n / perPrefix)]!.ends[order.merge! - 1]!;
  }
  return {
    index,
    ranges,
    reverse: order?.reverse ?? false,
    sorted: order !== null,
    merge,
    score: found.score + (order ? sortWorth : 0),
  };
}

const isNatural = (value: Value | undefined): boolean => value instanceof Map && value.has('$natural');

/** @throws StoreError `BadValue` for a hint that names no index */
function hinted(indexes: readonly PlannedIndex[], hint: Value): PlannedIndex {
  const found = indexes.find(
    ({ name, key, hidden }) => !hidden && (typeof hint === 'string' ? name === hint : equals(key, hint)),
  );
  if (!found)
    throw badValue(
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  return found;
}

/** The best index for a filter and a sort. Null: read the collection. */
export function choosePlan(indexes: readonly PlannedIndex[], query: PlanQuery): Plan | null {
  if (isNatural(query.hint) || isNatural(query.sort)) return null;
  const predicates = predicatesOf(query.filter);
  if (query.hint !== undefined) {
    const index = hinted(indexes, query.hint);
    return planFor(index, query, predicates) ?? wholeIndex(index);
  }
  let best: Plan | null = null;
  for (const index of indexes) {
    if (index.hidden) continue;
    const plan = planFor(index, query, predicates);
    if (plan && (best === null || plan.score > best.score)) best = plan;
    // One document at most: there is nothing to compare it with, and nothing to sort.
    if (best !== null && best.score >= uniqueWorth) break;
  }
  return best;
}

/** All of a hinted index. One that leaves documents out leaves them out of the answer too, as MongoDB's does. */
const wholeIndex = (index: PlannedIndex): Plan => ({
  index,
  ranges: [{ start: Buffer.alloc(0), end: null, fixed: 0 }],
  reverse: false,
  sorted: false,
  merge: false,
  score: 0,
});
