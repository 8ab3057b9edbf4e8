import type { Doc, Value } from '../bson/types.js';
import { badValue } from '../errors.js';
import { after, boundKey, bracketKey, directedKey, isCut } from '../index/key.js';
import { apartPrefix } from '../values/collation.js';
import { bracket, bracketOf, type Collate, compare, equals } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { hasOperators } from './match.js';
import { isRegExp, literalPrefix } from './regexp.js';

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
}

export interface Plan {
  index: PlannedIndex;
  /** To read as one ordered stream when `sorted`, else one after another. */
  ranges: Range[];
  reverse: boolean;
  /** The index gives the order that was asked for. */
  sorted: boolean;
  score: number;
}

export interface PlanQuery {
  filter: Doc;
  sort: Doc | undefined;
  hint: Value | undefined;
  collate: Collate | undefined;
}

/** What a filter says of one field, as far as an index can use it. A superset is fine: each document is checked again. */
interface Condition {
  values?: Value[];
  lower?: Value;
  upper?: Value;
  /** The text with which it begins. */
  prefix?: string;
  /** Only a field that is there fulfils it. */
  isPresent?: boolean;
}

const mostPrefixes = 500;

const isUsable = (value: Value): boolean =>
  !Array.isArray(value) &&
  !isRegExp(value) &&
  !(value instanceof Map && [...value.keys()].some((key) => key.startsWith('$')));

function narrow(into: Condition, next: Condition): void {
  if (next.values)
    into.values = into.values
      ? into.values.filter((one) => next.values!.some((other) => equals(one, other)))
      : next.values;
  if (next.lower !== undefined && (into.lower === undefined || compare(next.lower, into.lower) > 0))
    into.lower = next.lower;
  if (next.upper !== undefined && (into.upper === undefined || compare(next.upper, into.upper) < 0))
    into.upper = next.upper;
  if (next.prefix !== undefined) into.prefix = next.prefix;
  if (next.isPresent) into.isPresent = true;
}

/** Bounds hold within the operand's own bracket: other kinds never fit. */
const isBound = (value: Value): boolean => {
  const of = bracketOf(value);
  return (
    isUsable(value) &&
    of !== bracket.null &&
    of !== bracket.minKey &&
    of !== bracket.maxKey &&
    !(of === bracket.number && Number.isNaN(toDouble(value)))
  );
};

function conditionOf(operand: Value): Condition {
  if (isRegExp(operand)) return patternCondition(literalPrefix(operand, ''));
  if (!hasOperators(operand))
    return isUsable(operand) ? { values: [operand], isPresent: operand !== null } : {};
  const condition: Condition = {};
  for (const [operator, value] of operand) narrow(condition, operatorCondition(operator, value, operand));
  return condition;
}

const patternCondition = (prefix: string | null): Condition =>
  prefix === null ? { isPresent: true } : { prefix, isPresent: true };

function operatorCondition(operator: string, value: Value, siblings: Doc): Condition {
  switch (operator) {
    case '$eq':
      return isUsable(value) ? { values: [value], isPresent: value !== null } : {};
    case '$in':
      return Array.isArray(value) && value.every(isUsable)
        ? { values: value, isPresent: !value.includes(null) }
        : {};
    case '$gt':
    case '$gte':
      return isBound(value) ? { lower: value, isPresent: true } : {};
    case '$lt':
    case '$lte':
      return isBound(value) ? { upper: value, isPresent: true } : {};
    case '$exists':
      return value === true ? { isPresent: true } : {};
    case '$regex': {
      const options = siblings.get('$options');
      if (typeof options === 'string' && options !== '') return { isPresent: true };
      if (typeof value === 'string') return patternCondition(literalPrefix(value, ''));
      return isRegExp(value) ? patternCondition(literalPrefix(value, '')) : {};
    }
    default:
      return {};
  }
}

/** The loosest condition that holds in every branch: what an `$or` says of a field. */
function hull(branches: (Condition | undefined)[]): Condition | null {
  const bounds = branches.map((one) => {
    if (!one) return null;
    if (one.prefix !== undefined) return null;
    const sorted = one.values ? [...one.values].sort(compare) : null;
    return sorted ? { lower: sorted[0], upper: sorted.at(-1) } : { lower: one.lower, upper: one.upper };
  });
  const result: Condition = {};
  const lowers = bounds.map((one) => one?.lower);
  const uppers = bounds.map((one) => one?.upper);
  const brackets = new Set([...lowers, ...uppers].filter((one) => one !== undefined).map(bracketOf));
  // Bounds of several kinds are no bounds: each side of a branch stays within its own.
  if (bounds.includes(null) || brackets.size !== 1 || brackets.has(bracket.null)) return null;
  if (!lowers.includes(undefined)) result.lower = (lowers as Value[]).sort(compare)[0]!;
  if (!uppers.includes(undefined)) result.upper = (uppers as Value[]).sort(compare).at(-1)!;
  return result.lower === undefined && result.upper === undefined ? null : result;
}

function conditionsOf(filter: Doc): Map<string, Condition> {
  const found = new Map<string, Condition>();
  const add = (field: string, condition: Condition) => {
    const present = found.get(field);
    if (present) narrow(present, condition);
    else found.set(field, { ...condition });
  };
  for (const [key, operand] of filter) {
    if (key === '$and')
      for (const part of operand as Doc[])
        for (const [field, condition] of conditionsOf(part)) add(field, condition);
    else if (key === '$or') {
      const branches = (operand as Doc[]).map(conditionsOf);
      for (const field of branches[0]?.keys() ?? []) {
        const loosest = hull(branches.map((branch) => branch.get(field)));
        if (loosest) add(field, loosest);
      }
    } else if (!key.startsWith('$')) add(key, conditionOf(operand));
  }
  return found;
}

/** Whether a condition on a field of a partial index's filter says at least as much. */
function implies(condition: Condition | undefined, wanted: Value, filter: Doc, field: string): boolean {
  const given = filter.get(field);
  if (given !== undefined && equals(given, wanted)) return true;
  if (!condition) return false;
  if (!hasOperators(wanted))
    return (condition.values?.length ?? 0) > 0 && condition.values!.every((value) => equals(value, wanted));
  return [...wanted].every(([operator, operand]) => {
    switch (operator) {
      case '$exists':
        return operand === true && condition.isPresent === true;
      case '$eq':
        return (
          (condition.values?.length ?? 0) > 0 && condition.values!.every((value) => equals(value, operand))
        );
      case '$gt':
      case '$gte':
      case '$lt':
      case '$lte':
        return holdsFor(condition, operator, operand);
      case '$in':
        return (
          Array.isArray(operand) &&
          condition.values?.every((value) => operand.some((one) => equals(one, value))) === true
        );
      default:
        return false;
    }
  });
}

function holdsFor(condition: Condition, operator: string, operand: Value): boolean {
  const fits = (value: Value) => {
    if (bracketOf(value) !== bracketOf(operand)) return false;
    const difference = compare(value, operand);
    if (operator === '$gt') return difference > 0;
    if (operator === '$gte') return difference >= 0;
    return operator === '$lt' ? difference < 0 : difference <= 0;
  };
  if (condition.values) return condition.values.length > 0 && condition.values.every(fits);
  const bound = operator.startsWith('$g') ? condition.lower : condition.upper;
  // A bound may be taken in by the filter and left out by the index: what fits strictly is sure either way.
  return bound !== undefined && bracketOf(bound) === bracketOf(operand) && fits(bound);
}

/** Whether every document that the filter admits stands in the index. */
function covers(index: PlannedIndex, conditions: Map<string, Condition>, filter: Doc): boolean {
  if (index.sparse && !index.fields.some(({ name }) => conditions.get(name)?.isPresent)) return false;
  if (!index.partial) return true;
  return [...index.partial].every(([field, wanted]) =>
    field.startsWith('$') ? false : implies(conditions.get(field), wanted, filter, field),
  );
}

/** Whether texts of a query can be looked up in an index at all. */
function canLookUp(index: PlannedIndex, query: PlanQuery, value: Value): boolean {
  if (typeof value !== 'string' && !(value instanceof Map)) return true;
  if (index.collate !== query.collate) return false;
  if (!index.collate) return true;
  return typeof value === 'string' && index.collate.isFoldable(value);
}

interface Builder {
  index: PlannedIndex;
  query: PlanQuery;
  conditions: Map<string, Condition>;
}

function planFor({ index, query, conditions }: Builder): Plan | null {
  if (!covers(index, conditions, query.filter)) return null;
  let prefixes: Buffer[] = [Buffer.alloc(0)];
  let at = 0;
  let score = 0;
  const fixed = new Set<string>();
  for (; at < index.fields.length; at += 1) {
    const { name, direction } = index.fields[at]!;
    const values = conditions.get(name)?.values;
    if (!values || prefixes.length * values.length > mostPrefixes) break;
    if (!values.every((value) => canLookUp(index, query, value))) break;
    // Texts that cannot be folded may be equal too, and stand elsewhere.
    if (index.collate && values.some((value) => typeof value === 'string')) break;
    prefixes = prefixes.flatMap((prefix) =>
      distinct(values).map((value) => Buffer.concat([prefix, directedKey(value, direction, index.collate)])),
    );
    if (values.length === 1) fixed.add(name);
    score += 10;
  }
  return finishPlan({ index, query, conditions }, prefixes, at, score, fixed);
}

function distinct(values: Value[]): Value[] {
  return values.filter((value, at) => values.findIndex((other) => equals(other, value)) === at);
}

function finishPlan(
  { index, query, conditions }: Builder,
  prefixes: Buffer[],
  at: number,
  before: number,
  fixed: Set<string>,
): Plan | null {
  let score = before;
  const sort = sortOf(query.sort);
  const wanted = sort.filter(([field]) => !fixed.has(field));
  const rest = index.fields.slice(at);
  const turned = wanted.length > 0 && rest[0] ? wanted[0]![1] * rest[0].direction : 1;
  const isOrdered = !index.multikey && !index.collate && !query.collate;
  const sorted =
    sort.length > 0 &&
    isOrdered &&
    wanted.every(
      ([field, direction], n) => rest[n]?.name === field && rest[n]!.direction * turned === direction,
    );
  const next = rest[0];
  const bound = next && conditions.get(next.name);
  let ranges: Range[] = prefixes.map((prefix) => ({
    start: prefix,
    end: after(prefix),
    fixed: prefix.length,
  }));
  const bounds = next && bound ? boundsOf(index, query, bound, next.direction) : null;
  if (bounds) {
    score += 5;
    ranges = prefixes.flatMap((prefix) =>
      bounds.map(({ start, end }) => ({
        start: Buffer.concat([prefix, start]),
        end: end ? Buffer.concat([prefix, end]) : after(prefix),
        fixed: prefix.length,
      })),
    );
  }
  const isSorted = sorted && (ranges.length === prefixes.length || wanted.length === 0);
  if (score === 0 && !(isSorted && wanted.length > 0)) return null;
  if (isSorted) score += 8;
  return { index, ranges, reverse: turned < 0, sorted: isSorted, score };
}

interface Bounds {
  start: Buffer;
  end: Buffer | null;
}

/** The stretch of keys in which a condition's values stand, without the prefix. */
function boundsOf(
  index: PlannedIndex,
  query: PlanQuery,
  condition: Condition,
  direction: number,
): Bounds[] | null {
  if (condition.values && index.collate) return collatedBounds(index, query, condition.values, direction);
  if (condition.prefix !== undefined && !index.collate) {
    const text = directedKey(condition.prefix, 1);
    // Without the end that closes a text: what goes on after the prefix stands here too.
    const open = text.subarray(0, text.length - 2);
    if (isCut(condition.prefix)) return null;
    if (direction > 0) return [{ start: Buffer.from(open), end: after(open) }];
    const down = Buffer.from(open.map((byte) => ~byte & 0xff));
    return [{ start: down, end: after(down) }];
  }
  const { lower, upper } = condition;
  if (lower === undefined && upper === undefined) return null;
  const given = [lower, upper].filter((one) => one !== undefined);
  if (index.collate && given.some((one) => typeof one === 'string' || one instanceof Map)) return null;
  if (!given.every((one) => canLookUp(index, query, one))) return null;
  // With an array one element can satisfy the one bound and another the other.
  const both = lower !== undefined && upper !== undefined;
  const last = index.multikey && both ? undefined : upper;
  const of = bracketOf(given[0]);
  if (both && bracketOf(upper) !== of) return [];
  const [low, high] = direction > 0 ? [lower, last] : [last, lower];
  const whole = bracketKey(of, direction);
  return [
    {
      start: low === undefined ? whole : boundKey(low, direction),
      end: after(high === undefined ? whole : boundKey(high, direction)),
    },
  ];
}

/** Texts under a collation: each under its folded key, and all that cannot be folded. */
function collatedBounds(
  index: PlannedIndex,
  query: PlanQuery,
  values: Value[],
  direction: number,
): Bounds[] | null {
  if (!values.every((value) => canLookUp(index, query, value))) return null;
  const keys = distinct(values).map((value) => directedKey(value, direction, index.collate));
  const text = directedKey(apartPrefix, 1);
  const apart = text.subarray(0, text.length - 2);
  const directed = direction > 0 ? Buffer.from(apart) : Buffer.from(apart.map((byte) => ~byte & 0xff));
  const seen = new Map([...keys, directed].map((key) => [key.toString('latin1'), key]));
  return [...seen.values()].map((key) => ({ start: key, end: after(key) }));
}

function sortOf(spec: Doc | undefined): [string, number][] {
  if (!spec || spec.has('$natural')) return [];
  return [...spec].map(([field, direction]) => [
    field,
    isNumber(direction) && toDouble(direction) < 0 ? -1 : 1,
  ]);
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
  const conditions = conditionsOf(query.filter);
  if (query.hint !== undefined) {
    const index = hinted(indexes, query.hint);
    return planFor({ index, query, conditions }) ?? wholeIndex(index);
  }
  let best: Plan | null = null;
  for (const index of indexes) {
    if (index.hidden) continue;
    const plan = planFor({ index, query, conditions });
    if (plan && (best === null || plan.score > best.score)) best = plan;
  }
  return best;
}

/** All of a hinted index. One that leaves documents out leaves them out of the answer too, as MongoDB's does. */
const wholeIndex = (index: PlannedIndex): Plan => ({
  index,
  ranges: [{ start: Buffer.alloc(0), end: null, fixed: 0 }],
  reverse: false,
  sorted: false,
  score: 0,
});
