import { crc32 } from 'node:zlib';
import { compress, type Dictionary, decompress, prepareDictionary } from './lz4.js';

/**
 * A value as it lies on disk: `[CRC-32 of the rest][form][...]`. Form 0 is plain; form 1 is LZ4 (`[length varint]`),
 * form 2 is LZ4 with a dictionary (`[dictionary varint][length varint]`). Documents of one collection repeat the same
 * names and ids: with four kilobytes of its first documents as dictionary they take about a third of their size.
 */

const formPlain = 0;
const formPacked = 1;
const formWithDictionary = 2;
/** Plain as well, and several things: how they lie in it knows who wrote them. */
export const blockOf = 3;
/** Shorter values do not win enough. */
const leastPacked = 96;

export class ChecksumError extends Error {}

export interface Dictionaries {
  /** @throws ChecksumError when there is none of that number */
  get(id: number): Dictionary;
}

function writeVarint(out: Buffer, start: number, value: number): number {
  let rest = value;
  let at = start;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

function readVarint(bytes: Uint8Array, start: number): { value: number; next: number } {
  let value = 0;
  let factor = 1;
  let at = start;
  for (;;) {
    const byte = bytes[at++];
    if (byte === undefined || factor > 2 ** 35) throw new ChecksumError('a broken length');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, next: at };
    factor *= 128;
  }
}

/** A value as it is, behind its checksum: for what is written once and rarely read. */
export function packPlain(value: Uint8Array, form: typeof formPlain | typeof blockOf = formPlain): Buffer {
  const out = Buffer.allocUnsafe(5 + value.length);
  out[4] = form;
  out.set(value, 5);
  out.writeUInt32LE(crc32(out.subarray(4)), 0);
  return out;
}

export function pack(value: Uint8Array, dictionary?: { id: number; prepared: Dictionary }): Buffer {
  const packed = value.length >= leastPacked ? compress(value, dictionary?.prepared) : null;
  let out: Buffer;
  if (packed && packed.length + 16 < value.length) {
    const head = Buffer.allocUnsafe(16);
    head[4] = dictionary ? formWithDictionary : formPacked;
    let at = 5;
    if (dictionary) at = writeVarint(head, at, dictionary.id);
    at = writeVarint(head, at, value.length);
    out = Buffer.allocUnsafe(at + packed.length);
    head.copy(out, 0, 0, at);
    packed.copy(out, at);
  } else return packPlain(value);
  out.writeUInt32LE(crc32(out.subarray(4)), 0);
  return out;
}

/** @throws ChecksumError when the bytes are not what was written */
export function unpack(stored: Buffer, dictionaries: Dictionaries): Buffer {
  if (stored.length < 5 || crc32(stored.subarray(4)) !== stored.readUInt32LE(0))
    throw new ChecksumError('the checksum does not fit');
  const form = stored[4];
  if (form === formPlain || form === blockOf) return stored.subarray(5);
  let at = 5;
  let dictionary: Dictionary | undefined;
  if (form === formWithDictionary) {
    const { value: id, next } = readVarint(stored, at);
    dictionary = dictionaries.get(id);
    at = next;
  } else if (form !== formPacked) throw new ChecksumError(`an unknown form, ${form}`);
  const { value: length, next } = readVarint(stored, at);
  return decompress(stored.subarray(next), length, dictionary);
}

/** A dictionary of the shape of some documents: the newest last, where offsets are short. */
export function dictionaryOf(samples: readonly Uint8Array[], most = 4_096): Buffer {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const sample of [...samples].reverse()) {
    if (size >= most) break;
    const part = sample.subarray(0, most - size);
    parts.unshift(part);
    size += part.length;
  }
  return Buffer.concat(parts);
}

export { type Dictionary, prepareDictionary };
