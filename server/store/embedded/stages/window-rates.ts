import { Decimal128, Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location } from '../errors.js';
import type { Expression } from '../expressions/compile.js';
import { moved } from '../expressions/date-units.js';
import { isNullish } from '../expressions/expression.js';
import { typeName } from '../values/compare.js';
import { format } from '../values/decimal.js';
import {
  add,
  divide,
  isNumber,
  multiply,
  type Numeric,
  subtract,
  toDecimal,
  toDouble,
} from '../values/numbers.js';
import { show } from '../values/show.js';
import { expressionOf } from './stage.js';
import { summing } from './sums.js';
import { type Bounds, boundsFrom } from './window-bounds.js';
import type { Partition, WindowCall, WindowMaker } from './window-partition.js';

/** Window functions of how values change and go together. */

interface Rate {
  input: Expression;
  /** The milliseconds of the unit that time is counted in; null where the order is by plain numbers. */
  unit: bigint | null;
}

const utc = () => 0;

function unitFrom(value: Value): bigint {
  if (typeof value !== 'string') throw failedToParse(`'unit' must be a string, but got ${typeName(value)}`);
  const length = moved(0, value, 1, utc, 'window function').getTime();
  if (['month', 'quarter', 'year'].includes(value))
    throw location(5_490_710, "unit must be 'week' or smaller");
  return BigInt(length);
}

function rateFrom({ argument, name, scope, sortBy }: WindowCall): Rate {
  if (!sortBy) throw failedToParse(`${name} requires a sortBy`);
  if (sortBy.parts.length !== 1) throw failedToParse(`${name} requires a non-compound sortBy`);
  if (!(argument instanceof Map))
    throw failedToParse(`${name} expects an object, but got a ${typeName(argument)}: ${show(argument)}`);
  for (const field of argument.keys())
    if (field !== 'input' && field !== 'unit')
      throw failedToParse(`${name} got unexpected argument: ${field}`);
  const [input, unit] = ['input', 'unit'].map((field) => argument.get(field));
  if (input === undefined) throw failedToParse(`${name} requires an 'input' expression`);
  return { input: expressionOf(input, scope), unit: unit === undefined ? null : unitFrom(unit) };
}

const difference = (to: Value, from: Value): Numeric =>
  to instanceof Date && from instanceof Date
    ? BigInt(to.getTime() - from.getTime())
    : subtract(to as Numeric, from as Numeric);

function checkRun(from: Value | undefined, to: Value | undefined, { unit }: Rate): void {
  if (unit !== null) {
    if (!(from instanceof Date && to instanceof Date))
      throw location(5_624_900, "$derivative with 'unit' expects the sortBy field to be a Date");
    return;
  }
  if (from instanceof Date || to instanceof Date)
    throw location(5_624_901, "$derivative where the sortBy is a Date requires an 'unit'");
  if (!isNumber(from) || !isNumber(to))
    throw location(5_624_902, "$derivative (with no 'unit') expects the sortBy field to be numeric");
}

/** How fast a value changes from the first row of the window to the last. */
export const derivative: WindowMaker = (call) => {
  const rate = rateFrom(call);
  if (call.window === undefined) throw failedToParse('$derivative requires explicit window bounds');
  const bounds = boundsFrom(call.window, call.sortBy, call.scope);
  return (partition, variables) => {
    const frameOf = bounds.frames(partition);
    const { docs, sortValue } = partition;
    return (at) => {
      const frame = frameOf(at);
      if (!frame) return null;
      const [first, last] = frame;
      const [from, to] = [sortValue(first), sortValue(last)];
      checkRun(from, to, rate);
      const [low, high] = [first, last].map((n) => rate.input(docs[n]!, variables));
      if (isNullish(low) || isNullish(high))
        throw location(5_624_903, '$derivative input must not be null or missing');
      if (!(isNumber(low) && isNumber(high)) && !(low instanceof Date && high instanceof Date))
        throw location(16556, `can't $subtract ${typeName(low)} from ${typeName(high)}`);
      const run = difference(to!, from!);
      if (toDouble(run) === 0) return null;
      const slope = divide(difference(high, low), run);
      return rate.unit === null ? slope : multiply(slope, rate.unit);
    };
  };
};

/** The area under the values of the window's rows, by trapezoids. */
export const integral: WindowMaker = (call) => {
  const rate = rateFrom(call);
  const bounds = boundsFrom(call.window, call.sortBy, call.scope);
  return (partition, variables) => {
    const { docs, sortValue } = partition;
    const frameOf = bounds.frames(partition);
    const points: Point[] = [];
    const pointAt = (at: number): Point => {
      points[at] ??= pointFrom(sortValue(at), rate.input(docs[at]!, variables), rate);
      return points[at];
    };
    let area = summing();
    let [from, to] = [0, 0];
    return (at) => {
      const frame = frameOf(at);
      if (!frame) return null;
      const [first, last] = frame;
      if (first > to) {
        area = summing();
        [from, to] = [first, first];
      }
      for (; from < first; from += 1) area.remove(trapezoid(pointAt(from), pointAt(from + 1)));
      for (; to < last; to += 1) area.add(trapezoid(pointAt(to), pointAt(to + 1)));
      pointAt(last);
      return rate.unit === null ? area.total() : divide(area.total(), rate.unit);
    };
  };
};

interface Point {
  x: Value;
  y: Numeric;
}

function pointFrom(x: Value | undefined, y: Value | undefined, { unit }: Rate): Point {
  if (!isNumber(y) || !(isNumber(x) || x instanceof Date))
    throw location(
      5_423_900,
      'The input value of $integral window function must be a vector of 2 value, the first value must be numeric or date type and the second must be numeric.',
    );
  if (unit !== null && !(x instanceof Date))
    throw location(5_423_901, "$integral with 'unit' expects the sortBy field to be a Date");
  if (unit === null && !isNumber(x))
    throw location(5_423_902, "$integral (with no 'unit') expects the sortBy field to be numeric");
  return { x, y };
}

function trapezoid(left: Point, right: Point): Numeric {
  return divide(multiply(add(right.y, left.y), difference(right.x, left.x)), 2);
}

/** Computes a value from each row's window, once for windows that follow each other and are the same. */
function overFrames(
  partition: Partition,
  bounds: Bounds,
  compute: (first: number, last: number) => Value,
): (at: number) => Value {
  const frameOf = bounds.frames(partition);
  let known: readonly [number, number] | null = null;
  let value: Value = null;
  return (at) => {
    const frame = frameOf(at);
    if (!frame) return null;
    if (known?.[0] !== frame[0] || known[1] !== frame[1]) {
      known = frame;
      value = compute(...frame);
    }
    return value;
  };
}

/** How two values of each row go together; rows that have no two numbers count for nothing. */
export const covariance =
  (isSample: boolean): WindowMaker =>
  ({ argument, scope, sortBy, window }) => {
    const input = expressionOf(argument, scope);
    const bounds = boundsFrom(window, sortBy, scope);
    return (partition, variables) => {
      const pairs: ([Numeric, Numeric] | null)[] = partition.docs.map((doc: Doc) =>
        pairFrom(input(doc, variables)),
      );
      return overFrames(partition, bounds, (first, last) =>
        covarianceOf(
          pairs.slice(first, last + 1).filter((pair) => pair !== null),
          isSample,
        ),
      );
    };
  };

function pairFrom(value: Value | undefined): [Numeric, Numeric] | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [x, y] = value;
  return isNumber(x) && isNumber(y) ? [x, y] : null;
}

function covarianceOf(pairs: readonly [Numeric, Numeric][], isSample: boolean): Value {
  const divisor = pairs.length - (isSample ? 1 : 0);
  if (divisor <= 0) return null;
  const isDecimal = pairs.some((pair) => pair.some((one) => one instanceof Decimal128));
  const widened = pairs.map((pair) =>
    pair.map((one) => (isDecimal ? format(toDecimal(one)) : toDouble(one))),
  ) as [Numeric, Numeric][];
  const zero: Numeric = isDecimal ? Decimal128.fromString('0') : 0;
  const mean = (side: 0 | 1) =>
    divide(
      widened.reduce<Numeric>((so, pair) => add(so, pair[side]), zero),
      new Int32(pairs.length),
    );
  const [meanX, meanY] = [mean(0), mean(1)];
  const sum = widened.reduce<Numeric>(
    (so, [x, y]) => add(so, multiply(subtract(x, meanX), subtract(y, meanY))),
    zero,
  );
  return divide(sum, new Int32(divisor));
}
