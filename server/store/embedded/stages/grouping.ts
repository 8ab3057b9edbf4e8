import type { ObjectId } from 'bson';
import type { Value } from '../bson/types.js';
import { bracket, bracketOf, type Collate, compare, equals, textOf } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';

/**
 * Things kept under values, by MongoDB's equality: numbers of all types are equal when their values are, documents when
 * their fields are, in their order.
 */
export interface Grouping<Item> {
  /** What is kept under a value, made when it is not there yet. */
  at(key: Value, make: () => Item): Item;
  get(key: Value): Item | undefined;
  /** In the order in which their keys came first. */
  items(): Iterable<Item>;
  readonly size: number;
}

interface Entry<Item> {
  key: Value;
  item: Item;
}

export function groupingBy<Item>(collate: Collate | undefined): Grouping<Item> {
  const all: Item[] = [];
  // Of each bucket the entries in order, nearly always one: where buckets are coarse, a search still takes few steps.
  const buckets = new Map<string | Value, Entry<Item>[]>();

  function placeIn(entries: Entry<Item>[], key: Value): number {
    let [from, to] = [0, entries.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compare(entries[middle]!.key, key, collate) < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  function found(entries: Entry<Item>[], place: number, key: Value): Item | undefined {
    const entry = entries[place];
    return entry && equals(entry.key, key, collate) ? entry.item : undefined;
  }

  return {
    at(key, make) {
      const bucket = bucketOf(key, collate);
      const entries = buckets.get(bucket);
      const place = entries ? placeIn(entries, key) : 0;
      const known = entries && found(entries, place, key);
      if (known !== undefined) return known;
      const item = make();
      if (entries) entries.splice(place, 0, { key, item });
      else buckets.set(bucket, [{ key, item }]);
      all.push(item);
      return item;
    },
    get(key) {
      const entries = buckets.get(bucketOf(key, collate));
      return entries && found(entries, placeIn(entries, key), key);
    },
    items: () => all,
    get size() {
      return all.length;
    },
  };
}

/** A set of values, by the same equality. */
export function valueSet(collate: Collate | undefined): {
  /** @returns whether it was not there yet */
  add(value: Value): boolean;
  has(value: Value): boolean;
  values(): Value[];
} {
  const kept = groupingBy<{ value: Value }>(collate);
  return {
    add(value) {
      const before = kept.size;
      kept.at(value, () => ({ value }));
      return kept.size > before;
    },
    has: (value) => kept.get(value) !== undefined,
    values: () => [...kept.items()].map(({ value }) => value),
  };
}

/** Equal values are in one bucket; most others are in another. */
function bucketOf(value: Value, collate: Collate | undefined): string {
  if (isNumber(value)) return `n${toDouble(value)}`;
  const of = bracketOf(value);
  switch (of) {
    case bracket.string:
      // Which texts a collation takes for equal, only it knows.
      return collate ? 's' : `s${textOf(value)}`;
    case bracket.boolean:
      return value === true ? 't' : 'f';
    case bracket.objectId:
      return `i${(value as ObjectId).toHexString()}`;
    case bracket.date:
      return value instanceof Date ? `d${value.getTime()}` : 'D';
    case bracket.object:
      return value instanceof Map
        ? composed([...value].flatMap(([name, one]) => [name, bucketOf(one, collate)]))
        : 'o';
    case bracket.array:
      return Array.isArray(value) ? `[${composed(value.map((one) => bucketOf(one, collate)))}` : 'a';
    default:
      return `b${of}`;
  }
}

/** Each part with its length, so that no two lists of parts look alike. */
const composed = (parts: string[]): string => `{${parts.map((part) => `${part.length}:${part}`).join('')}`;
