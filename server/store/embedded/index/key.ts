import { createHash } from 'node:crypto';
import { Binary, BSONRegExp, Code, type Decimal128, Int32, type ObjectId, type Timestamp } from 'bson';
import type { Doc, Opaque, Value } from '../bson/types.js';
import { bracket, bracketOf, type Collate, scopedCode, textOf, timeOf } from '../values/compare.js';
import * as decimal from '../values/decimal.js';

/**
 * Values as bytes whose order (memcmp) is the order of `compare`: what makes one range scan serve equality, range and
 * sort. Each value's bytes say where they end, so that those of several make one key. Texts are escaped (00 -> 00 FF)
 * and ended by 00 01, so that a prefix stands first.
 *
 * Under a collation a text is written as the collation's key of it: equal texts have equal bytes when they are foldable
 * (see `Collate`), and their order among the bytes is no order of the language. A value of more bytes than `longest` is
 * cut and closed with a hash: equality still holds, order among values that begin alike does not. For both a range of
 * bytes may only be asked for what these promise; see query/intervals.ts.
 */

/** What LMDB takes as a key, less the record's number behind it. */
const mostBytes = 1_964;
const hashBytes = 32;

/** The bytes a value may have in a key of so many. */
export const longestFor = (values: number): number => Math.min(400, Math.floor(mostBytes / values));
export const longestComponent = longestFor(1);

/** Keys are written here, and copied out of it. */
let into = Buffer.allocUnsafe(4_096);
let at = 0;

function reserve(bytes: number): void {
  if (at + bytes <= into.length) return;
  const larger = Buffer.allocUnsafe(Math.max(into.length * 2, at + bytes));
  into.copy(larger, 0, 0, at);
  into = larger;
}

function writeByte(byte: number): void {
  reserve(1);
  into[at] = byte;
  at += 1;
}

function writeBytes(bytes: Uint8Array): void {
  reserve(bytes.length);
  into.set(bytes, at);
  at += bytes.length;
}

function writeText(text: string): void {
  reserve(text.length * 3 + 2);
  if (text.includes('\0')) {
    for (const byte of Buffer.from(text, 'utf8')) {
      writeByte(byte);
      if (byte === 0) writeByte(0xff);
    }
    reserve(2);
  } else at += into.write(text, at, 'utf8');
  into[at] = 0;
  into[at + 1] = 1;
  at += 2;
}

/** Behind a number's nearest double: less than it, that very number, more than it. */
const less = 0x7f;
const exactly = 0x80;
const more = 0x81;

/** A double with its sign flipped (and all bits, below zero) keeps its order as bytes. NaN stands first. */
function writeDouble(value: number, rest: number): void {
  reserve(9);
  if (Number.isNaN(value)) into.fill(0, at, at + 8);
  else {
    into.writeDoubleBE(value === 0 ? 0 : value, at);
    if (value < 0) invert(at, at + 8);
    else into[at] = into[at]! ^ 0x80;
  }
  into[at + 8] = rest;
  at += 9;
}

/** The nearest double, and then how far it is from the number itself: exact over all types. */
function writeNumber(value: number | bigint | Int32 | Decimal128): void {
  if (typeof value === 'number') return writeDouble(value, exactly);
  if (value instanceof Int32) return writeDouble(value.value, exactly);
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value)))
    return writeDouble(Number(value), exactly);
  const exact = typeof value === 'bigint' ? decimal.fromInteger(value) : decimal.parse(value);
  if (exact.kind !== 'finite') return writeDouble(decimal.toNumber(exact), exactly);
  const nearest = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, decimal.toNumber(exact)));
  const rest = decimal.subtractExactly(exact, decimal.fromDoubleExactly(nearest));
  if (rest.digits === 0n) return writeDouble(nearest, exactly);
  writeDouble(nearest, rest.negative ? less : more);
  const digits = rest.digits.toString();
  const from = at;
  reserve(digits.length + 3);
  at = into.writeUInt16BE(digits.length + rest.exponent + 0x8000, at);
  at += into.write(digits.replace(/0+$/, ''), at, 'latin1');
  writeByte(0);
  if (rest.negative) invert(from, at);
}

function writeTime(time: bigint): void {
  reserve(8);
  into.writeBigInt64BE(time, at);
  into[at] = into[at]! ^ 0x80;
  at += 8;
}

/** Field by field: type, name, value, as documents compare. */
function writeDocument(doc: Doc, collate: Collate | undefined): void {
  for (const [name, value] of doc) {
    writeByte(bracketOf(value) + 1);
    writeText(name);
    writeValue(value, collate);
  }
  writeByte(0);
}

function writeValue(value: Value, collate: Collate | undefined): void {
  const of = bracketOf(value);
  writeByte(of + 1);
  switch (of) {
    case bracket.number:
      return writeNumber(value as number);
    case bracket.string:
      return writeText(collate ? collate.key(textOf(value)) : textOf(value));
    case bracket.object:
      return writeDocument(value as Doc, collate);
    case bracket.array:
      for (const item of value as Value[]) writeValue(item, collate);
      return writeByte(0);
    case bracket.objectId:
      return writeBytes((value as ObjectId).id);
    case bracket.boolean:
      return writeByte(value ? 1 : 0);
    case bracket.date:
      return writeTime(timeOf(value));
    case bracket.timestamp:
      reserve(8);
      at = into.writeBigUInt64BE(BigInt.asUintN(64, (value as Timestamp).toBigInt()), at);
      return;
    default:
      return writeRare(value, of);
  }
}

function writeSized(bytes: Uint8Array, kind?: number): void {
  reserve(5);
  at = into.writeUInt32BE(bytes.length, at);
  if (kind !== undefined) writeByte(kind);
  writeBytes(bytes);
}

function writeRare(value: Value, of: number): void {
  if (value instanceof Binary) writeSized(value.buffer.subarray(0, value.position), value.sub_type);
  else if (value instanceof BSONRegExp) {
    writeText(value.pattern);
    writeText(value.options);
  } else if (value instanceof Code) writeText(String(value.code));
  else if (of === bracket.pointer) writeSized((value as Opaque).bytes);
  else if (of === bracket.scopedCode) {
    const { code, scope } = scopedCode(value as Opaque);
    writeText(code);
    writeDocument(scope, undefined);
  }
}

function invert(from: number, to: number): void {
  for (let n = from; n < to; n += 1) into[n] = ~into[n]! & 0xff;
}

/** Writes one value of a key, a missing one as null. @returns whether it was cut */
function writeComponent(
  value: Value | undefined,
  direction: number,
  collate: Collate | undefined,
  longest: number,
): boolean {
  const from = at;
  if (typeof value === 'string' && !collate) {
    writeByte(bracket.string + 1);
    writeText(value);
  } else writeValue(value ?? null, collate);
  const isLong = at - from > longest;
  if (isLong) {
    const hash = createHash('sha256').update(into.subarray(from, at)).digest();
    at = from + longest - hashBytes;
    writeBytes(hash);
  }
  if (direction < 0) invert(from, at);
  return isLong;
}

const written = (): Buffer => Buffer.from(into.subarray(0, at));

/** The key of one value in one direction. */
export function directedKey(
  value: Value | undefined,
  direction: number,
  collate?: Collate,
  longest = longestComponent,
): Buffer {
  at = 0;
  writeComponent(value, direction, collate, longest);
  return written();
}

export interface KeyShape {
  readonly fields: readonly { readonly direction: 1 | -1 }[];
  readonly collate: Collate | undefined;
}

/** The key of a tuple, and whether one of its values was cut: its place among keys then says nothing. */
export function tupleKey(
  tuple: readonly (Value | undefined)[],
  { fields, collate }: KeyShape,
): { key: Buffer; isCut: boolean } {
  const longest = longestFor(fields.length);
  let isCut = false;
  at = 0;
  for (let n = 0; n < fields.length; n += 1)
    if (writeComponent(tuple[n], fields[n]!.direction, collate, longest)) isCut = true;
  return { key: written(), isCut };
}

/** Whether a value's key is cut. */
export const isCut = (value: Value | undefined, collate?: Collate, longest = longestComponent): boolean => {
  if (typeof value === 'string' && value.length * 3 + 3 <= longest) return false;
  at = 0;
  return writeComponent(value, 1, collate, longest);
};

/**
 * The bytes with which all keys begin that may stand for this value or for one that cannot be told from it by its place:
 * the whole key, or, of one as long as those that are cut, what is left of them.
 */
export function keyPrefix(value: Value, longest: number): { bytes: Buffer; isWhole: boolean } {
  at = 0;
  writeComponent(value, 1, undefined, Number.MAX_SAFE_INTEGER);
  const isWhole = at <= longest - hashBytes;
  at = Math.min(at, longest - hashBytes);
  return { bytes: written(), isWhole };
}

/** The least byte string after all that begin with `prefix`; null when there is none. */
export function after(prefix: Buffer): Buffer | null {
  for (let n = prefix.length - 1; n >= 0; n -= 1) {
    if (prefix[n] === 0xff) continue;
    const next = Buffer.from(prefix.subarray(0, n + 1));
    next[n] = next[n]! + 1;
    return next;
  }
  return null;
}

/** The same bytes downwards. */
export const inverse = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => ~byte & 0xff));

/** The bytes with which all keys of a bracket begin. */
export const bracketKey = (of: number, direction: number): Buffer =>
  Buffer.from([direction > 0 ? of + 1 : ~(of + 1) & 0xff]);
