import { after, directedKey } from './key.js';
import type { Index } from './storage.js';
import { bracketOf, compare, type Doc, isDocument, isNumber, numeric } from './values.js';

/** What a filter says of one field, as far as an index can use it. A superset is fine: each document is checked again. */
interface Condition {
  values?: unknown[];
  lower?: unknown;
  upper?: unknown;
}

export interface Range {
  start: Buffer;
  end: Buffer | null;
  /** Bytes of the fixed prefix: what follows them is what a merge compares. */
  fixed: number;
}

export interface Plan {
  index: Index;
  /** Ranges to read; with `merge`, as one ordered stream, else one after another. */
  ranges: Range[];
  reverse: boolean;
  /** The index gives the order that was asked for. */
  sorted: boolean;
  score: number;
}

const most = 500;

const usable = (value: unknown) =>
  !Array.isArray(value) &&
  !(isDocument(value) && Object.keys(value).some((key) => key.startsWith('$'))) &&
  bracketOf(value) !== 12;

function narrow(into: Condition, next: Condition): void {
  if (next.values)
    into.values = into.values
      ? into.values.filter((one) => next.values!.some((other) => compare(one, other) === 0))
      : next.values;
  if (next.lower !== undefined && (into.lower === undefined || compare(next.lower, into.lower) > 0))
    into.lower = next.lower;
  if (next.upper !== undefined && (into.upper === undefined || compare(next.upper, into.upper) < 0))
    into.upper = next.upper;
}

function conditionOf(operand: unknown): Condition {
  if (!isDocument(operand) || !Object.keys(operand)[0]?.startsWith('$'))
    return usable(operand) ? { values: [operand] } : {};
  const condition: Condition = {};
  for (const [operator, value] of Object.entries(operand)) {
    if (operator === '$eq' && usable(value)) narrow(condition, { values: [value] });
    else if (operator === '$in' && Array.isArray(value) && value.every(usable))
      narrow(condition, { values: value });
    else if ((operator === '$gt' || operator === '$gte') && usable(value) && value !== null)
      narrow(condition, { lower: value });
    else if ((operator === '$lt' || operator === '$lte') && usable(value) && value !== null)
      narrow(condition, { upper: value });
  }
  return condition;
}

/** The loosest condition that holds in every branch: what an $or says of a field. */
function hull(branches: (Condition | undefined)[]): Condition | null {
  const result: Condition = {};
  const bounds = branches.map((one) => {
    if (!one) return null;
    const sorted = one.values ? [...one.values].sort(compare) : null;
    return { lower: sorted ? sorted[0] : one.lower, upper: sorted ? sorted.at(-1) : one.upper };
  });
  if (bounds.includes(null)) return null;
  const lowers = bounds.map((one) => one!.lower);
  const uppers = bounds.map((one) => one!.upper);
  if (!lowers.includes(undefined)) result.lower = lowers.sort(compare)[0];
  if (!uppers.includes(undefined)) result.upper = uppers.sort(compare).at(-1);
  return result;
}

function conditionsOf(filter: Doc): Map<string, Condition> {
  const found = new Map<string, Condition>();
  const add = (field: string, condition: Condition) => {
    const present = found.get(field);
    if (present) narrow(present, condition);
    else found.set(field, condition);
  };
  for (const [key, operand] of Object.entries(filter)) {
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

const restricts = (condition: Condition | undefined, field: string, partial: unknown): boolean =>
  isDocument(partial) && partial.$exists === true
    ? condition !== undefined &&
      ((condition.values?.every((value) => value !== null) ?? false) ||
        condition.lower !== undefined ||
        condition.upper !== undefined)
    : (condition?.values?.every((value) => field !== '' && compare(value, partial) === 0) ?? false);

/** Whether every document that the filter admits stands in the index. */
function covers(index: Index, conditions: Map<string, Condition>): boolean {
  if (
    index.sparse &&
    !index.fields.some(({ path }) => restricts(conditions.get(path.join('.')), '', { $exists: true }))
  )
    return false;
  return Object.entries(index.partial ?? {}).every(([field, partial]) =>
    restricts(conditions.get(field), field, partial),
  );
}

function planFor(index: Index, conditions: Map<string, Condition>, sort: [string, number][]): Plan | null {
  if (!covers(index, conditions)) return null;
  let prefixes: Buffer[] = [index.prefix];
  let at = 0;
  let score = 0;
  const fixed = new Set<string>();
  for (; at < index.fields.length; at += 1) {
    const { path, direction } = index.fields[at]!;
    const values = conditions.get(path.join('.'))?.values;
    if (!values || prefixes.length * values.length > most) break;
    prefixes = prefixes.flatMap((prefix) =>
      values.map((value) => Buffer.concat([prefix, directedKey(value, direction)])),
    );
    if (values.length === 1) fixed.add(path.join('.'));
    score += 10;
  }
  const wanted = sort.filter(([field]) => !fixed.has(field));
  const rest = index.fields.slice(at);
  const turned = wanted.length > 0 && rest[0] ? wanted[0]![1] * rest[0].direction : 1;
  const sorted =
    !index.multikey &&
    wanted.every(
      ([field, direction], n) =>
        rest[n]?.path.join('.') === field && rest[n]!.direction * turned === direction,
    );
  const next = rest[0];
  const bound = next && conditions.get(next.path.join('.'));
  let ranges: Range[] = prefixes.map((prefix) => ({
    start: prefix,
    end: after(prefix),
    fixed: prefix.length,
  }));
  if (next && bound && (bound.lower !== undefined || bound.upper !== undefined)) {
    score += 5;
    // With an array one element can satisfy the one bound and another the other.
    const { lower, upper } =
      index.multikey && bound.lower !== undefined ? { lower: bound.lower, upper: undefined } : bound;
    const [low, high] = next.direction > 0 ? [lower, upper] : [upper, lower];
    ranges = prefixes.map((prefix) => {
      const start = low === undefined ? prefix : Buffer.concat([prefix, directedKey(low, next.direction)]);
      const end =
        high === undefined
          ? after(prefix)
          : after(Buffer.concat([prefix, directedKey(high, next.direction)]));
      return { start, end, fixed: prefix.length };
    });
  }
  if (score === 0 && !(sorted && wanted.length > 0)) return null;
  if (sorted && sort.length > 0) score += 8;
  return { index, ranges, reverse: turned < 0, sorted: sorted && sort.length > 0, score };
}

/** The best index for a filter and a sort: equality first, then sort, then range. Null: read the collection. */
export function choosePlan(
  indexes: Index[],
  filter: Doc,
  sortSpec: Doc | undefined,
  hint?: unknown,
): Plan | null {
  const conditions = conditionsOf(filter);
  const sort = Object.entries(sortSpec ?? {}).map(([field, direction]): [string, number] => [
    field,
    isNumber(direction) && numeric(direction) < 0 ? -1 : 1,
  ]);
  let best: Plan | null = null;
  for (const index of indexes) {
    if (hint !== undefined && index.name !== hint && JSON.stringify(index.key) !== JSON.stringify(hint))
      continue;
    const plan = planFor(index, conditions, sort);
    if (plan && (best === null || plan.score > best.score)) best = plan;
  }
  return best;
}
