import { Binary, BSONRegExp, Code, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import { type Doc, Opaque, Raw, type, type Value } from './types.js';

/** What answers are written as: plain objects around values. A field that is `undefined` is left out. */
export interface Plain {
  readonly [name: string]: Encodable | undefined;
}
export type Encodable = Value | Raw | Plain | readonly Encodable[];

/** Written into one block that grows and is kept; what is given away is a copy of its part. */
let block = Buffer.allocUnsafe(64 * 1024);
let length = 0;

function room(bytes: number): void {
  if (length + bytes <= block.length) return;
  const larger = Buffer.allocUnsafe(Math.max(block.length * 2, length + bytes));
  block.copy(larger, 0, 0, length);
  block = larger;
}

/** A document's bytes; `more` is a document already encoded whose fields follow. */
export function encode(doc: Doc | Plain, more?: Buffer): Buffer {
  length = 0;
  document(doc);
  if (more) {
    length -= 1;
    bytes(more.subarray(4));
    block.writeInt32LE(length, 0);
  }
  const copy = Buffer.allocUnsafe(length);
  block.copy(copy, 0, 0, length);
  // One huge answer is no reason to hold its memory from then on.
  if (block.length > 4 * 1024 * 1024) block = Buffer.allocUnsafe(64 * 1024);
  return copy;
}

function document(doc: Doc | Plain): void {
  const start = length;
  room(4);
  length += 4;
  if (doc instanceof Map) for (const [name, value] of doc) field(name, value);
  else
    for (const name of Object.keys(doc)) {
      const value = doc[name];
      if (value !== undefined) field(name, value);
    }
  close(start);
}

function array(list: readonly Encodable[]): void {
  const start = length;
  room(4);
  length += 4;
  for (let at = 0; at < list.length; at += 1) field(String(at), list[at]!);
  close(start);
}

function close(start: number): void {
  room(1);
  block[length] = 0;
  length += 1;
  block.writeInt32LE(length - start, start);
}

/** Short names and texts are mostly ASCII: written here, without a call out of JavaScript. */
function text(value: string): void {
  const units = value.length;
  room(units * 3 + 1);
  if (units < 24) {
    let at = 0;
    for (; at < units; at += 1) {
      const unit = value.charCodeAt(at);
      if (unit > 0x7f) break;
      block[length + at] = unit;
    }
    if (at === units) {
      length += units;
      block[length] = 0;
      length += 1;
      return;
    }
  }
  length += block.write(value, length, 'utf8');
  block[length] = 0;
  length += 1;
}

function string(value: string): void {
  const start = length;
  room(4);
  length += 4;
  text(value);
  block.writeInt32LE(length - start - 4, start);
}

function head(kind: number, name: string): void {
  room(1);
  block[length] = kind;
  length += 1;
  text(name);
}

function bytes(value: Uint8Array): void {
  room(value.length);
  block.set(value, length);
  length += value.length;
}

function int32(value: number): void {
  room(4);
  block.writeInt32LE(value, length);
  length += 4;
}

function int64(value: bigint): void {
  room(8);
  block.writeBigInt64LE(value, length);
  length += 8;
}

function field(name: string, value: Encodable): void {
  switch (typeof value) {
    case 'string':
      head(type.string, name);
      return string(value);
    case 'number':
      head(type.double, name);
      room(8);
      block.writeDoubleLE(value, length);
      length += 8;
      return;
    case 'bigint':
      head(type.long, name);
      return int64(value);
    case 'boolean':
      head(type.boolean, name);
      room(1);
      block[length] = value ? 1 : 0;
      length += 1;
      return;
  }
  if (value === null) return head(type.null, name);
  if (value instanceof Int32) {
    head(type.int, name);
    return int32(value.value);
  }
  if (value instanceof Map) {
    head(type.document, name);
    return document(value);
  }
  if (Array.isArray(value)) {
    head(type.array, name);
    return array(value);
  }
  if (value instanceof Date) {
    head(type.date, name);
    return int64(BigInt(value.getTime()));
  }
  if (value instanceof ObjectId) {
    head(type.objectId, name);
    return bytes(value.id);
  }
  if (value instanceof Raw) {
    head(type.document, name);
    return bytes(value.bytes);
  }
  rare(name, value as Exclude<Value, string> | Plain);
}

function rare(name: string, value: Exclude<Value, string> | Plain): void {
  if (value instanceof Binary) {
    head(type.binary, name);
    int32(value.position);
    room(1);
    block[length] = value.sub_type;
    length += 1;
    return bytes(value.buffer.subarray(0, value.position));
  }
  if (value instanceof Timestamp) {
    head(type.timestamp, name);
    room(8);
    block.writeBigUInt64LE(BigInt.asUintN(64, value.toBigInt()), length);
    length += 8;
    return;
  }
  if (value instanceof Decimal128) {
    head(type.decimal, name);
    return bytes(value.bytes);
  }
  if (value instanceof BSONRegExp) {
    head(type.regex, name);
    text(value.pattern);
    return text(value.options);
  }
  if (value instanceof Code) {
    head(type.code, name);
    return string(value.code);
  }
  if (value instanceof MinKey) return head(type.minKey, name);
  if (value instanceof MaxKey) return head(type.maxKey, name);
  if (value instanceof Opaque) {
    head(value.type, name);
    return bytes(value.bytes);
  }
  head(type.document, name);
  document(value as Plain);
}
