import { Decimal128, Int32 } from 'bson';
import type { Value } from '../bson/types.js';
import * as decimal from './decimal.js';

/**
 * Numbers of four types. A result is of the wider type of its two operands, and of the next wider one when it does not
 * fit: int, long, double; a decimal makes everything decimal.
 */
export type Numeric = number | bigint | Int32 | Decimal128;

export const isNumber = (value: Value | undefined): value is Numeric =>
  typeof value === 'number' ||
  typeof value === 'bigint' ||
  value instanceof Int32 ||
  value instanceof Decimal128;

const leastInt = -(2n ** 31n);
const mostInt = 2n ** 31n - 1n;
const leastLong = -(2n ** 63n);
const mostLong = 2n ** 63n - 1n;

export const isLong = (value: bigint): boolean => value >= leastLong && value <= mostLong;

export function toDouble(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Int32) return value.value;
  if (value instanceof Decimal128) return decimal.toNumber(decimal.parse(value));
  return Number.NaN;
}

/** The whole number a value is; null when it is none: 3.5, infinity, a text. */
export function toInteger(value: Value | undefined): bigint | null {
  if (typeof value === 'bigint') return value;
  if (value instanceof Int32) return BigInt(value.value);
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : null;
  if (value instanceof Decimal128) return decimal.wholeOf(decimal.parse(value));
  return null;
}

const whole = (value: bigint | Int32): bigint => (typeof value === 'bigint' ? value : BigInt(value.value));

export function toDecimal(value: Numeric): decimal.Decimal {
  if (value instanceof Decimal128) return decimal.parse(value);
  if (typeof value === 'number') return decimal.fromDouble(value);
  return decimal.fromInteger(whole(value));
}

const exact = (value: Numeric): decimal.Decimal =>
  typeof value === 'number' && Number.isFinite(value) ? decimal.fromDoubleExactly(value) : toDecimal(value);

/** MongoDB's order over numbers of all types: exact, NaN first, the two zeros equal. */
export function compareNumbers(left: Numeric, right: Numeric): number {
  if (left instanceof Int32 && right instanceof Int32) return left.value - right.value;
  if (left instanceof Decimal128 || right instanceof Decimal128)
    return decimal.compareDecimals(exact(left), exact(right));
  const a = left instanceof Int32 ? left.value : left;
  const b = right instanceof Int32 ? right.value : right;
  // JavaScript compares a bigint with a number exactly.
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

type WholePair = bigint | Int32;

function ofWhole(left: WholePair, right: WholePair, result: bigint): Numeric {
  if (left instanceof Int32 && right instanceof Int32 && result >= leastInt && result <= mostInt)
    return new Int32(Number(result));
  return isLong(result) ? result : Number(result);
}

interface Operation {
  whole(left: bigint, right: bigint): bigint;
  double(left: number, right: number): number;
  decimal(left: decimal.Decimal, right: decimal.Decimal): decimal.Decimal;
}

function compute(left: Numeric, right: Numeric, operation: Operation): Numeric {
  if (left instanceof Decimal128 || right instanceof Decimal128)
    return decimal.format(operation.decimal(toDecimal(left), toDecimal(right)));
  if (typeof left === 'number' || typeof right === 'number')
    return operation.double(toDouble(left), toDouble(right));
  return ofWhole(left, right, operation.whole(whole(left), whole(right)));
}

const addition: Operation = {
  whole: (left, right) => left + right,
  double: (left, right) => left + right,
  decimal: decimal.addDecimals,
};
const subtraction: Operation = {
  whole: (left, right) => left - right,
  double: (left, right) => left - right,
  decimal: (left, right) => decimal.addDecimals(left, decimal.negated(right)),
};
const multiplication: Operation = {
  whole: (left, right) => left * right,
  double: (left, right) => left * right,
  decimal: decimal.multiplyDecimals,
};

/** A sum that outgrows 64 bits becomes a double; who must not lose digits asks `isWhole` before. */
export const add = (left: Numeric, right: Numeric): Numeric => compute(left, right, addition);
export const subtract = (left: Numeric, right: Numeric): Numeric => compute(left, right, subtraction);
export const multiply = (left: Numeric, right: Numeric): Numeric => compute(left, right, multiplication);

/** A quotient: a double, or a decimal. The divisor is not zero: MongoDB's answer to that is its caller's. */
export function divide(left: Numeric, right: Numeric): Numeric {
  if (left instanceof Decimal128 || right instanceof Decimal128)
    return decimal.format(decimal.divideDecimals(toDecimal(left), toDecimal(right)));
  return toDouble(left) / toDouble(right);
}

/** The rest of a division that cuts towards zero. The divisor is not zero. */
export function mod(left: Numeric, right: Numeric): Numeric {
  if (left instanceof Decimal128 || right instanceof Decimal128)
    return decimal.format(decimal.modDecimals(toDecimal(left), toDecimal(right)));
  if (typeof left === 'number' || typeof right === 'number') return toDouble(left) % toDouble(right);
  return ofWhole(left, right, whole(left) % whole(right));
}
