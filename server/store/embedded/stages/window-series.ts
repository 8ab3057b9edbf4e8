import { Decimal128, Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location, typeMismatch } from '../errors.js';
import type { Expression } from '../expressions/compile.js';
import { constantOf, isNullish } from '../expressions/expression.js';
import { compileSort } from '../query/sort.js';
import { compare, equals, typeName } from '../values/compare.js';
import {
  addDecimals,
  type Decimal,
  divideDecimals,
  format,
  fromInteger,
  multiplyDecimals,
  negated,
  toNumber,
} from '../values/decimal.js';
import {
  add,
  divide,
  isNumber,
  multiply,
  type Numeric,
  subtract,
  toDecimal,
  toDouble,
  toInteger,
} from '../values/numbers.js';
import { show } from '../values/show.js';
import { expressionOf } from './stage.js';
import type { SortBy, WindowCall, WindowMaker } from './window-partition.js';

/** Window functions that go through a partition from its beginning, whatever window: places, and gaps that are filled. */

function refuseWindow({ name, window }: WindowCall): void {
  if (window !== undefined) throw failedToParse(`'window' field is not allowed in ${name}`);
}

function singleSort({ name, sortBy }: WindowCall, code: number): SortBy {
  if (sortBy?.parts.length !== 1)
    throw location(
      code,
      `${name} must be specified with a top level sortBy expression with exactly one element`,
    );
  return sortBy;
}

/** Places by the order; `next` tells the place of a row that is not as the one before, and of one that is. */
const ranking =
  (next: (place: bigint, at: number, isSame: boolean) => bigint): WindowMaker =>
  (call) => {
    const { argument, name, scope, window } = call;
    if (window !== undefined)
      throw location(5_371_601, 'Rank style window functions take no other arguments');
    if (!(argument instanceof Map) || argument.size > 0)
      throw location(5_371_603, `${name} must be specified with '{}' as the value`);
    const { isAscending } = singleSort(call, 5_371_602).parts[0]!;
    // Two rows are at the same place when the order does not tell them apart: an array goes by one of its elements.
    const order = compileSort(new Map([['v', new Int32(isAscending ? 1 : -1)]]), scope.context.collate);
    const keyed = (value: Value | undefined): Doc => new Map(value === undefined ? [] : [['v', value]]);
    return ({ sortValue }) => {
      let place = 0n;
      return (at) => {
        const isSame = at > 0 && order(keyed(sortValue(at - 1)), keyed(sortValue(at))) === 0;
        place = next(place, at, isSame);
        return place;
      };
    };
  };

export const rank = ranking((place, at, isSame) => (isSame ? place : BigInt(at + 1)));
export const denseRank = ranking((place, _at, isSame) => (isSame ? place : place + 1n));
export const documentNumber = ranking((_place, at) => BigInt(at + 1));

interface Shift {
  output: Expression;
  by: number;
  otherwise: Value;
}

function shiftFrom({ argument, name, scope, sortBy, window }: WindowCall): Shift {
  if (window !== undefined) throw failedToParse("$shift does not accept a 'window' field");
  if (!(argument instanceof Map)) throw failedToParse('Argument to $shift must be an object');
  for (const field of argument.keys())
    if (!['output', 'by', 'default'].includes(field)) throw failedToParse(`Unknown argument in ${name}`);
  const [output, by, given] = ['output', 'by', 'default'].map((field) => argument.get(field));
  if (output === undefined) throw failedToParse(`${name} requires an 'output' expression.`);
  if (by === undefined) throw failedToParse(`${name} requires 'by' as an integer value.`);
  const rows = isNumber(by) ? toInteger(by) : null;
  if (rows === null || rows >= 2n ** 31n || rows < -(2n ** 31n))
    throw failedToParse(`'$shift:by' field must be an integer, but found by: ${show(by)}`);
  const otherwise = given === undefined ? { value: null } : constantOf(expressionOf(given, scope));
  if (!otherwise) throw failedToParse("'$shift:default' expression must yield a constant value.");
  if (!sortBy) throw failedToParse(`'${name}' requires a sortBy`);
  return { output: expressionOf(output, scope), by: Number(rows), otherwise: otherwise.value ?? null };
}

export const shift: WindowMaker = (call) => {
  const { output, by, otherwise } = shiftFrom(call);
  return ({ docs }, variables) =>
    (at) => {
      const doc = docs[at + by];
      return doc ? (output(doc, variables) ?? null) : otherwise;
    };
};

/** The last value that there was. */
export const locf: WindowMaker = (call) => {
  refuseWindow(call);
  const input = expressionOf(call.argument, call.scope);
  return ({ docs }, variables) => {
    let last: Value = null;
    return (at) => {
      const value = input(docs[at]!, variables);
      if (!isNullish(value)) last = value;
      return last;
    };
  };
};

/** A point of what is drawn through the values there are. */
interface Point {
  x: Value;
  y: Numeric;
}

/** Distances between dates are milliseconds. */
const distance = (to: Value, from: Value): Numeric =>
  to instanceof Date && from instanceof Date
    ? BigInt(to.getTime() - from.getTime())
    : subtract(to as Numeric, from as Numeric);

const between = (left: Point, right: Point, x: Value): Value =>
  add(left.y, multiply(distance(x, left.x), divide(subtract(right.y, left.y), distance(right.x, left.x))));

export const linearFill: WindowMaker = (call) => {
  refuseWindow(call);
  const { argument, scope } = call;
  const input = expressionOf(argument, scope);
  singleSort(call, 605_001);
  return ({ docs, sortValue }, variables) => {
    let before: Point | null = null;
    let after: Point | null = null;
    let ahead = 0;

    function pointAt(at: number): Point | null {
      const y = input(docs[at]!, variables);
      if (isNullish(y)) return null;
      if (!isNumber(y))
        throw typeMismatch(`Value to be filled must be numeric or nullish, but found ${typeName(y)}`);
      return { x: sortValue(at) ?? null, y };
    }

    function pointAfter(at: number): Point | null {
      if (ahead > at) return after;
      after = null;
      for (ahead = at + 1; ahead < docs.length; ahead += 1) {
        after = pointAt(ahead);
        if (after) return after;
      }
      return null;
    }

    return (at) => {
      const x = sortValue(at);
      checkPlace(x, at === 0 ? undefined : sortValue(at - 1));
      const point = pointAt(at);
      if (point) {
        before = point;
        return point.y;
      }
      const next = before && pointAfter(at);
      return next ? between(before!, next, x!) : null;
    };
  };
};

function checkPlace(x: Value | undefined, last: Value | undefined): void {
  if (!isNumber(x) && !(x instanceof Date))
    throw typeMismatch(`Value of the sortBy field must be numeric or a date, but found ${typeName(x)}`);
  if (last === undefined) return;
  if (equals(x, last)) throw location(6_050_106, 'There can be no repeated values in the sort field');
  if (x instanceof Date !== last instanceof Date)
    throw typeMismatch(
      `Conflicting sort value types, previously received type ${typeName(last)}, but found ${typeName(x)}`,
    );
}

/** How much the newest value weighs. */
function weightFrom({ argument, sortBy }: WindowCall): { input: Value; weight: Decimal } {
  if (!(argument instanceof Map))
    throw failedToParse('$expMovingAvg must have exactly one argument that is an object');
  const [input, n, alpha] = ['input', 'N', 'alpha'].map((field) => argument.get(field));
  if (argument.size !== 2 || input === undefined || (n === undefined && alpha === undefined))
    throw failedToParse(
      "$expMovingAvg sub object must have exactly two fields: An 'input' field, and either an 'N' field or an 'alpha' field",
    );
  if (!sortBy) throw failedToParse("$expMovingAvg requires an explicit 'sortBy'");
  if (n !== undefined) {
    if (!isNumber(n)) throw failedToParse(`'N' field must be an integer, but found type ${typeName(n)}`);
    const whole = toInteger(n);
    if (whole === null)
      throw failedToParse(
        `'N' field must be an integer, but found ${show(n)}. To use a non-integer, use the 'alpha' argument instead`,
      );
    if (whole <= 0n) throw failedToParse(`'N' must be greater than zero. Got ${whole}`);
    return { input, weight: divideDecimals(fromInteger(2n), fromInteger(whole + 1n)) };
  }
  if (!isNumber(alpha)) throw failedToParse("'alpha' must be a number");
  if (!(toDouble(alpha) > 0 && compare(alpha, 1) < 0))
    throw failedToParse(`'alpha' must be between 0 and 1 (exclusive), found alpha: ${show(alpha)}`);
  return { input, weight: toDecimal(alpha) };
}

export const expMovingAvg: WindowMaker = (call) => {
  const { window } = call;
  const { input: given, weight } = weightFrom(call);
  if (window !== undefined)
    throw failedToParse('$expMovingAvg must have exactly one argument that is an object');
  const input = expressionOf(given, call.scope);
  const rest = addDecimals(fromInteger(1n), negated(weight));
  return ({ docs }, variables) => {
    let average: Decimal | null = null;
    let isDecimal = false;
    return (at) => {
      const value = input(docs[at]!, variables);
      if (isNumber(value)) {
        isDecimal ||= value instanceof Decimal128;
        const number = toDecimal(value);
        average = average
          ? addDecimals(multiplyDecimals(number, weight), multiplyDecimals(average, rest))
          : number;
      }
      if (!average) return null;
      return isDecimal ? format(average) : toNumber(average);
    };
  };
};
