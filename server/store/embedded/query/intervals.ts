import type { BSONRegExp } from 'bson';
import type { Value } from '../bson/types.js';
import { after, bracketKey, directedKey, inverse, keyPrefix } from '../index/key.js';
import { apartPrefix } from '../values/collation.js';
import { bracket, bracketOf, type Collate } from '../values/compare.js';
import { toDouble } from '../values/numbers.js';
import { literalPrefix } from './regexp.js';

/** Which keys of one field may stand for values that a condition asks for: stretches of bytes. */

export interface Interval {
  readonly start: Buffer;
  /** Left out; null: to the end. */
  readonly end: Buffer | null;
  /** All keys in it are of one value: they begin with `start`, and what follows is the next field's. */
  readonly isPoint: boolean;
  /** It holds keys of nothing that the condition does not ask for. */
  readonly isExact: boolean;
}

/** In order, none overlapping. */
export type Intervals = readonly Interval[];

/** How the index that is looked into writes its keys. */
export interface Encoding {
  readonly collate: Collate | undefined;
  /** The query compares texts as the index does. */
  readonly isSameCollation: boolean;
  readonly longest: number;
}

const compareEnds = (left: Buffer | null, right: Buffer | null): number =>
  left === right ? 0 : left === null ? 1 : right === null ? -1 : Buffer.compare(left, right);

const isEmpty = (start: Buffer, end: Buffer | null): boolean =>
  end !== null && Buffer.compare(start, end) >= 0;

const interval = (start: Buffer, end: Buffer | null, isExact: boolean): Intervals =>
  isEmpty(start, end) ? [] : [{ start, end, isPoint: false, isExact }];

/** Keys of exactly one value. */
function point(value: Value, { collate, longest }: Encoding, isExact = true): Intervals {
  const start = directedKey(value, 1, collate, longest);
  return [{ start, end: after(start), isPoint: true, isExact }];
}

/** All keys of a kind of values. */
export function ofBracket(of: number, isExact = true): Intervals {
  const start = bracketKey(of, 1);
  return interval(start, after(start), isExact);
}

export function union(...parts: Intervals[]): Intervals {
  const sorted = parts
    .flat()
    .sort((left, right) => Buffer.compare(left.start, right.start) || compareEnds(right.end, left.end));
  const joined: Interval[] = [];
  for (const next of sorted) {
    const last = joined.at(-1);
    if (!last || (last.end !== null && Buffer.compare(next.start, last.end) > 0)) joined.push(next);
    else if (
      last.end !== null &&
      Buffer.compare(next.start, last.end) === 0 &&
      (last.isPoint || next.isPoint)
    )
      joined.push(next);
    else if (compareEnds(next.end, last.end) > 0)
      joined[joined.length - 1] = {
        ...last,
        end: next.end,
        isPoint: false,
        isExact: last.isExact && next.isExact,
      };
    else if (!next.isExact && last.isExact) joined[joined.length - 1] = { ...last, isExact: false };
  }
  return joined;
}

export function intersection(left: Intervals, right: Intervals): Intervals {
  const common: Interval[] = [];
  for (const a of left)
    for (const b of right) {
      const start = Buffer.compare(a.start, b.start) >= 0 ? a.start : b.start;
      const end = compareEnds(a.end, b.end) <= 0 ? a.end : b.end;
      if (isEmpty(start, end)) continue;
      common.push({ start, end, isPoint: a.isPoint || b.isPoint, isExact: a.isExact && b.isExact });
    }
  return common;
}

/** Whether everything in `inner` lies in `outer`. */
export const isWithin = (inner: Intervals, outer: Intervals): boolean =>
  inner.every((a) =>
    outer.some((b) => Buffer.compare(b.start, a.start) <= 0 && compareEnds(a.end, b.end) <= 0),
  );

/** Downwards: the same keys in the other direction. */
export const downwards = (intervals: Intervals): Intervals =>
  intervals
    .map(({ start, end, isPoint, isExact }): Interval => {
      if (isPoint) {
        const turned = inverse(start);
        return { start: turned, end: after(turned), isPoint, isExact };
      }
      return {
        start: end === null ? Buffer.alloc(0) : (after(inverse(end)) ?? Buffer.alloc(0)),
        end: after(inverse(start)),
        isPoint,
        isExact,
      };
    })
    .reverse();

const hasText = (value: Value): boolean => {
  const of = bracketOf(value);
  if (of === bracket.string) return true;
  if (value instanceof Map) return [...value.values()].some(hasText);
  return Array.isArray(value) && value.some(hasText);
};

/** Whether these are keys of texts, or of what may hold texts: a collation decides over them. */
export function touchesText(intervals: Intervals): boolean {
  const start = bracketKey(bracket.string, 1);
  const texts: Interval = { start, end: after(bracketKey(bracket.array, 1)), isPoint: false, isExact: true };
  return intersection(intervals, [texts]).length > 0;
}

/** Keys of one value and of all that is equal to it. */
export function equalTo(value: Value, encoding: Encoding): Intervals {
  const { collate, isSameCollation } = encoding;
  const isPlain = !collate && isSameCollation;
  if (isPlain || !hasText(value)) return point(value, encoding, value !== null);
  const of = bracketOf(value);
  if (of !== bracket.string || !isSameCollation || !collate || typeof value !== 'string')
    return ofBracket(of, false);
  if (!collate.isFoldable(value)) return ofBracket(of, false);
  // Texts that cannot be folded may be equal to it too, and stand elsewhere.
  return union(point(value, encoding, false), apart());
}

function apart(): Intervals {
  const text = directedKey(apartPrefix, 1);
  const start = Buffer.from(text.subarray(0, text.length - 2));
  return interval(start, after(start), false);
}

/** As a condition on a field asks: an array is also looked for by its first element, under which it is indexed. */
export const equalOrHolding = (value: Value, encoding: Encoding): Intervals =>
  Array.isArray(value)
    ? value.length === 0
      ? union(ofBracket(bracket.missing, false), equalTo(value, encoding))
      : union(equalTo(value[0]!, encoding), equalTo(value, encoding)).map((one) => ({
          ...one,
          isExact: false,
        }))
    : equalTo(value, encoding);

/** NaN is in no order with other numbers, and stands before them. */
const firstNumber = after(directedKey(Number.NaN, 1))!;

/** How many of an interval's two sides only its kind of values bounds. */
export const openSides = ({ start, end }: Interval): number =>
  Number(start.length <= 1 || start.equals(firstNumber)) + Number(end === null || end.length <= 1);

export type Relation = '$gt' | '$gte' | '$lt' | '$lte';

/** Keys of what is less or greater, within the value's own kind. Null: nothing can be said. */
export function related(relation: Relation, value: Value, encoding: Encoding): Intervals | null {
  const of = bracketOf(value);
  const withEqual = relation === '$gte' || relation === '$lte';
  if (of === bracket.null) return withEqual ? equalTo(value, encoding) : [];
  if (of === bracket.minKey || of === bracket.maxKey || of === bracket.array) return null;
  if (of === bracket.number && Number.isNaN(toDouble(value)))
    return withEqual ? equalTo(value, encoding) : [];
  const isOrdered =
    of === bracket.string || of === bracket.object ? !encoding.collate && encoding.isSameCollation : true;
  if (!isOrdered) return ofBracket(of, false);
  const { bytes, isWhole } = keyPrefix(value, encoding.longest);
  const first = of === bracket.number ? firstNumber : bracketKey(of, 1);
  const last = after(bracketKey(of, 1));
  if (relation === '$gte' || (relation === '$gt' && !isWhole)) return interval(bytes, last, isWhole);
  if (relation === '$gt') return interval(after(bytes)!, last, true);
  if (relation === '$lte' || !isWhole) return interval(first, after(bytes), isWhole);
  return interval(first, bytes, true);
}

/** Keys of texts that match, and of the expression itself. */
export function matching(pattern: BSONRegExp | string, options: string, encoding: Encoding): Intervals {
  const prefix = encoding.collate ? null : literalPrefix(pattern, options);
  return union(
    prefix === null ? ofBracket(bracket.string, false) : beginningWith(prefix, encoding),
    ofBracket(bracket.regex, false),
  );
}

function beginningWith(prefix: string, { longest }: Encoding): Intervals {
  const text = keyPrefix(prefix, longest);
  // Without the end that closes a text: what goes on after the prefix stands here too.
  const start = text.isWhole ? text.bytes.subarray(0, text.bytes.length - 2) : text.bytes;
  return interval(Buffer.from(start), after(Buffer.from(start)), false);
}
