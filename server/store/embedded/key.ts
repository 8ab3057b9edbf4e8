import { createHash } from 'node:crypto';
import { Binary, type ObjectId, type Timestamp } from 'bson';
import { bracketOf, numeric } from './values.js';

/**
 * Values as bytes whose order (memcmp) is the order of `compare`: what makes one range scan serve equality, range and
 * sort. Strings and binaries are escaped (00 -> 00 FF) and ended by 00 01, so that a prefix stands first.
 */

/** Longer components are cut and closed with a hash: equality still holds, order among them does not. */
const longest = 400;

const terminator = Buffer.from([0, 1]);

function escaped(bytes: Buffer): Buffer {
  if (!bytes.includes(0)) return Buffer.concat([bytes, terminator]);
  const parts: number[] = [];
  for (const byte of bytes) {
    parts.push(byte);
    if (byte === 0) parts.push(0xff);
  }
  return Buffer.concat([Buffer.from(parts), terminator]);
}

/** Doubles keep their order when the sign is flipped (and all bits, below zero). 64-bit integers add what was rounded. */
function numberBytes(value: number | bigint): Buffer {
  const rounded = Number(value);
  const bytes = Buffer.alloc(10);
  bytes.writeDoubleBE(Object.is(rounded, -0) ? 0 : rounded);
  if (Number.isNaN(rounded)) bytes.fill(0);
  else if (rounded < 0) for (let index = 0; index < 8; index += 1) bytes[index] = ~bytes[index]! & 0xff;
  else bytes[0] = bytes[0]! ^ 0x80;
  const rest = typeof value === 'bigint' ? Number(value - BigInt(rounded)) : 0;
  bytes.writeUInt16BE(rest + 0x8000, 8);
  return bytes;
}

function body(value: unknown): Buffer {
  switch (bracketOf(value)) {
    case 3:
      return numberBytes(numeric(value));
    case 4:
      return escaped(Buffer.from(value as string, 'utf8'));
    case 9:
      return Buffer.from([value ? 1 : 0]);
    case 10: {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt((value as Date).getTime()));
      bytes[0] = bytes[0]! ^ 0x80;
      return bytes;
    }
    case 8:
      return Buffer.from((value as ObjectId).id);
    case 11: {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE((value as Timestamp).toBigInt());
      return bytes;
    }
    case 7: {
      const bytes =
        value instanceof Binary ? value.buffer.subarray(0, value.position) : (value as Uint8Array);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(bytes.length);
      head[4] = value instanceof Binary ? value.sub_type : 0;
      return Buffer.concat([head, bytes]);
    }
    case 6:
      return Buffer.concat([...(value as unknown[]).map((item) => keyOf(item)), Buffer.from([0])]);
    case 5:
    case 12: {
      const parts = Object.entries(value as Record<string, unknown>).map(([name, item]) =>
        Buffer.concat([Buffer.from([bracketOf(item) + 1]), escaped(Buffer.from(name, 'utf8')), keyOf(item)]),
      );
      return Buffer.concat([...parts, Buffer.from([0])]);
    }
    default:
      return Buffer.alloc(0);
  }
}

/** Strings are most of what is indexed: written once, without the detours. */
function stringKey(text: string): Buffer | null {
  const length = Buffer.byteLength(text, 'utf8');
  if (length + 3 > longest || text.includes('\0')) return null;
  const bytes = Buffer.allocUnsafe(length + 3);
  bytes[0] = 5;
  bytes.write(text, 1, 'utf8');
  bytes[length + 1] = 0;
  bytes[length + 2] = 1;
  return bytes;
}

/** The key of one value. A missing field is indexed as null. */
function keyOf(value: unknown): Buffer {
  const short = typeof value === 'string' ? stringKey(value) : null;
  if (short) return short;
  const stored = value === undefined ? null : value;
  const bytes = Buffer.concat([Buffer.from([bracketOf(stored) + 1]), body(stored)]);
  if (bytes.length <= longest) return bytes;
  const hash = createHash('sha256').update(bytes).digest();
  return Buffer.concat([bytes.subarray(0, longest - 34), hash, terminator]);
}

/** The same, for a field indexed downwards. */
export function directedKey(value: unknown, direction: number): Buffer {
  const bytes = keyOf(value);
  if (direction > 0) return bytes;
  const inverted = Buffer.allocUnsafe(bytes.length);
  for (let index = 0; index < bytes.length; index += 1) inverted[index] = ~bytes[index]! & 0xff;
  return inverted;
}

/** The least byte string after all that begin with `prefix`; null when there is none. */
export function after(prefix: Buffer): Buffer | null {
  for (let index = prefix.length - 1; index >= 0; index -= 1) {
    if (prefix[index] === 0xff) continue;
    const next = Buffer.from(prefix.subarray(0, index + 1));
    next[index] = next[index]! + 1;
    return next;
  }
  return null;
}
