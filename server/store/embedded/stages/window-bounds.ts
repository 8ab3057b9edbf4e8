import { Int32 } from 'bson';
import type { Value } from '../bson/types.js';
import { failedToParse, location } from '../errors.js';
import { moved } from '../expressions/date-units.js';
import { constantOf } from '../expressions/expression.js';
import { compare, typeName } from '../values/compare.js';
import { addDecimals, format } from '../values/decimal.js';
import { isNumber, type Numeric, toDecimal, toDouble, toInteger } from '../values/numbers.js';
import { show } from '../values/show.js';
import { expressionOf, type Scope } from './stage.js';
import type { Partition, SortBy } from './window-partition.js';

/** Windows: which rows of its partition a row looks at. */

/** The first and the last row of a window; null when no row lies in it. */
export type Frame = readonly [number, number] | null;

export interface Bounds {
  /** Begins with a partition; then asked for each of its rows in order. */
  frames(partition: Partition): (at: number) => Frame;
  /** Whether the first row of the window is always that of the partition. */
  isFromStart: boolean;
}

type Bound<Distance> = 'unbounded' | 'current' | Distance;

function boundFrom<Distance>(
  value: Value | undefined,
  scope: Scope,
  distance: (value: Value | undefined) => Distance,
): Bound<Distance> {
  if (typeof value === 'string') {
    if (value === 'unbounded' || value === 'current') return value;
    throw failedToParse("Window bounds must be 'unbounded', 'current', or a number.");
  }
  const constant = constantOf(expressionOf(value!, scope));
  if (!constant) throw failedToParse('Window bounds expression must be a constant.');
  return distance(constant.value);
}

function pairFrom(value: Value): [Value, Value] {
  if (!Array.isArray(value) || value.length !== 2)
    throw failedToParse(`Window bounds must be a 2-element array: ${show(value)}`);
  return value as [Value, Value];
}

function checkForward(lower: Bound<Numeric>, upper: Bound<Numeric>): void {
  const [from, to] = [lower, upper].map((bound) => (bound === 'current' ? new Int32(0) : bound));
  if (isNumber(from) && isNumber(to) && compare(from, to) > 0)
    throw location(5_339_900, `Lower bound must not exceed upper bound: [${show(from)}, ${show(to)}]`);
}

/** All rows of the partition. */
export const wholePartition: Bounds = {
  frames: ({ docs }) => {
    const all: Frame = [0, docs.length - 1];
    return () => all;
  },
  isFromStart: true,
};

/** @throws StoreError `FailedToParse` for what is no window, and 5339901 and its kin for what the order does not allow */
export function boundsFrom(window: Value | undefined, sortBy: SortBy | null, scope: Scope): Bounds {
  if (window === undefined) return wholePartition;
  if (!(window instanceof Map)) throw failedToParse("'window' field must be an object");
  const documents = window.get('documents');
  const range = window.get('range');
  const unit = window.get('unit');
  if (documents !== undefined && range !== undefined)
    throw failedToParse("Window bounds can specify either 'documents' or 'range', not both.");
  if (range === undefined && unit !== undefined)
    throw failedToParse("Window bounds can only specify 'unit' with range-based bounds.");
  for (const name of window.keys())
    if (!['documents', 'range', 'unit'].includes(name))
      throw failedToParse(
        "'window' field can only contain 'documents' as the only argument or 'range' with an optional 'unit' field",
      );
  if (documents !== undefined) return byDocuments(documents, sortBy, scope);
  return range === undefined ? wholePartition : byRange(range, unit, sortBy, scope);
}

function byDocuments(given: Value, sortBy: SortBy | null, scope: Scope): Bounds {
  const rows = (value: Value | undefined): Numeric => {
    const whole = isNumber(value) ? toInteger(value) : null;
    if (whole === null || whole >= 2n ** 31n || whole < -(2n ** 31n))
      throw failedToParse('Numeric document-based bounds must be an integer');
    return value as Numeric;
  };
  const [lower, upper] = pairFrom(given).map((one) => boundFrom(one, scope, rows)) as [
    Bound<Numeric>,
    Bound<Numeric>,
  ];
  checkForward(lower, upper);
  if (!sortBy && !(lower === 'unbounded' && upper === 'unbounded'))
    throw location(5_339_901, 'Document-based bounds require a sortBy');
  const [from, to] = [lower, upper].map((bound) =>
    bound === 'unbounded' ? null : bound === 'current' ? 0 : toDouble(bound),
  ) as [number | null, number | null];
  return {
    frames:
      ({ docs }) =>
      (at) => {
        const first = from === null ? 0 : Math.max(0, at + from);
        const last = to === null ? docs.length - 1 : Math.min(docs.length - 1, at + to);
        return first <= last ? [first, last] : null;
      },
    isFromStart: lower === 'unbounded',
  };
}

function byRange(given: Value, unit: Value | undefined, sortBy: SortBy | null, scope: Scope): Bounds {
  if (unit !== undefined && typeof unit !== 'string') throw failedToParse("'unit' must be a string");
  // Asked once for what is no unit.
  if (unit !== undefined) moved(0, unit, 1, utc, 'window');
  const distance = (value: Value | undefined): Numeric => {
    if (unit !== undefined && (!isNumber(value) || toInteger(value) === null))
      throw failedToParse("With 'unit', range-based bounds must be an integer");
    if (!isNumber(value)) throw failedToParse('Range-based bounds expression must be a number');
    return value;
  };
  const [lower, upper] = pairFrom(given).map((one) => boundFrom(one, scope, distance)) as [
    Bound<Numeric>,
    Bound<Numeric>,
  ];
  checkForward(lower, upper);
  if (sortBy?.parts.length !== 1)
    throw location(5_339_902, 'Range-based bounds require sortBy a single field');
  if (!sortBy.parts[0]!.isAscending)
    throw location(8_947_401, 'Range-based bounds require an ascending sortBy');
  return { frames: (partition) => rangeFrames(partition, lower, upper, unit), isFromStart: false };
}

const utc = () => 0;

function checkBase(base: Value | undefined, unit: string | undefined): void {
  if (unit !== undefined) {
    if (!(base instanceof Date))
      throw location(
        5_429_513,
        `Invalid range: Expected the sortBy field to be a Date, but it was ${typeName(base)}`,
      );
    return;
  }
  if (base instanceof Date)
    throw location(
      5_429_413,
      'Invalid range: For windows that involve date or time ranges, a unit must be provided.',
    );
  if (!isNumber(base))
    throw location(
      5_429_414,
      `Invalid range: Expected the sortBy field to be a number, but it was ${typeName(base)}`,
    );
}

/** Both ends only ever move on, as the rows are in order. */
function rangeFrames(
  { docs, sortValue }: Partition,
  lower: Bound<Numeric>,
  upper: Bound<Numeric>,
  unit: string | undefined,
): (at: number) => Frame {
  const isRanged = (value: Value | undefined): boolean =>
    unit === undefined ? isNumber(value) : value instanceof Date;
  const shifted = (base: Value, by: Numeric): Value =>
    unit === undefined
      ? format(addDecimals(toDecimal(base as Numeric), toDecimal(by)))
      : moved((base as Date).getTime(), unit, toDouble(by), utc, 'window');
  let first = 0;
  let last = 0;

  function lowerEnd(at: number, base: Value): number | null {
    if (lower === 'current') return at;
    if (lower === 'unbounded') while (first < docs.length && !isRanged(sortValue(first))) first += 1;
    else {
      const threshold = shifted(base, lower);
      while (first < docs.length && compare(sortValue(first), threshold) < 0) first += 1;
    }
    return first < docs.length && isRanged(sortValue(first)) ? first : null;
  }

  function upperEnd(at: number, base: Value): number {
    if (upper === 'current') return at;
    const threshold = upper === 'unbounded' ? null : shifted(base, upper);
    while (
      last < docs.length &&
      (!isRanged(sortValue(last))
        ? last <= at
        : threshold === null || compare(sortValue(last), threshold) <= 0)
    )
      last += 1;
    return last - 1;
  }

  return (at) => {
    const base = sortValue(at);
    checkBase(base, unit);
    const from = lowerEnd(at, base!);
    const to = upperEnd(at, base!);
    return from !== null && from <= to ? [from, to] : null;
  };
}
