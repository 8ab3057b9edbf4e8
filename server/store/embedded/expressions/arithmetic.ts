import { Decimal128, Int32 } from 'bson';
import type { Value } from '../bson/types.js';
import { location, StoreError, typeMismatch } from '../errors.js';
import { typeName } from '../values/compare.js';
import type { Decimal } from '../values/decimal.js';
import * as decimal from '../values/decimal.js';
import {
  add,
  compareNumbers,
  divide,
  isLong,
  isNumber,
  mod,
  multiply,
  type Numeric,
  subtract,
  toDecimal,
  toDouble,
  toInteger,
} from '../values/numbers.js';
import * as angles from './decimal-angles.js';
import * as functions from './decimal-functions.js';
import { isNullish, type Operator } from './expression.js';
import { binary, ranged, unary, untilNull } from './operands.js';
import { textOf } from './text.js';

/** Numbers: results are of the wider operand's type, and of the next one when they do not fit. */

type Evaluated = Value | undefined;

/** A date moved by milliseconds. */
function moved(date: Date, by: Numeric): Date {
  const time = date.getTime() + Math.round(toDouble(by));
  if (!(Math.abs(time) <= 8.64e15)) throw new StoreError(15, 'Overflow', 'date overflow');
  return new Date(time);
}

function sum(values: Value[]): Value {
  let date: Date | null = null;
  let total: Numeric = new Int32(0);
  for (const value of values) {
    if (value instanceof Date) {
      if (date) throw location(16612, 'only one date allowed in an $add expression');
      date = value;
    } else total = add(total, value as Numeric);
  }
  return date ? moved(date, total) : total;
}

function difference(left: Evaluated, right: Evaluated): Evaluated {
  if (isNullish(left) || isNullish(right)) return null;
  if (left instanceof Date && right instanceof Date) return BigInt(left.getTime() - right.getTime());
  if (left instanceof Date && isNumber(right)) return moved(left, subtract(new Int32(0), right));
  if (isNumber(left) && isNumber(right)) return subtract(left, right);
  throw location(16556, `can't $subtract ${typeName(right)} from ${typeName(left)}`);
}

function checkAddable(value: Value): void {
  if (!isNumber(value) && !(value instanceof Date))
    throw typeMismatch(`$add only supports numeric or date types, not ${typeName(value)}`);
}

function checkFactor(value: Value): void {
  if (!isNumber(value)) throw typeMismatch(`$multiply only supports numeric types, not ${typeName(value)}`);
}

const isZero = (value: Numeric): boolean => compareNumbers(value, 0) === 0;

function quotient(left: Evaluated, right: Evaluated): Evaluated {
  if (isNullish(left) || isNullish(right)) return null;
  if (!isNumber(left) || !isNumber(right))
    throw typeMismatch(`$divide only supports numeric types, not ${typeName(left)} and ${typeName(right)}`);
  if (isZero(right)) throw new StoreError(2, 'BadValue', "can't $divide by zero");
  return divide(left, right);
}

function rest(left: Evaluated, right: Evaluated): Evaluated {
  if (isNullish(left) || isNullish(right)) return null;
  if (!isNumber(left) || !isNumber(right))
    throw location(16611, `$mod only supports numeric types, not ${typeName(left)} and ${typeName(right)}`);
  if (isZero(right)) throw location(16610, "can't $mod by zero");
  return mod(left, right);
}

/** An operator on one number; null for what is not there. */
const numeric = (evaluate: (value: Numeric) => Value): Operator =>
  unary((value, name) => {
    if (isNullish(value)) return null;
    if (!isNumber(value))
      throw location(28765, `${name} only supports numeric types, not ${typeName(value)}`);
    return evaluate(value);
  });

/** A function of doubles and of decimals: whole numbers are doubles to it. */
const real = (ofDouble: (value: number) => number, ofDecimal: (value: Decimal) => Decimal): Operator =>
  numeric((value) => both(value, ofDouble, ofDecimal));

const both = (
  value: Numeric,
  ofDouble: (value: number) => number,
  ofDecimal: (value: Decimal) => Decimal,
): Value =>
  value instanceof Decimal128 ? decimal.format(ofDecimal(decimal.parse(value))) : ofDouble(toDouble(value));

interface Bounds {
  shown: string;
  holds(value: Numeric): boolean;
}

const finite: Bounds = { shown: '(-inf,inf)', holds: (value) => Number.isFinite(signOf(value)) };
const unit: Bounds = {
  shown: '[-1,1]',
  holds: (value) => compareNumbers(value, -1) >= 0 && compareNumbers(value, 1) <= 0,
};
const fromOne: Bounds = { shown: '[1,inf]', holds: (value) => compareNumbers(value, 1) >= 0 };

/** Infinite only where the number itself is: the double of a great decimal is infinite too. */
function signOf(value: Numeric): number {
  if (!(value instanceof Decimal128)) return toDouble(value);
  const parsed = decimal.parse(value);
  return parsed.kind === 'finite' ? 0 : Number.POSITIVE_INFINITY;
}

const isNaNumber = (value: Numeric): boolean => Number.isNaN(toDouble(value));

/** The same, within bounds; what is no number stays none. */
const bounded = (
  bounds: Bounds,
  ofDouble: (value: number) => number,
  ofDecimal: (value: Decimal) => Decimal,
): Operator =>
  unary((value, name) => {
    if (isNullish(value)) return null;
    if (!isNumber(value))
      throw location(28765, `${name} only supports numeric types, not ${typeName(value)}`);
    if (!isNaNumber(value) && !bounds.holds(value))
      throw location(50989, `cannot apply ${name} to ${textOf(value)}, value must be in ${bounds.shown}`);
    return both(value, ofDouble, ofDecimal);
  });

const absolute = numeric((value) => {
  if (value instanceof Decimal128) {
    const parsed = decimal.parse(value);
    return parsed.kind === 'nan' ? value : decimal.format({ ...parsed, negative: false });
  }
  if (typeof value === 'number') return Math.abs(value);
  if (value === -(2n ** 63n)) throw location(28680, "can't take $abs of long long min");
  return toDouble(value) < 0 ? subtract(new Int32(0), value) : value;
});

const whole = (mode: 'floor' | 'ceil'): Operator =>
  numeric((value) => {
    if (value instanceof Decimal128)
      return decimal.format(decimal.roundDecimal(decimal.parse(value), 0, mode));
    return typeof value === 'number' ? Math[mode](value) : value;
  });

function rounded(value: Evaluated, places: Evaluated, name: string, mode: 'even' | 'cut'): Evaluated {
  if (isNullish(value) || (places !== undefined && isNullish(places))) return null;
  if (!isNumber(value)) throw location(51081, `${name} only supports numeric types, not ${typeName(value)}`);
  const precision = places === undefined ? 0n : toInteger(places);
  if (precision === null) throw location(51082, `precision argument to ${name} must be an integral value`);
  if (precision < -20n || precision > 100n)
    throw location(
      51083,
      `cannot apply ${name} with precision value ${precision} value must be in [-20, 100]`,
    );
  const at = Number(precision);
  if (value instanceof Decimal128)
    return decimal.format(decimal.roundDecimal(decimal.parse(value), at, mode));
  if (typeof value !== 'number') {
    if (at >= 0) return value;
    const result = decimal.wholeOf(decimal.roundDecimal(toDecimal(value), at, mode)) ?? 0n;
    if (!isLong(result)) throw location(51080, 'invalid conversion: the result does not fit into 64 bits');
    return value instanceof Int32 && result >= -(2n ** 31n) && result < 2n ** 31n
      ? new Int32(Number(result))
      : result;
  }
  if (!Number.isFinite(value) || Object.is(value, -0)) return value;
  return decimal.toNumber(decimal.roundDecimal(decimal.fromDoubleExactly(value), at, mode));
}

function power(left: Evaluated, right: Evaluated): Evaluated {
  if (isNullish(left) || isNullish(right)) return null;
  if (!isNumber(left)) throw location(28762, `$pow's base must be numeric, not ${typeName(left)}`);
  if (!isNumber(right)) throw location(28763, `$pow's exponent must be numeric, not ${typeName(right)}`);
  if (isZero(left) && compareNumbers(right, 0) < 0 && !isNaNumber(right))
    throw location(28764, '$pow cannot take a base of 0 and a negative exponent');
  if (left instanceof Decimal128 || right instanceof Decimal128)
    return decimal.format(functions.power(toDecimal(left), toDecimal(right)));
  if (typeof left === 'number' || typeof right === 'number') return toDouble(left) ** toDouble(right);
  const result = wholePower(toInteger(left)!, toInteger(right)!);
  if (result === null || !isLong(result)) return toDouble(left) ** toDouble(right);
  const isSmall =
    left instanceof Int32 && right instanceof Int32 && result >= -(2n ** 31n) && result < 2n ** 31n;
  return isSmall ? new Int32(Number(result)) : result;
}

/** Null where it is no whole number, or has more than 64 bits. */
function wholePower(base: bigint, exponent: bigint): bigint | null {
  if (base === 1n) return 1n;
  if (base === -1n) return exponent % 2n === 0n ? 1n : -1n;
  if (exponent < 0n) return null;
  if (base === 0n) return exponent === 0n ? 1n : 0n;
  return exponent < 64n ? base ** exponent : null;
}

/** Of numbers above zero, or, where zero `isIn`, from there. */
const positive = (
  code: number,
  isIn: boolean,
  ofDouble: (value: number) => number,
  ofDecimal: (value: Decimal) => Decimal,
): Operator =>
  numeric((value) => {
    const order = compareNumbers(value, 0);
    if (!isNaNumber(value) && (order < 0 || (order === 0 && !isIn)))
      throw location(
        code,
        `argument must be ${isIn ? 'greater than or equal to 0' : 'a positive number'}, but is ${textOf(value)}`,
      );
    return both(value, ofDouble, ofDecimal);
  });

function logarithm(value: Evaluated, base: Evaluated): Evaluated {
  if (isNullish(value) || isNullish(base)) return null;
  if (!isNumber(value)) throw location(28756, `$log's argument must be numeric, not ${typeName(value)}`);
  if (!isNumber(base)) throw location(28757, `$log's base must be numeric, not ${typeName(base)}`);
  if (!isNaNumber(value) && compareNumbers(value, 0) <= 0)
    throw location(28758, `$log's argument must be a positive number, but is ${textOf(value)}`);
  if (!isNaNumber(base) && (compareNumbers(base, 0) <= 0 || compareNumbers(base, 1) === 0))
    throw location(28759, `$log's base must be a positive number not equal to 1, but is ${textOf(base)}`);
  if (value instanceof Decimal128 || base instanceof Decimal128) {
    const rounded = (one: Decimal) => decimal.parse(decimal.format(one));
    return decimal.format(functions.logarithm(toDecimal(value), toDecimal(base), rounded));
  }
  return Math.log(toDouble(value)) / Math.log(toDouble(base));
}

function angleOf(y: Evaluated, x: Evaluated): Evaluated {
  if (isNullish(y) || isNullish(x)) return null;
  for (const value of [y, x])
    if (!isNumber(value)) throw location(51044, `$atan2 only supports numeric types, not ${typeName(value)}`);
  const [a, b] = [y as Numeric, x as Numeric];
  if (a instanceof Decimal128 || b instanceof Decimal128)
    return decimal.format(angles.arctangent2(toDecimal(a), toDecimal(b)));
  return Math.atan2(toDouble(a), toDouble(b));
}

const bitwise = (name: string, combine: (left: bigint, right: bigint) => bigint, start: bigint): Operator =>
  untilNull(
    (value) => {
      if (!(value instanceof Int32) && typeof value !== 'bigint')
        throw typeMismatch(`${name} only supports int and long operands, not ${typeName(value)}`);
    },
    (values) => {
      const result = values.reduce<bigint>((so, value) => combine(so, toInteger(value)!), start);
      return values.some((value) => typeof value === 'bigint')
        ? BigInt.asIntN(64, result)
        : new Int32(Number(BigInt.asIntN(32, result)));
    },
  );

export const arithmetic: Record<string, Operator> = {
  $add: untilNull(checkAddable, sum),
  $subtract: binary(difference),
  $multiply: untilNull(checkFactor, (values) =>
    (values as Numeric[]).reduce<Numeric>(multiply, new Int32(1)),
  ),
  $divide: binary(quotient),
  $mod: binary(rest),
  $abs: absolute,
  $ceil: whole('ceil'),
  $floor: whole('floor'),
  $round: ranged(1, 2, ([value, places], name) => rounded(value, places, name, 'even')),
  $trunc: ranged(1, 2, ([value, places], name) => rounded(value, places, name, 'cut')),
  $pow: binary(power),
  $sqrt: positive(28714, true, Math.sqrt, functions.squareRoot),
  $exp: real(Math.exp, functions.exponential),
  $ln: positive(28766, false, Math.log, functions.naturalLogarithm),
  $log: binary(logarithm),
  $log10: positive(28761, false, Math.log10, functions.commonLogarithm),
  $sin: bounded(finite, Math.sin, angles.sine),
  $cos: bounded(finite, Math.cos, angles.cosine),
  $tan: bounded(finite, Math.tan, angles.tangent),
  $asin: bounded(unit, Math.asin, angles.arcsine),
  $acos: bounded(unit, Math.acos, angles.arccosine),
  $atan: real(Math.atan, angles.arctangent),
  $atan2: binary(angleOf),
  $sinh: real(Math.sinh, angles.hyperbolicSine),
  $cosh: real(Math.cosh, angles.hyperbolicCosine),
  $tanh: real(Math.tanh, angles.hyperbolicTangent),
  $asinh: real(Math.asinh, angles.hyperbolicArcsine),
  $acosh: bounded(fromOne, Math.acosh, angles.hyperbolicArccosine),
  $atanh: bounded(unit, Math.atanh, angles.hyperbolicArctangent),
  $degreesToRadians: real((value) => value * (Math.PI / 180), angles.radians),
  $radiansToDegrees: real((value) => value * (180 / Math.PI), angles.degrees),
  // Written `{$rand: {}}`; never the same twice, so never worked out beforehand.
  $rand: () => () => Math.random(),
  $bitAnd: bitwise('$bitAnd', (left, right) => left & right, -1n),
  $bitOr: bitwise('$bitOr', (left, right) => left | right, 0n),
  $bitXor: bitwise('$bitXor', (left, right) => left ^ right, 0n),
  $bitNot: unary((value, name) => {
    if (isNullish(value)) return null;
    if (value instanceof Int32) return new Int32(~value.value);
    if (typeof value === 'bigint') return BigInt.asIntN(64, ~value);
    throw typeMismatch(`${name} only supports int and long, not ${typeName(value)}`);
  }),
};
