import { Binary, BSONRegExp, Code, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import { decode } from '../bson/decode.js';
import { type Doc, Opaque, type, type Value } from '../bson/types.js';
import { compareNumbers, type Numeric } from './numbers.js';

/** How strings compare where a collation was asked for. */
export interface Collate {
  compare(left: string, right: string): number;
  /** What a text stands under in an index: of foldable texts the same for all that compare as equal, and for no others. */
  key(text: string): string;
  isFoldable(text: string): boolean;
}

/** The brackets of MongoDB's total order: values of two brackets compare by them alone. */
export const bracket = {
  minKey: 0,
  missing: 1,
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
  pointer: 13,
  code: 14,
  scopedCode: 15,
  maxKey: 16,
} as const;

export function bracketOf(value: Value | undefined): number {
  switch (typeof value) {
    case 'undefined':
      return bracket.missing;
    case 'string':
      return bracket.string;
    case 'boolean':
      return bracket.boolean;
    case 'number':
    case 'bigint':
      return bracket.number;
  }
  if (value === null) return bracket.null;
  if (value instanceof Map) return bracket.object;
  if (Array.isArray(value)) return bracket.array;
  if (value instanceof Int32 || value instanceof Decimal128) return bracket.number;
  if (value instanceof ObjectId) return bracket.objectId;
  if (value instanceof Date) return bracket.date;
  return rareBracket(value);
}

function rareBracket(value: Exclude<Value, string | number | boolean | bigint | null>): number {
  if (value instanceof Binary) return bracket.binary;
  if (value instanceof Timestamp) return bracket.timestamp;
  if (value instanceof BSONRegExp) return bracket.regex;
  if (value instanceof Code) return bracket.code;
  if (value instanceof MinKey) return bracket.minKey;
  if (value instanceof MaxKey) return bracket.maxKey;
  if (!(value instanceof Opaque)) return bracket.object;
  switch (value.type) {
    case type.undefined:
      return bracket.missing;
    case type.symbol:
      return bracket.string;
    case type.date:
      return bracket.date;
    case type.pointer:
      return bracket.pointer;
    default:
      return bracket.scopedCode;
  }
}

/** BSON's number of a value's type. */
export function typeOf(value: Value): number {
  switch (typeof value) {
    case 'string':
      return type.string;
    case 'boolean':
      return type.boolean;
    case 'number':
      return type.double;
    case 'bigint':
      return type.long;
  }
  if (value === null) return type.null;
  if (value instanceof Map) return type.document;
  if (Array.isArray(value)) return type.array;
  if (value instanceof Int32) return type.int;
  if (value instanceof Decimal128) return type.decimal;
  if (value instanceof ObjectId) return type.objectId;
  if (value instanceof Date) return type.date;
  if (value instanceof Binary) return type.binary;
  if (value instanceof Timestamp) return type.timestamp;
  if (value instanceof BSONRegExp) return type.regex;
  if (value instanceof Code) return type.code;
  if (value instanceof MinKey) return type.minKey;
  if (value instanceof MaxKey) return type.maxKey;
  return value instanceof Opaque ? value.type : type.document;
}

const names: Record<number, string> = {
  [type.double]: 'double',
  [type.string]: 'string',
  [type.document]: 'object',
  [type.array]: 'array',
  [type.binary]: 'binData',
  [type.undefined]: 'undefined',
  [type.objectId]: 'objectId',
  [type.boolean]: 'bool',
  [type.date]: 'date',
  [type.null]: 'null',
  [type.regex]: 'regex',
  [type.pointer]: 'dbPointer',
  [type.code]: 'javascript',
  [type.symbol]: 'symbol',
  [type.scopedCode]: 'javascriptWithScope',
  [type.int]: 'int',
  [type.timestamp]: 'timestamp',
  [type.long]: 'long',
  [type.decimal]: 'decimal',
  [type.minKey]: 'minKey',
  [type.maxKey]: 'maxKey',
};

/** The type's name as `$type` gives it; `missing` for what is not there. */
export const typeName = (value: Value | undefined): string =>
  value === undefined ? 'missing' : (names[typeOf(value)] ?? 'unknown');

/** Types by their names, as filters and conversions write them. */
export const typeNumbers: ReadonlyMap<string, number> = new Map(
  Object.entries(names).map(([number, name]) => [name, Number(number)]),
);

/** Strings compare by their UTF-8 bytes, which is by code point. */
function compareStrings(left: string, right: string): number {
  if (left === right) return 0;
  const least = Math.min(left.length, right.length);
  let at = 0;
  while (at < least && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  if (at === least) return left.length - right.length;
  const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
  // Halves of pairs stand before U+E000 in UTF-16, and after it in UTF-8.
  const shifted = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);
  return shifted(a) - shifted(b);
}

const bytesOf = (value: Binary): Uint8Array => value.buffer.subarray(0, value.position);

function compareBinaries(left: Binary, right: Binary): number {
  return (
    left.position - right.position ||
    left.sub_type - right.sub_type ||
    Buffer.compare(bytesOf(left), bytesOf(right))
  );
}

/** Milliseconds, of dates that JavaScript cannot hold too. */
export const timeOf = (value: Value): bigint =>
  value instanceof Date ? BigInt(value.getTime()) : (value as Opaque).bytes.readBigInt64LE(0);
/** The text of a string, or of one of BSON's old symbols. */
export const textOf = (value: Value): string =>
  typeof value === 'string'
    ? value
    : (value as Opaque).bytes.toString('utf8', 4, (value as Opaque).bytes.length - 1);

/** MongoDB's total order over all values; what is missing stands before null. */
export function compare(left: Value | undefined, right: Value | undefined, collate?: Collate): number {
  if (typeof left === 'string' && typeof right === 'string')
    return collate ? collate.compare(left, right) : compareStrings(left, right);
  const of = bracketOf(left);
  const difference = of - bracketOf(right);
  if (difference !== 0) return difference;
  switch (of) {
    case bracket.number:
      return compareNumbers(left as Numeric, right as Numeric);
    case bracket.string:
      return collate
        ? collate.compare(textOf(left!), textOf(right!))
        : compareStrings(textOf(left!), textOf(right!));
    case bracket.object:
      return compareDocuments(left as Doc, right as Doc, collate);
    case bracket.array:
      return compareArrays(left as Value[], right as Value[], collate);
    case bracket.objectId:
      return Buffer.compare((left as ObjectId).id, (right as ObjectId).id);
    case bracket.boolean:
      return Number(left) - Number(right);
    case bracket.date: {
      if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime();
      const [a, b] = [timeOf(left!), timeOf(right!)];
      return a < b ? -1 : a > b ? 1 : 0;
    }
    default:
      return compareRare(of, left as Value, right as Value);
  }
}

function compareRare(of: number, left: Value, right: Value): number {
  switch (of) {
    case bracket.timestamp:
      return (left as Timestamp).compare(right as Timestamp);
    case bracket.binary:
      return compareBinaries(left as Binary, right as Binary);
    case bracket.regex: {
      const [a, b] = [left as BSONRegExp, right as BSONRegExp];
      return compareStrings(a.pattern, b.pattern) || compareStrings(a.options, b.options);
    }
    case bracket.code:
      return compareStrings(String((left as Code).code), String((right as Code).code));
    case bracket.pointer: {
      const [a, b] = [(left as Opaque).bytes, (right as Opaque).bytes];
      return a.length - b.length || Buffer.compare(a, b);
    }
    case bracket.scopedCode: {
      const [a, b] = [scopedCode(left as Opaque), scopedCode(right as Opaque)];
      return compareStrings(a.code, b.code) || compareDocuments(a.scope, b.scope);
    }
    default:
      return 0;
  }
}

/** Code with the variables it was stored with: two lengths, the text, a document. */
export function scopedCode({ bytes }: Opaque): { code: string; scope: Doc } {
  const length = bytes.readInt32LE(4);
  return { code: bytes.toString('utf8', 8, 7 + length), scope: decode(bytes.subarray(8 + length)) };
}

function compareArrays(left: Value[], right: Value[], collate?: Collate): number {
  const least = Math.min(left.length, right.length);
  for (let at = 0; at < least; at += 1) {
    const difference = compare(left[at], right[at], collate);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Field by field in their order: type, name, value. */
function compareDocuments(left: Doc, right: Doc, collate?: Collate): number {
  const others = right.entries();
  for (const [name, value] of left) {
    const next = others.next();
    if (next.done) return 1;
    const [otherName, otherValue] = next.value;
    const difference =
      bracketOf(value) - bracketOf(otherValue) ||
      compareStrings(name, otherName) ||
      compare(value, otherValue, collate);
    if (difference !== 0) return difference;
  }
  return others.next().done ? 0 : -1;
}

export const equals = (left: Value | undefined, right: Value | undefined, collate?: Collate): boolean =>
  left === right || compare(left, right, collate) === 0;
