import {
  Binary,
  BSONRegExp,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';

/** A document as it is worked on: plain objects whose numbers keep their BSON types. `undefined` is a missing field. */
export type Doc = Record<string, unknown>;

const order = {
  minKey: 0,
  undefined: 1,
  null: 2,
  number: 3,
  string: 4,
  object: 5,
  array: 6,
  binary: 7,
  objectId: 8,
  boolean: 9,
  date: 10,
  timestamp: 11,
  regex: 12,
  maxKey: 13,
} as const;

/** The bracket of a value in MongoDB's total order. Values of two brackets compare by bracket alone. */
export function bracketOf(value: unknown): number {
  switch (typeof value) {
    case 'undefined':
      return order.undefined;
    case 'string':
      return order.string;
    case 'boolean':
      return order.boolean;
    case 'number':
    case 'bigint':
      return order.number;
  }
  if (value === null) return order.null;
  if (Array.isArray(value)) return order.array;
  if (value instanceof Date) return order.date;
  if (value instanceof Int32 || value instanceof Double || value instanceof Decimal128) return order.number;
  if (value instanceof Timestamp) return order.timestamp;
  if (value instanceof Long) return order.number;
  if (value instanceof ObjectId) return order.objectId;
  if (value instanceof Binary || value instanceof Uint8Array) return order.binary;
  if (value instanceof BSONRegExp || value instanceof RegExp) return order.regex;
  if (value instanceof MinKey) return order.minKey;
  if (value instanceof MaxKey) return order.maxKey;
  return order.object;
}

export const isDocument = (value: unknown): value is Doc =>
  bracketOf(value) === order.object && value !== undefined;
export const isNumber = (value: unknown): boolean => bracketOf(value) === order.number;

/** A number of any type as something JavaScript compares exactly: bigint for 64-bit integers out of range. */
export function numeric(value: unknown): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long) return value.toBigInt();
  return Number((value as Decimal128).toString());
}

function compareNumbers(left: number | bigint, right: number | bigint): number {
  if (left < right) return -1;
  if (left > right) return 1;
  // Neither is greater: they are equal, or one is NaN, which stands before all numbers.
  return Number(Number.isNaN(right)) - Number(Number.isNaN(left));
}

const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Binary ? value.buffer.subarray(0, value.position) : (value as Uint8Array);
const utf8 = (text: string) => Buffer.from(text, 'utf8');

/** Strings compare by their UTF-8 bytes, as MongoDB's do. */
function compareStrings(left: string, right: string): number {
  if (left === right) return 0;
  let at = 0;
  while (at < left.length && at < right.length && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
  const isPlain = (unit: number) => Number.isNaN(unit) || unit < 0xd800;
  if (isPlain(a) && isPlain(b)) return Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b;
  return Buffer.compare(utf8(left), utf8(right));
}

/** MongoDB's total order over all values. */
export function compare(left: unknown, right: unknown): number {
  const bracket = bracketOf(left);
  const difference = bracket - bracketOf(right);
  if (difference !== 0) return difference;
  switch (bracket) {
    case order.number:
      return compareNumbers(numeric(left), numeric(right));
    case order.string:
      return compareStrings(left as string, right as string);
    case order.boolean:
      return Number(left) - Number(right);
    case order.date:
      return (left as Date).getTime() - (right as Date).getTime();
    case order.timestamp:
      return (left as Timestamp).compare(right as Timestamp);
    case order.objectId:
      return Buffer.compare((left as ObjectId).id, (right as ObjectId).id);
    case order.binary: {
      const [a, b] = [bytesOf(left), bytesOf(right)];
      return a.length - b.length || subType(left) - subType(right) || Buffer.compare(a, b);
    }
    case order.array:
      return compareArrays(left as unknown[], right as unknown[]);
    case order.object:
      return compareDocuments(left as Doc, right as Doc);
    case order.regex:
      return compareStrings(String((left as BSONRegExp).pattern), String((right as BSONRegExp).pattern));
    default:
      return 0;
  }
}

const subType = (value: unknown) => (value instanceof Binary ? value.sub_type : 0);

function compareArrays(left: unknown[], right: unknown[]): number {
  for (let index = 0; index < left.length && index < right.length; index += 1) {
    const difference = compare(left[index], right[index]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Field by field in their order: type, name, value. */
function compareDocuments(left: Doc, right: Doc): number {
  const [leftKeys, rightKeys] = [Object.keys(left), Object.keys(right)];
  for (let index = 0; index < leftKeys.length && index < rightKeys.length; index += 1) {
    const [a, b] = [leftKeys[index]!, rightKeys[index]!];
    const difference =
      bracketOf(left[a]) - bracketOf(right[b]) || compareStrings(a, b) || compare(left[a], right[b]);
    if (difference !== 0) return difference;
  }
  return leftKeys.length - rightKeys.length;
}

export const equals = (left: unknown, right: unknown): boolean => compare(left, right) === 0;
