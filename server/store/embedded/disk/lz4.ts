/**
 * LZ4 blocks with a dictionary, for values of a few hundred bytes to a few megabytes. A dictionary's positions are
 * hashed once, so that a short document costs a copied table and not a new look at the dictionary.
 */

const hashBits = 12;
const minMatch = 4;
/** The format's rule: the last five bytes are literals, and no match begins in the last twelve. */
const lastLiterals = 5;
const matchLimit = 12;
const maxOffset = 65_535;

export interface Dictionary {
  bytes: Uint8Array;
  positions: Int32Array;
}

const table = new Int32Array(1 << hashBits);
let work = new Uint8Array(1 << 16);

const hashAt = (bytes: Uint8Array, at: number): number =>
  Math.imul(
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24),
    0x9e3779b1,
  ) >>>
  (32 - hashBits);

/** At most 32 KB: what lies further back than 64 KB cannot be referred to. */
export function prepareDictionary(bytes: Uint8Array): Dictionary {
  const used = bytes.subarray(Math.max(0, bytes.length - 32_768));
  const positions = new Int32Array(1 << hashBits).fill(-1);
  for (let at = 0; at + minMatch <= used.length; at += 1) positions[hashAt(used, at)] = at;
  return { bytes: used, positions };
}

/** The longest that a block of `length` bytes can become. */
const bound = (length: number): number => length + Math.ceil(length / 255) + 16;

/** The compressed block, or null when it would not be smaller than the source. */
export function compress(source: Uint8Array, dictionary?: Dictionary): Buffer | null {
  const start = dictionary?.bytes.length ?? 0;
  const end = start + source.length;
  if (work.length < end) work = new Uint8Array(end * 2);
  if (dictionary) {
    work.set(dictionary.bytes, 0);
    table.set(dictionary.positions);
  } else table.fill(-1);
  work.set(source, start);
  const bytes = work;
  const out = Buffer.allocUnsafe(bound(source.length));
  let written = 0;
  let anchor = start;
  let at = start;
  const lastMatchStart = end - matchLimit;
  while (at <= lastMatchStart) {
    const hash = hashAt(bytes, at);
    const candidate = table[hash]!;
    table[hash] = at;
    if (
      candidate < 0 ||
      at - candidate > maxOffset ||
      bytes[candidate] !== bytes[at] ||
      bytes[candidate + 1] !== bytes[at + 1] ||
      bytes[candidate + 2] !== bytes[at + 2] ||
      bytes[candidate + 3] !== bytes[at + 3]
    ) {
      // The longer nothing was found, the wider the steps: incompressible bytes are passed quickly.
      at += 1 + ((at - anchor) >> 6);
      continue;
    }
    let from = at;
    let match = candidate;
    while (from > anchor && match > 0 && bytes[from - 1] === bytes[match - 1]) {
      from -= 1;
      match -= 1;
    }
    let length = at - from + minMatch;
    const longest = end - lastLiterals - from;
    while (length < longest && bytes[from + length] === bytes[match + length]) length += 1;
    written = writeSequence(out, written, bytes, anchor, from - anchor, from - match, length);
    at = from + length;
    anchor = at;
    if (at - 2 <= lastMatchStart) table[hashAt(bytes, at - 2)] = at - 2;
    if (written >= source.length) return null;
  }
  written = writeLiterals(out, written, bytes, anchor, end - anchor);
  return written < source.length ? out.subarray(0, written) : null;
}

function writeLength(out: Uint8Array, at: number, rest: number): number {
  let left = rest;
  let next = at;
  for (; left >= 255; left -= 255) out[next++] = 255;
  out[next++] = left;
  return next;
}

function copyLiterals(out: Uint8Array, at: number, bytes: Uint8Array, from: number, count: number): number {
  if (count > 48) {
    out.set(bytes.subarray(from, from + count), at);
    return at + count;
  }
  for (let index = 0; index < count; index += 1) out[at + index] = bytes[from + index]!;
  return at + count;
}

function writeSequence(
  out: Uint8Array,
  start: number,
  bytes: Uint8Array,
  literalsFrom: number,
  literals: number,
  offset: number,
  length: number,
): number {
  const match = length - minMatch;
  out[start] = (Math.min(literals, 15) << 4) | Math.min(match, 15);
  let at = start + 1;
  if (literals >= 15) at = writeLength(out, at, literals - 15);
  at = copyLiterals(out, at, bytes, literalsFrom, literals);
  out[at++] = offset & 0xff;
  out[at++] = offset >>> 8;
  if (match >= 15) at = writeLength(out, at, match - 15);
  return at;
}

function writeLiterals(
  out: Uint8Array,
  start: number,
  bytes: Uint8Array,
  from: number,
  count: number,
): number {
  out[start] = Math.min(count, 15) << 4;
  let at = start + 1;
  if (count >= 15) at = writeLength(out, at, count - 15);
  return copyLiterals(out, at, bytes, from, count);
}

/** @throws Error when the block is not one that unfolds to exactly `length` bytes */
export function decompress(block: Uint8Array, length: number, dictionary?: Dictionary): Buffer {
  const out = Buffer.allocUnsafe(length);
  const before = dictionary?.bytes;
  const beforeLength = before?.length ?? 0;
  let at = 0;
  let written = 0;
  const broken = () => new Error('a broken compressed block');
  while (at < block.length) {
    const token = block[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= block.length) throw broken();
        more = block[at++]!;
        literals += more;
      } while (more === 255);
    }
    if (at + literals > block.length || written + literals > length) throw broken();
    copyLiterals(out, written, block, at, literals);
    at += literals;
    written += literals;
    if (at === block.length) break;
    if (at + 2 > block.length) throw broken();
    const offset = block[at]! | (block[at + 1]! << 8);
    at += 2;
    let match = token & 15;
    if (match === 15) {
      let more: number;
      do {
        if (at >= block.length) throw broken();
        more = block[at++]!;
        match += more;
      } while (more === 255);
    }
    match += minMatch;
    if (offset === 0 || offset > written + beforeLength || written + match > length) throw broken();
    let from = written - offset;
    if (from < 0 && before) {
      // The match begins in the dictionary, and may run on into what is already unfolded.
      const inDictionary = Math.min(match, -from);
      for (let index = 0; index < inDictionary; index += 1)
        out[written + index] = before[beforeLength + from + index]!;
      written += inDictionary;
      match -= inDictionary;
      from = 0;
    }
    if (match > 32 && from + match <= written) {
      out.copyWithin(written, from, from + match);
      written += match;
    } else for (; match > 0; match -= 1) out[written++] = out[from++]!;
  }
  if (written !== length) throw broken();
  return out;
}
