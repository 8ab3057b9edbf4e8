import { Binary, Decimal128, Int32 } from 'bson';
import { type, type Value } from '../bson/types.js';
import { badValue, failedToParse, type StoreError, typeMismatch } from '../errors.js';
import { typeNumbers, typeOf } from '../values/compare.js';
import * as decimal from '../values/decimal.js';
import { isLong, isNumber, toDouble, toInteger } from '../values/numbers.js';
import { field, show } from '../values/show.js';
import type { Test } from './condition.js';

/** What operators are given, checked, and those that look at one value: `$type`, `$mod`, `$bits…`, `$size`. */

/** @throws StoreError `FailedToParse` for what is no whole number of 64 bits */
export function wholeNumber(name: string, operand: Value, fail: (message: string) => StoreError): bigint {
  if (!isNumber(operand)) throw fail(`Expected a number in: ${field(name, operand)}`);
  if (Number.isNaN(toDouble(operand)))
    throw fail(`Expected an integer, but found NaN in: ${field(name, operand)}`);
  if (!Number.isFinite(toDouble(operand)))
    throw fail(`Cannot represent as a 64-bit integer: ${field(name, operand)}`);
  const whole = toInteger(operand);
  if (whole === null) throw fail(`Expected an integer: ${field(name, operand)}`);
  if (!isLong(whole)) throw fail(`Cannot represent as a 64-bit integer: ${field(name, operand)}`);
  return whole;
}

function naturalNumber(name: string, operand: Value, fail: (message: string) => StoreError): bigint {
  const whole = wholeNumber(name, operand, fail);
  if (whole < 0n) throw fail(`Expected a non-negative number in: ${field(name, operand)}`);
  return whole;
}

const numbers: readonly number[] = [type.double, type.int, type.long, type.decimal];
const known = new Set(typeNumbers.values());

function typesOf(operand: Value): readonly number[] {
  if (operand === 'number') return numbers;
  if (typeof operand === 'string') {
    const found = typeNumbers.get(operand);
    if (found === undefined) throw badValue(`Unknown type name alias: ${operand}`);
    return [found];
  }
  if (!isNumber(operand)) throw typeMismatch('type must be represented as a number or a string');
  const code = toDouble(operand);
  if (code === 0)
    throw badValue(`Invalid numerical type code: ${show(operand)}. Instead use {$exists:false}.`);
  const number = code === -1 ? type.minKey : code === type.minKey ? -1 : code;
  if (!known.has(number)) throw badValue(`Invalid numerical type code: ${show(operand)}`);
  return [number];
}

export function typeTest(operand: Value): Test {
  const wanted = new Set((Array.isArray(operand) ? operand : [operand]).flatMap(typesOf));
  if (wanted.size === 0) throw failedToParse('$type must match at least one type');
  return (value) => value !== undefined && wanted.has(typeOf(value));
}

function modPart(operand: Value, name: string): bigint {
  if (!Number.isFinite(toDouble(operand)))
    throw badValue(
      `malformed mod, ${name} value is invalid :: caused by :: Unable to coerce NaN/Inf to integral type`,
    );
  const whole = truncated(operand);
  if (!isLong(whole))
    throw badValue(
      `malformed mod, ${name} value is invalid :: caused by :: Out of bounds coercing to integral value`,
    );
  return whole;
}

/** A number without its fraction. The number is finite. */
function truncated(value: Value): bigint {
  if (value instanceof Decimal128)
    return decimal.wholeOf(decimal.roundDecimal(decimal.parse(value), 0, 'cut')) ?? 2n ** 64n;
  return toInteger(value) ?? BigInt(Math.trunc(toDouble(value)));
}

const mostDouble = 2 ** 63;

export function modTest(operand: Value): Test {
  if (!Array.isArray(operand)) throw badValue('malformed mod, needs to be an array');
  const [first, second] = operand;
  if (first === undefined) throw badValue('malformed mod, not enough elements');
  if (!isNumber(first)) throw badValue('malformed mod, divisor not a number');
  if (second === undefined) throw badValue('malformed mod, not enough elements');
  if (!isNumber(second)) throw badValue('malformed mod, remainder not a number');
  if (operand.length > 2) throw badValue('malformed mod, too many elements');
  const divisor = modPart(first, 'divisor');
  const remainder = modPart(second, 'remainder');
  if (divisor === 0n) throw badValue('divisor cannot be 0');
  const [by, rest] = [Number(divisor), Number(remainder)];
  const isSafe = Number.isSafeInteger(by) && Number.isSafeInteger(rest);
  return (value) => {
    if (isSafe && value instanceof Int32) return value.value % by === rest;
    if (!isNumber(value)) return false;
    const double = toDouble(value);
    if (!Number.isFinite(double)) return false;
    if (typeof value === 'number' && (value >= mostDouble || value < -mostDouble)) return false;
    if (isSafe && typeof value === 'number') return Math.trunc(value) % by === rest;
    const whole = truncated(value);
    return isLong(whole) && whole % divisor === remainder;
  };
}

export function sizeOf(operand: Value): number {
  return Number(naturalNumber('$size', operand, (message) => badValue(`Failed to parse $size. ${message}`)));
}

/** A bit's place that an array of them names. */
function bitPlace(operand: Value, at: number): bigint {
  const shown = field(String(at), operand);
  if (!isNumber(operand)) throw badValue(`bit positions must be an integer but got: ${shown}`);
  if (Number.isNaN(toDouble(operand))) throw badValue(`bit positions cannot take a NaN: ${shown}`);
  const whole = toInteger(operand);
  if (Math.abs(toDouble(operand)) > 2 ** 31 - 1)
    throw badValue(`bit positions cannot be represented as a 32-bit signed integer: ${shown}`);
  if (whole === null) throw badValue(`bit positions must be an integer but got: ${shown}`);
  if (whole < 0n) throw badValue(`bit positions must be >= 0 but got: ${shown}`);
  return whole;
}

/** The bits that are asked about, as their places. */
function placesOf(name: string, operand: Value): bigint[] {
  if (Array.isArray(operand)) return operand.map(bitPlace);
  if (operand instanceof Binary) {
    const places: bigint[] = [];
    for (let at = 0; at < operand.position * 8; at += 1)
      if ((operand.buffer[at >> 3]! >> (at & 7)) & 1) places.push(BigInt(at));
    return places;
  }
  if (!isNumber(operand))
    throw badValue(`${name} takes an Array, a number, or a BinData but received: ${field(name, operand)}`);
  const mask = naturalNumber(name, operand, failedToParse);
  const places: bigint[] = [];
  for (let at = 0n; mask >> at > 0n; at += 1n) if ((mask >> at) & 1n) places.push(at);
  return places;
}

function bitOf(value: Value | undefined): ((place: bigint) => boolean) | null {
  if (value instanceof Binary)
    return (place) => {
      const at = Number(place);
      return at < value.position * 8 && ((value.buffer[at >> 3]! >> (at & 7)) & 1) === 1;
    };
  const whole = isNumber(value) ? toInteger(value) : null;
  if (whole === null || !isLong(whole)) return null;
  // A negative number's sign goes on for ever.
  return (place) => ((whole >> (place > 63n ? 63n : place)) & 1n) === 1n;
}

export function bitTest(
  name: '$bitsAllSet' | '$bitsAnySet' | '$bitsAllClear' | '$bitsAnyClear',
  operand: Value,
): Test {
  const places = placesOf(name, operand);
  const wanted = name.endsWith('Set');
  const all = name.startsWith('$bitsAll');
  return (value) => {
    const bit = bitOf(value);
    if (!bit) return false;
    return all
      ? places.every((place) => bit(place) === wanted)
      : places.some((place) => bit(place) === wanted);
  };
}
