import { Binary, Decimal128, Int32, ObjectId, Timestamp } from 'bson';
import { type, type Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import { typeName, typeNumbers } from '../values/compare.js';
import * as decimal from '../values/decimal.js';
import { isLong, isNumber, toDecimal, toDouble, toInteger } from '../values/numbers.js';
import { instantFrom } from './date-parse.js';
import { type Expression, isNullish, type Operator } from './expression.js';
import { optional, parametersOf, required, unary } from './operands.js';
import { textOf } from './text.js';

/** Types, and values of one as values of another. */

const failure = (message: string) =>
  new StoreError(241, 'ConversionFailure', `${message} in $convert with no onError value`);
const unsupported = (value: Value, to: string) =>
  failure(`Unsupported conversion from ${typeName(value)} to ${to}`);

function toBoolean(value: Value): Value {
  if (isNumber(value)) return toDouble(value) !== 0;
  return typeof value === 'boolean' ? value : true;
}

function truncated(value: Value, to: string): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value instanceof Date) return BigInt(value.getTime());
  if (typeof value === 'string') {
    if (!/^[+-]?\d+$/.test(value)) throw failure(`Failed to parse number '${value}'`);
    return BigInt(value);
  }
  if (!isNumber(value)) throw unsupported(value, to);
  const whole = toInteger(value);
  if (whole !== null) return whole;
  const double = toDouble(value);
  if (!Number.isFinite(double))
    throw failure(`Attempt to convert ${Number.isNaN(double) ? 'NaN' : 'infinity'} value to integer type`);
  return value instanceof Decimal128
    ? (decimal.wholeOf(decimal.roundDecimal(toDecimal(value), 0, 'cut')) ?? BigInt(Math.trunc(double)))
    : BigInt(Math.trunc(double));
}

function toInt(value: Value): Value {
  if (value instanceof Int32) return value;
  if (value instanceof Date) throw unsupported(value, 'int');
  const whole = truncated(value, 'int');
  if (whole < -(2n ** 31n) || whole >= 2n ** 31n)
    throw failure(`Conversion would overflow target type: ${whole}`);
  return new Int32(Number(whole));
}

function toLong(value: Value): Value {
  const whole = truncated(value, 'long');
  if (!isLong(whole)) throw failure(`Conversion would overflow target type: ${whole}`);
  return whole;
}

function toDoubleValue(value: Value): Value {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'string') {
    if (!/^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Infinity|NaN|inf|nan)$/i.test(value))
      throw failure(`Failed to parse number '${value}'`);
    return /nan/i.test(value) ? Number.NaN : Number(value.replace(/inf(inity)?/i, 'Infinity'));
  }
  if (!isNumber(value)) throw unsupported(value, 'double');
  return toDouble(value);
}

function toDecimalValue(value: Value): Value {
  if (value instanceof Decimal128) return value;
  if (typeof value === 'boolean') return Decimal128.fromString(value ? '1' : '0');
  if (value instanceof Date) return Decimal128.fromString(String(value.getTime()));
  if (typeof value === 'string') {
    if (!/^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Infinity|NaN)$/i.test(value))
      throw failure(`Failed to parse number '${value}'`);
    return Decimal128.fromString(value);
  }
  if (!isNumber(value)) throw unsupported(value, 'decimal');
  return decimal.format(toDecimal(value));
}

function toDate(value: Value): Value {
  if (value instanceof Date) return value;
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1_000);
  if (typeof value === 'string') return instantFrom(value, null, (message) => failure(message));
  if (!isNumber(value) || value instanceof Int32) throw unsupported(value, 'date');
  const time = Math.trunc(toDouble(value));
  if (!(Math.abs(time) <= 8.64e15)) throw failure('Conversion would overflow target type');
  return new Date(time);
}

function toObjectId(value: Value): Value {
  if (value instanceof ObjectId) return value;
  if (typeof value !== 'string') throw unsupported(value, 'objectId');
  if (!/^[0-9a-f]{24}$/i.test(value)) throw failure(`Failed to parse objectId '${value}'`);
  return new ObjectId(value);
}

function toText(value: Value): Value {
  if (value === null || Array.isArray(value) || value instanceof Map || value instanceof Binary)
    throw unsupported(value, 'string');
  try {
    return textOf(value);
  } catch (error) {
    if (error instanceof StoreError) throw unsupported(value, 'string');
    throw error;
  }
}

const conversions: Record<number, (value: Value) => Value> = {
  [type.double]: toDoubleValue,
  [type.string]: toText,
  [type.objectId]: toObjectId,
  [type.boolean]: toBoolean,
  [type.date]: toDate,
  [type.int]: toInt,
  [type.long]: toLong,
  [type.decimal]: toDecimalValue,
};

const converting = (to: number): Operator =>
  unary((value) => (isNullish(value) ? null : conversions[to]!(value)));

function targetOf(value: Value): number {
  const given = value instanceof Map ? value.get('type') : value;
  const number =
    typeof given === 'string' ? typeNumbers.get(given) : isNumber(given) ? toDouble(given) : undefined;
  if (number === undefined || !Object.hasOwn(conversions, number)) {
    if (typeof given === 'string' && number === undefined)
      throw new StoreError(2, 'BadValue', `Unknown type name: ${given}`);
    throw failure(`Unsupported conversion to type ${String(given)}`);
  }
  return number;
}

const convert: Operator = (argument, scope) => {
  const parameters = parametersOf(argument, {
    names: ['input', 'to', 'format', 'onError', 'onNull', 'byteOrder'],
    notAnObject: () => new StoreError(9, 'FailedToParse', '$convert expects an object of named arguments'),
    unknown: (parameter) =>
      new StoreError(9, 'FailedToParse', `$convert found an unknown argument: ${parameter}`),
  });
  const missing = (part: string) => () =>
    new StoreError(9, 'FailedToParse', `Missing '${part}' parameter to $convert`);
  const input = scope.compile(required(parameters, 'input', missing('input')));
  const to = scope.compile(required(parameters, 'to', missing('to')));
  const onError = optional(parameters, 'onError', scope);
  const onNull = optional(parameters, 'onNull', scope);
  const expression: Expression = (doc, variables) => {
    const value = input(doc, variables);
    const target = to(doc, variables);
    if (isNullish(value)) return onNull ? onNull(doc, variables) : null;
    if (isNullish(target)) return null;
    try {
      return conversions[targetOf(target)]!(value);
    } catch (error) {
      if (onError && error instanceof StoreError && error.code === 241) return onError(doc, variables);
      throw error;
    }
  };
  return expression;
};

export const types: Record<string, Operator> = {
  $type: unary((value) => typeName(value)),
  $isNumber: unary((value) => isNumber(value)),
  $convert: convert,
  $toBool: converting(type.boolean),
  $toDate: converting(type.date),
  $toDecimal: converting(type.decimal),
  $toDouble: converting(type.double),
  $toInt: converting(type.int),
  $toLong: converting(type.long),
  $toObjectId: converting(type.objectId),
  $toString: converting(type.string),
  $toUUID: unary((value) => {
    if (isNullish(value)) return null;
    if (typeof value !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value))
      throw location(241, 'Failed to parse a UUID');
    return new Binary(Buffer.from(value.replaceAll('-', ''), 'hex'), 4);
  }),
};
