import { createHash } from 'node:crypto';
import { Binary, BSONRegExp, Code, Decimal128, type Int32, type ObjectId, type Timestamp } from 'bson';
import { type Doc, Opaque, type Value } from '../bson/types.js';
import { bracket, bracketOf, type Collate } from '../values/compare.js';
import * as decimal from '../values/decimal.js';

/**
 * Values as bytes whose order (memcmp) is the order of `compare`: what makes one range scan serve equality, range and
 * sort. Texts are escaped (00 -> 00 FF) and ended by 00 01, so that a prefix stands first.
 */

/** Longer components are cut and closed with a hash: equality still holds, order among them does not. */
export const longestComponent = 400;
const hashBytes = 32;

const terminator = Buffer.from([0, 1]);
const zero = Buffer.from([0]);

function escaped(bytes: Buffer): Buffer {
  if (!bytes.includes(0)) return Buffer.concat([bytes, terminator]);
  const parts: number[] = [];
  for (const byte of bytes) {
    parts.push(byte);
    if (byte === 0) parts.push(0xff);
  }
  return Buffer.concat([Buffer.from(parts), terminator]);
}

const text = (value: string): Buffer => escaped(Buffer.from(value, 'utf8'));

/** A double with its sign flipped (and all bits, below zero) keeps its order as bytes. NaN stands first. */
function doubleBytes(value: number, into: Buffer): void {
  if (Number.isNaN(value)) {
    into.fill(0, 0, 8);
    return;
  }
  into.writeDoubleBE(value === 0 ? 0 : value, 0);
  if (value < 0) for (let at = 0; at < 8; at += 1) into[at] = ~into[at]! & 0xff;
  else into[0] = into[0]! ^ 0x80;
}

const noRest = 0x80;

/** The nearest double, and then how far it is from the number itself: exact over all types. */
function numberBytes(value: number | bigint | Int32 | Decimal128): Buffer {
  if (typeof value === 'number') return plainNumber(value);
  if (typeof value !== 'bigint' && !(value instanceof Decimal128)) return plainNumber(value.value);
  const exact = typeof value === 'bigint' ? decimal.fromInteger(value) : decimal.parse(value);
  if (exact.kind !== 'finite') return plainNumber(decimal.toNumber(exact));
  const nearest = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, decimal.toNumber(exact)));
  const rest = decimal.subtractExactly(exact, decimal.fromDoubleExactly(nearest));
  if (rest.digits === 0n) return plainNumber(nearest);
  const digits = rest.digits.toString();
  const magnitude = Buffer.alloc(2);
  magnitude.writeUInt16BE(digits.length + rest.exponent + 0x8000);
  const tail = Buffer.concat([magnitude, Buffer.from(digits.replace(/0+$/, '')), zero]);
  const head = Buffer.alloc(9);
  doubleBytes(nearest, head);
  head[8] = rest.negative ? noRest - 1 : noRest + 1;
  return Buffer.concat([head, rest.negative ? inverted(tail) : tail]);
}

function plainNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  doubleBytes(value, bytes);
  bytes[8] = noRest;
  return bytes;
}

function timeBytes(time: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(time);
  bytes[0] = bytes[0]! ^ 0x80;
  return bytes;
}

function body(value: Value, of: number, collate: Collate | undefined): Buffer {
  switch (of) {
    case bracket.number:
      return numberBytes(value as number);
    case bracket.string: {
      const plain =
        typeof value === 'string'
          ? value
          : (value as Opaque).bytes.toString('utf8', 4, (value as Opaque).bytes.length - 1);
      return text(collate ? collate.key(plain) : plain);
    }
    case bracket.object:
      return documentBytes(value as Doc, collate);
    case bracket.array:
      return Buffer.concat([...(value as Value[]).map((item) => whole(item, collate)), zero]);
    case bracket.objectId:
      return Buffer.from((value as ObjectId).id);
    case bracket.boolean:
      return Buffer.from([value ? 1 : 0]);
    case bracket.date:
      return timeBytes(
        value instanceof Date ? BigInt(value.getTime()) : (value as Opaque).bytes.readBigInt64LE(0),
      );
    case bracket.timestamp: {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt.asUintN(64, (value as Timestamp).toBigInt()));
      return bytes;
    }
    default:
      return rareBody(value);
  }
}

function rareBody(value: Value): Buffer {
  if (value instanceof Binary) {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(value.position);
    head[4] = value.sub_type;
    return Buffer.concat([head, value.buffer.subarray(0, value.position)]);
  }
  if (value instanceof BSONRegExp) return Buffer.concat([text(value.pattern), text(value.options)]);
  if (value instanceof Code) return text(String(value.code));
  if (value instanceof Opaque) return escaped(value.bytes);
  return Buffer.alloc(0);
}

/** Field by field: type, name, value, as documents compare. */
function documentBytes(doc: Doc, collate: Collate | undefined): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of doc)
    parts.push(Buffer.from([bracketOf(value) + 1]), text(name), whole(value, collate));
  parts.push(zero);
  return Buffer.concat(parts);
}

function whole(value: Value, collate: Collate | undefined): Buffer {
  const of = bracketOf(value);
  return Buffer.concat([Buffer.from([of + 1]), body(value, of, collate)]);
}

/** Strings are most of what is indexed: written once, without the detours. */
function shortText(value: string): Buffer | null {
  const length = Buffer.byteLength(value, 'utf8');
  if (length + 3 > longestComponent || value.includes('\0')) return null;
  const bytes = Buffer.allocUnsafe(length + 3);
  bytes[0] = bracket.string + 1;
  bytes.write(value, 1, 'utf8');
  bytes[length + 1] = 0;
  bytes[length + 2] = 1;
  return bytes;
}

function cut(bytes: Buffer): Buffer {
  const hash = createHash('sha256').update(bytes).digest();
  return Buffer.concat([bytes.subarray(0, longestComponent - hashBytes), hash]);
}

function inverted(bytes: Buffer): Buffer {
  const result = Buffer.allocUnsafe(bytes.length);
  for (let at = 0; at < bytes.length; at += 1) result[at] = ~bytes[at]! & 0xff;
  return result;
}

const directed = (bytes: Buffer, direction: number): Buffer => (direction > 0 ? bytes : inverted(bytes));

/** The whole component, however long. A missing field is indexed as null. */
function component(value: Value | undefined, collate: Collate | undefined): Buffer {
  if (typeof value === 'string' && !collate) {
    const short = shortText(value);
    if (short) return short;
  }
  return whole(value === undefined ? null : value, collate);
}

/** The key of one value in one direction. */
export function directedKey(value: Value | undefined, direction: number, collate?: Collate): Buffer {
  const bytes = component(value, collate);
  return directed(bytes.length > longestComponent ? cut(bytes) : bytes, direction);
}

/** Whether a value's key was cut: its place among others cut alike says nothing. */
export const isCut = (value: Value | undefined, collate?: Collate): boolean => {
  if (typeof value === 'string' && value.length * 3 + 3 <= longestComponent) return false;
  if (
    typeof value !== 'string' &&
    !(value instanceof Map) &&
    !Array.isArray(value) &&
    !(value instanceof Binary)
  )
    return false;
  return component(value, collate).length > longestComponent;
};

/** The bytes with which all keys begin that may stand for this value: of a cut one, what all that are cut alike share. */
export function boundKey(value: Value, direction: number, collate?: Collate): Buffer {
  const bytes = component(value, collate);
  return directed(
    bytes.length > longestComponent ? bytes.subarray(0, longestComponent - hashBytes) : bytes,
    direction,
  );
}

/** The least byte string after all that begin with `prefix`; null when there is none. */
export function after(prefix: Buffer): Buffer | null {
  for (let at = prefix.length - 1; at >= 0; at -= 1) {
    if (prefix[at] === 0xff) continue;
    const next = Buffer.from(prefix.subarray(0, at + 1));
    next[at] = next[at]! + 1;
    return next;
  }
  return null;
}

/** The bytes with which all keys of a bracket begin. */
export const bracketKey = (of: number, direction: number): Buffer =>
  directed(Buffer.from([of + 1]), direction);
