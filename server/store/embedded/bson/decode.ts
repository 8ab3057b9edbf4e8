import { isUtf8 } from 'node:buffer';
import { Binary, BSONRegExp, Code, Decimal128, Int32, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import { StoreError } from '../errors.js';
import { type Doc, Opaque, Sent, type, type Value } from './types.js';

/** MongoDB's own limit of documents within documents. */
const deepest = 180;

const broken = (what: string) => new StoreError(22, 'InvalidBSON', `invalid BSON: ${what}`);

/** The most a JavaScript date holds either way, in milliseconds. */
const farthestDate = 8_640_000_000_000_000;

/**
 * Reads a document's bytes. Every length is held against the bytes that are there.
 *
 * @throws StoreError `InvalidBSON` (22), and `Overflow` (15) for documents nested deeper than 180
 */
export function decode(bytes: Uint8Array): Doc {
  const buffer = bufferOf(bytes);
  return wholeDocument(buffer, new Map());
}

/** The same, of a document that is stored as it came. @throws StoreError as `decode` */
export const decodeSent = (bytes: Buffer): Sent => wholeDocument(bytes, new Sent(bytes));

/** Reads a command. The documents of its list `documents` are `Sent`. @throws StoreError as `decode` */
export function decodeCommand(bytes: Buffer): Doc {
  keepsBytes = true;
  try {
    return decode(bytes);
  } finally {
    keepsBytes = false;
  }
}

let keepsBytes = false;

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function wholeDocument<Into extends Doc>(buffer: Buffer, doc: Into): Into {
  readInto(doc, buffer, 0, buffer.length, 0);
  if (position !== buffer.length) throw broken('bytes after the document');
  return doc;
}

/** The end of the document that begins at `at`; it ends before `limit`. */
function endOf(buffer: Buffer, at: number, limit: number): number {
  if (at + 5 > limit) throw broken('a document beyond the end');
  const end = at + buffer.readInt32LE(at);
  if (end < at + 5 || end > limit || buffer[end - 1] !== 0) throw broken('a document of a wrong length');
  return end;
}

function documentAt(buffer: Buffer, at: number, limit: number, depth: number): Doc {
  const doc: Doc = new Map();
  readInto(doc, buffer, at, limit, depth);
  return doc;
}

/** Where the reading stands: one for all, since a document is read without a break. */
let position = 0;

/** @returns where the values of the document at `at` end, before its last byte; the reading stands at the first */
function begin(buffer: Buffer, at: number, limit: number, depth: number): number {
  if (depth > deepest) throw new StoreError(15, 'Overflow', 'the document is nested too deeply');
  const end = endOf(buffer, at, limit) - 1;
  position = at + 4;
  return end;
}

function finish(end: number): void {
  if (position !== end) throw broken('a value beyond its document');
  position = end + 1;
}

function readInto(doc: Doc, buffer: Buffer, at: number, limit: number, depth: number): void {
  const end = begin(buffer, at, limit, depth);
  const isCommand = keepsBytes && depth === 0;
  while (position < end) {
    const kind = buffer[position]!;
    position += 1;
    const name = nameAt(buffer, end);
    const isKept = isCommand && kind === type.array && name === 'documents';
    doc.set(name, isKept ? sentDocuments(buffer, end) : valueAt(buffer, kind, end, depth));
  }
  finish(end);
}

function arrayAt(buffer: Buffer, at: number, limit: number, depth: number): Value[] {
  const list: Value[] = [];
  const end = begin(buffer, at, limit, depth);
  while (position < end) {
    const kind = buffer[position]!;
    position += 1;
    nameAt(buffer, end);
    list.push(valueAt(buffer, kind, end, depth));
  }
  finish(end);
  return list;
}

function sentDocuments(buffer: Buffer, limit: number): Value[] {
  const list: Value[] = [];
  const end = begin(buffer, position, limit, 1);
  while (position < end) {
    const kind = buffer[position]!;
    position += 1;
    nameAt(buffer, end);
    list.push(kind === type.document ? sentAt(buffer, end) : valueAt(buffer, kind, end, 1));
  }
  finish(end);
  return list;
}

function sentAt(buffer: Buffer, limit: number): Sent {
  const doc = new Sent(buffer.subarray(position, endOf(buffer, position, limit)));
  readInto(doc, buffer, position, limit, 2);
  return doc;
}

/** Names are few and come again and again: of each hash the latest, which is compared and not made anew. */
const mostNames = 1_024;
const names: (string | undefined)[] = new Array(mostNames);

function nameAt(buffer: Buffer, end: number): string {
  const start = position;
  let isPlain = true;
  let hash = 0;
  let at = start;
  for (; at < end; at += 1) {
    const byte = buffer[at]!;
    if (byte === 0) break;
    if (byte > 0x7f) isPlain = false;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  if (at >= end) throw broken('a name without an end');
  position = at + 1;
  if (!isPlain) return utf8(buffer, start, at);
  const place = hash & (mostNames - 1);
  const known = names[place];
  if (known !== undefined && isWritten(known, buffer, start, at)) return known;
  const name = buffer.toString('latin1', start, at);
  if (name.length < longestName) names[place] = name;
  return name;
}
const longestName = 64;

function isWritten(name: string, buffer: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at += 1) if (name.charCodeAt(at) !== buffer[start + at]) return false;
  return true;
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
      // Of what a date can hold, the upper half has at most 22 bits: the sum is exact.
      const time = buffer.readInt32LE(start + 4) * 2 ** 32 + buffer.readUInt32LE(start);
      if (time > farthestDate || time < -farthestDate) return opaque(buffer, kind, start);
      return new Date(time);
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
