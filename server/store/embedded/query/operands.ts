import { Binary } from 'bson';
import type { Value } from '../bson/types.js';
import { type } from '../bson/types.js';
import { badValue, StoreError } from '../errors.js';
import { typeNumbers, typeOf } from '../values/compare.js';
import { isNumber, toDouble, toInteger } from '../values/numbers.js';

/** Operators that look at one value: `$type`, `$mod`, `$bits…`. */

type Test = (value: Value | undefined) => boolean;

const numbers = new Set<number>([type.double, type.int, type.long, type.decimal]);
const known = new Set(typeNumbers.values());

function typesOf(operand: Value): Set<number> {
  if (operand === 'number') return numbers;
  if (typeof operand === 'string') {
    const found = typeNumbers.get(operand);
    if (found === undefined) throw badValue(`Unknown type name alias: ${operand}`);
    return new Set([found]);
  }
  const code = isNumber(operand) ? toDouble(operand) : Number.NaN;
  const number = code === -1 ? type.minKey : code;
  if (!known.has(number)) throw badValue(`Invalid numerical type code: ${String(code)}`);
  return new Set([number]);
}

export function typeTest(operand: Value): Test {
  const list = Array.isArray(operand) ? operand : [operand];
  if (list.length === 0) throw new StoreError(9, 'FailedToParse', '$type must match at least one type');
  const wanted = new Set(list.flatMap((one) => [...typesOf(one)]));
  return (value) => value !== undefined && wanted.has(typeOf(value));
}

export function modTest(operand: Value): Test {
  if (!Array.isArray(operand)) throw badValue('malformed mod, needs to be an array');
  if (operand.length < 2) throw badValue('malformed mod, not enough elements');
  if (operand.length > 2) throw badValue('malformed mod, too many elements');
  const [divisor, remainder] = operand.map((one, at) => {
    const double = isNumber(one) ? toDouble(one) : Number.NaN;
    if (!Number.isFinite(double))
      throw badValue(`malformed mod, ${at === 0 ? 'divisor' : 'remainder'} not a number`);
    return toInteger(one) ?? BigInt(Math.trunc(double));
  });
  if (divisor === 0n) throw badValue('divisor cannot be 0');
  return (value) => {
    if (!isNumber(value)) return false;
    const double = toDouble(value);
    if (!Number.isFinite(double)) return false;
    return (toInteger(value) ?? BigInt(Math.trunc(double))) % divisor! === remainder;
  };
}

/** The bits that are asked about, as their places. */
function placesOf(name: string, operand: Value): bigint[] {
  if (Array.isArray(operand))
    return operand.map((one) => {
      const place = toInteger(one);
      if (place === null || place < 0n)
        throw badValue(`Failed to parse bit position. Expected a non-negative integer in ${name}`);
      return place;
    });
  if (operand instanceof Binary) {
    const places: bigint[] = [];
    for (let at = 0; at < operand.position * 8; at += 1)
      if ((operand.buffer[at >> 3]! >> (at & 7)) & 1) places.push(BigInt(at));
    return places;
  }
  const mask = toInteger(operand);
  if (mask === null)
    throw badValue(`${name} takes an Array, a number, or a BinData but received something else`);
  if (mask < 0n) throw new StoreError(9, 'FailedToParse', `Expected a non-negative number in: ${name}`);
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
  if (whole === null || whole < -(2n ** 63n) || whole >= 2n ** 63n) return null;
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
