import { Decimal128, Int32 } from 'bson';
import type { Value } from '../bson/types.js';
import { location, StoreError, typeMismatch } from '../errors.js';
import { typeName } from '../values/compare.js';
import * as decimal from '../values/decimal.js';
import {
  add,
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
import { isNullish, type Operator } from './expression.js';
import { binary, ranged, unary, untilNull } from './operands.js';

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

const isZero = (value: Numeric): boolean => toDouble(value) === 0;

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

/** Through doubles, except that a decimal stays one. */
const viaDouble = (compute: (value: number) => number): Operator =>
  numeric((value) =>
    value instanceof Decimal128
      ? Decimal128.fromString(compute(toDouble(value)).toPrecision(15))
      : compute(toDouble(value)),
  );

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
  if (isZero(left) && toDouble(right) < 0)
    throw location(28764, '$pow cannot take a base of 0 and a negative exponent');
  const areWhole =
    !(left instanceof Decimal128) &&
    !(right instanceof Decimal128) &&
    typeof left !== 'number' &&
    typeof right !== 'number';
  const exponent = toInteger(right);
  if (areWhole && exponent !== null && exponent >= 0n && exponent < 64n) {
    const result = toInteger(left)! ** exponent;
    if (isLong(result)) {
      const isSmall =
        left instanceof Int32 && right instanceof Int32 && result >= -(2n ** 31n) && result < 2n ** 31n;
      return isSmall ? new Int32(Number(result)) : result;
    }
  }
  const result = toDouble(left) ** toDouble(right);
  return left instanceof Decimal128 || right instanceof Decimal128
    ? Decimal128.fromString(result.toPrecision(15))
    : result;
}

const positive = (code: number, compute: (value: number) => number, least: number): Operator =>
  numeric((value) => {
    const double = toDouble(value);
    if (double < least || (least === Number.MIN_VALUE && double === 0))
      throw location(
        code,
        `argument must be ${least === 0 ? 'greater than or equal to 0' : 'a positive number'}, but is ${double}`,
      );
    return value instanceof Decimal128
      ? Decimal128.fromString(compute(double).toPrecision(15))
      : compute(double);
  });

function logarithm(value: Evaluated, base: Evaluated): Evaluated {
  if (isNullish(value) || isNullish(base)) return null;
  if (!isNumber(value)) throw location(28756, `$log's argument must be numeric, not ${typeName(value)}`);
  if (!isNumber(base)) throw location(28757, `$log's base must be numeric, not ${typeName(base)}`);
  if (!(toDouble(value) > 0))
    throw location(28758, `$log's argument must be a positive number, but is ${toDouble(value)}`);
  if (!(toDouble(base) > 0) || toDouble(base) === 1)
    throw location(28759, `$log's base must be a positive number not equal to 1, but is ${toDouble(base)}`);
  return Math.log(toDouble(value)) / Math.log(toDouble(base));
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

const degrees = 180 / Math.PI;

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
  $sqrt: positive(28714, Math.sqrt, 0),
  $exp: viaDouble(Math.exp),
  $ln: positive(28766, Math.log, Number.MIN_VALUE),
  $log: binary(logarithm),
  $log10: positive(28761, Math.log10, Number.MIN_VALUE),
  $sin: viaDouble(Math.sin),
  $cos: viaDouble(Math.cos),
  $tan: viaDouble(Math.tan),
  $asin: viaDouble(Math.asin),
  $acos: viaDouble(Math.acos),
  $atan: viaDouble(Math.atan),
  $atan2: binary((left, right) => {
    if (isNullish(left) || isNullish(right)) return null;
    if (!isNumber(left) || !isNumber(right)) throw location(51044, '$atan2 only supports numeric types');
    return Math.atan2(toDouble(left), toDouble(right));
  }),
  $sinh: viaDouble(Math.sinh),
  $cosh: viaDouble(Math.cosh),
  $tanh: viaDouble(Math.tanh),
  $asinh: viaDouble(Math.asinh),
  $acosh: viaDouble(Math.acosh),
  $atanh: viaDouble(Math.atanh),
  $degreesToRadians: viaDouble((value) => value / degrees),
  $radiansToDegrees: viaDouble((value) => value * degrees),
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
