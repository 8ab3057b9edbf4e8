import { isUtf8 } from 'node:buffer';
import { Binary, BSONRegExp, Code, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import { StoreError } from '../errors.js';
import { bytesAsSent, type Doc, Opaque, type, type Value } from './types.js';

/** MongoDB's own limit of documents within documents. */
const deepest = 180;

const broken = (what: string) => new StoreError(22, 'InvalidBSON', `invalid BSON: ${what}`);

/** The most a JavaScript date holds either way, in milliseconds. */
const farthestDate = 8_640_000_000_000_000n;

/**
 * Reads a document's bytes. Every length is held against the bytes that are there.
 *
 * @throws StoreError `InvalidBSON` (22), and `Overflow` (15) for documents nested deeper than 180
 */
export function decode(bytes: Uint8Array): Doc {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const doc = documentAt(buffer, 0, buffer.length, 0);
  if (position !== buffer.length) throw broken('bytes after the document');
  return doc;
}

/**
 * Reads a command. The documents of its list `documents` keep their bytes (`bytesAsSent`): they are stored as they came.
 *
 * @throws StoreError as `decode`
 */
export function decodeCommand(bytes: Buffer): Doc {
  keepsBytes = true;
  try {
    return decode(bytes);
  } finally {
    keepsBytes = false;
  }
}

let keepsBytes = false;

/** The end of the document that begins at `at`; it ends before `limit`. */
function endOf(buffer: Buffer, at: number, limit: number): number {
  if (at + 5 > limit) throw broken('a document beyond the end');
  const end = at + buffer.readInt32LE(at);
  if (end < at + 5 || end > limit || buffer[end - 1] !== 0) throw broken('a document of a wrong length');
  return end;
}

function documentAt(buffer: Buffer, at: number, limit: number, depth: number): Doc {
  const doc: Doc = new Map();
  each(buffer, at, limit, depth, (name, value) => doc.set(name, value));
  return doc;
}

function arrayAt(buffer: Buffer, at: number, limit: number, depth: number): Value[] {
  const list: Value[] = [];
  each(buffer, at, limit, depth, (_, value) => list.push(value));
  return list;
}

function keptDocuments(buffer: Buffer, limit: number): Value[] {
  const list: Value[] = [];
  const end = endOf(buffer, position, limit) - 1;
  position += 4;
  while (position < end) {
    const kind = buffer[position]!;
    position += 1;
    nameAt(buffer, end);
    const start = position;
    const value = valueAt(buffer, kind, end, 1);
    if (value instanceof Map) bytesAsSent.set(value, buffer.subarray(start, position));
    list.push(value);
  }
  if (position !== end) throw broken('a value beyond its document');
  position = end + 1;
  return list;
}

/** Where the reading stands: one for all, since a document is read without a break. */
let position = 0;

function each(
  buffer: Buffer,
  start: number,
  limit: number,
  depth: number,
  take: (name: string, value: Value) => void,
): void {
  if (depth > deepest) throw new StoreError(15, 'Overflow', 'the document is nested too deeply');
  const end = endOf(buffer, start, limit) - 1;
  position = start + 4;
  while (position < end) {
    const kind = buffer[position]!;
    position += 1;
    const name = nameAt(buffer, end);
    const isList = depth === 0 && keepsBytes && kind === type.array && name === 'documents';
    take(name, isList ? keptDocuments(buffer, end) : valueAt(buffer, kind, end, depth));
  }
  if (position !== end) throw broken('a value beyond its document');
  position = end + 1;
}

function nameAt(buffer: Buffer, end: number): string {
  const start = position;
  let isPlain = true;
  let at = start;
  for (; at < end; at += 1) {
    const byte = buffer[at]!;
    if (byte === 0) break;
    if (byte > 0x7f) isPlain = false;
  }
  if (at >= end) throw broken('a name without an end');
  position = at + 1;
  return isPlain ? buffer.toString('latin1', start, at) : utf8(buffer, start, at);
}

/** Bytes that are no UTF-8 come out with replacement characters, which a text may have of its own: only then look twice. */
function utf8(buffer: Buffer, start: number, end: number): string {
  const text = buffer.toString('utf8', start, end);
  if (text.includes('\ufffd') && !isUtf8(buffer.subarray(start, end)))
    throw broken('a text that is no UTF-8');
  return text;
}

function stringAt(buffer: Buffer, end: number): string {
  const start = position + 4;
  if (start > end) throw broken('a string beyond the end');
  const length = buffer.readInt32LE(position);
  if (length < 1 || start + length > end || buffer[start + length - 1] !== 0)
    throw broken('a string of a wrong length');
  position = start + length;
  return utf8(buffer, start, start + length - 1);
}

/** Moves on by `length` bytes, which must be there. */
function skip(length: number, end: number): number {
  const start = position;
  if (length < 0 || start + length > end) throw broken('a value beyond the end');
  position = start + length;
  return start;
}

const opaque = (buffer: Buffer, kind: number, start: number): Opaque =>
  new Opaque(kind, Buffer.from(buffer.subarray(start, position)));

function valueAt(buffer: Buffer, kind: number, end: number, depth: number): Value {
  switch (kind) {
    case type.double:
      return buffer.readDoubleLE(skip(8, end));
    case type.string:
      return stringAt(buffer, end);
    case type.document:
      return documentAt(buffer, position, end, depth + 1);
    case type.array:
      return arrayAt(buffer, position, end, depth + 1);
    case type.binary:
      return binaryAt(buffer, end);
    case type.objectId: {
      const start = skip(12, end);
      return new ObjectId(Buffer.from(buffer.subarray(start, start + 12)));
    }
    case type.boolean: {
      const byte = buffer[skip(1, end)]!;
      if (byte > 1) throw broken('a boolean that is neither');
      return byte === 1;
    }
    case type.date: {
      const start = skip(8, end);
      const time = buffer.readBigInt64LE(start);
      if (time > farthestDate || time < -farthestDate) return opaque(buffer, kind, start);
      return new Date(Number(time));
    }
    case type.null:
      return null;
    case type.regex: {
      const pattern = nameAt(buffer, end);
      const options = nameAt(buffer, end);
      if (/[^ilmsux]/.test(options)) throw broken(`a regular expression's options ${options}`);
      return new BSONRegExp(pattern, options);
    }
    case type.code:
      return new Code(stringAt(buffer, end));
    case type.int:
      return new Int32(buffer.readInt32LE(skip(4, end)));
    case type.timestamp:
      return new Timestamp(buffer.readBigUInt64LE(skip(8, end)));
    case type.long:
      return buffer.readBigInt64LE(skip(8, end));
    case type.decimal: {
      const start = skip(16, end);
      return new Decimal128(Buffer.from(buffer.subarray(start, start + 16)));
    }
    case type.minKey:
      return new MinKey();
    case type.maxKey:
      return new MaxKey();
    default:
      return deprecatedAt(buffer, kind, end, depth);
  }
}

/** The payload as it stands: the old sub-type 2 keeps the second length it carries. */
function binaryAt(buffer: Buffer, end: number): Binary {
  const head = skip(5, end);
  const length = buffer.readInt32LE(head);
  const start = skip(length, end);
  if (buffer[head + 4] === 2 && (length < 4 || buffer.readInt32LE(start) !== length - 4))
    throw broken('an old binary of a wrong length');
  return new Binary(Buffer.from(buffer.subarray(start, start + length)), buffer[head + 4]!);
}

function deprecatedAt(buffer: Buffer, kind: number, end: number, depth: number): Opaque {
  const start = position;
  switch (kind) {
    case type.undefined:
      break;
    case type.symbol:
      stringAt(buffer, end);
      break;
    case type.pointer:
      stringAt(buffer, end);
      skip(12, end);
      break;
    case type.scopedCode: {
      const head = skip(4, end);
      const inner = head + buffer.readInt32LE(head);
      if (inner > end) throw broken('code beyond the end');
      stringAt(buffer, inner);
      documentAt(buffer, position, inner, depth + 1);
      if (position !== inner) throw broken('code of a wrong length');
      break;
    }
    default:
      throw broken(`a value of type ${kind}`);
  }
  return opaque(buffer, kind, start);
}
