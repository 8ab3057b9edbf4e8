import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../../../shared/limits.js';
import { beginningOf } from './unwrap.js';

/**
 * Cuts a stream into letters: one, or the many of an mbox (mboxo and mboxrd), told apart by content. One letter is held
 * at a time, and one that is too large to be held lies in a temporary file, so that memory stays flat however long the
 * stream and its lines are.
 */

/** A letter as it came. */
export interface RawLetter {
  /** Where it was found: the file, and its number in an mbox. */
  name: string;
  size: number;
  /** The first bytes, enough for its headers. */
  head: Buffer;
  /** All of it; null when it is larger than a letter may be. */
  bytes: Buffer | null;
  /** SHA-256 of all of it, hex. */
  sha256(): string;
  content(): AsyncIterable<Uint8Array>;
  /** It stood in an mbox: whatever it holds, somebody kept it as a letter. */
  isFromMbox: boolean;
  /** Removes what was put aside for it. */
  release(): Promise<void>;
}

const headBytes = 256 * 1024;
/** Enough to tell what a line is, and the one below it. */
const lookAhead = 1024;
const lf = 0x0a;

/** The line above each letter of an mbox: `From somebody Mon Mar  3 10:15:00 2025`. */
const dated =
  /^From (?:.{0,300}\s)?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+(?:[A-Z][a-z]{2}\s+\d{1,2}|\d{1,2}\s+[A-Z][a-z]{2})\b.{0,40}\d{1,2}:\d{2}/;
/** What some programs write instead: `From -`, `From ???@??? 123`. */
const nameless = /^From (?:-|\?\?\?@\?\?\?|MAILER[-_]DAEMON)(?:\s|$)/;
/** And others: an address without a time. */
const dateless = /^From \S{1,200}@\S{1,200}\s*$/;
const headerBelow = /^(?:[!-9;-~]{1,200}[ \t]*:|>From )/;

/**
 * Whether a letter begins below the line that this text begins with. Most programs leave a line empty before it, but not
 * all; somebody's sentence may begin with "From", but no header stands below that.
 */
function isSeparator(text: string, isAfterEmpty: boolean): boolean {
  const [line = '', below = ''] = text.split(/\r?\n/, 2);
  if (dated.test(line) || nameless.test(line)) return isAfterEmpty || headerBelow.test(below);
  return dateless.test(line) && isAfterEmpty && headerBelow.test(below);
}

/** The letters of a stream, one at a time: whoever takes one releases it. */
export async function* readLetters(
  source: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<RawLetter> {
  const splitter = createSplitter(name);
  for await (const chunk of source) {
    yield* splitter.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }
  yield* splitter.end();
}

function createSplitter(name: string) {
  let rest: Buffer = Buffer.alloc(0);
  let mode: 'unknown' | 'mbox' | 'single' = 'unknown';
  let number = 0;
  let letter = createCollector();
  let isLineStart = true;
  let isAfterEmpty = true;

  async function* finish(isFromMbox: boolean): AsyncGenerator<RawLetter> {
    if (letter.size() > 0) {
      number += 1;
      yield await letter.finish(isFromMbox ? `${name}#${number}` : name, isFromMbox);
    } else await letter.finish('', false);
    letter = createCollector();
  }

  async function* consume(data: Buffer, isEnd: boolean): AsyncGenerator<RawLetter> {
    let at = 0;
    let from = 0;
    while (at < data.length) {
      if (isLineStart) {
        const first = data[at];
        const needsLook = first === 0x46 || first === 0x3e;
        if (needsLook && !isEnd && data.length - at < lookAhead) break;
        if (needsLook) {
          const text = data.toString('latin1', at, at + lookAhead);
          if (text.startsWith('From ') && isSeparator(text, isAfterEmpty)) {
            await letter.add(data.subarray(from, at));
            yield* finish(true);
            const end = data.indexOf(lf, at);
            if (end === -1) {
              // A line of the world's longest name: the rest of it is passed over with the next piece.
              at = data.length;
              from = at;
              isLineStart = false;
              break;
            }
            at = end + 1;
            from = at;
            isAfterEmpty = false;
            continue;
          }
          if (/^>+From /.test(text)) {
            // mboxrd: one `>` was put before each line that began so.
            await letter.add(data.subarray(from, at));
            from = at + 1;
          }
        }
      }
      const end = data.indexOf(lf, at);
      if (end === -1) {
        isLineStart = false;
        at = data.length;
      } else {
        isAfterEmpty = isLineStart && (end === at || (end === at + 1 && data[at] === 0x0d));
        isLineStart = true;
        at = end + 1;
      }
    }
    await letter.add(data.subarray(from, at));
    rest = data.subarray(at);
  }

  /** Tells by the first lines what it is: an mbox, or one letter, which stays as it came. */
  async function* begin(data: Buffer, isEnd: boolean): AsyncGenerator<RawLetter> {
    rest = Buffer.alloc(0);
    const start = beginningOf(data);
    mode = isSeparator(data.toString('latin1', start, start + lookAhead), true) ? 'mbox' : 'single';
    if (mode === 'mbox') yield* consume(data.subarray(start), isEnd);
    else await letter.add(data);
  }

  return {
    async *push(chunk: Buffer): AsyncGenerator<RawLetter> {
      if (mode === 'single') {
        await letter.add(chunk);
        return;
      }
      const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      if (mode !== 'unknown') yield* consume(data, false);
      else if (data.length < lookAhead) rest = data;
      else yield* begin(data, false);
    },
    async *end(): AsyncGenerator<RawLetter> {
      if (mode === 'unknown') yield* begin(rest, true);
      else if (mode === 'mbox') yield* consume(rest, true);
      yield* finish(mode === 'mbox');
    },
  };
}

/** Gathers a letter in memory, and in a file from the byte on from which it is too large to be read. */
function createCollector() {
  let pieces: Buffer[] = [];
  let size = 0;
  let head: Buffer = Buffer.alloc(0);
  let spool: { folder: string; path: string; file: FileHandle } | null = null;
  const hash = createHash('sha256');
  let digest = '';

  async function putAside(): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'threadline-mail-'));
    const path = join(folder, 'letter');
    spool = { folder, path, file: await open(path, 'wx', 0o600) };
    head = Buffer.concat(pieces).subarray(0, headBytes);
    for (const piece of pieces) await writeAll(spool.file, piece);
    pieces = [];
  }

  return {
    size: () => size,
    async add(piece: Buffer): Promise<void> {
      if (piece.length === 0) return;
      size += piece.length;
      if (spool) {
        await writeAll(spool.file, piece);
      } else {
        pieces.push(piece);
        if (size > limits.emailBytes) await putAside();
      }
    },
    async finish(name: string, isFromMbox: boolean): Promise<RawLetter> {
      await spool?.file.close();
      const whole = spool ? null : withoutLastBreak(Buffer.concat(pieces), isFromMbox);
      pieces = [];
      if (spool) for await (const piece of createReadStream(spool.path)) hash.update(piece);
      const kept = spool;
      return {
        name,
        size: whole ? whole.length : size,
        head: whole ? whole.subarray(0, headBytes) : Buffer.from(head),
        bytes: whole,
        isFromMbox,
        sha256: () => {
          if (digest === '') digest = (whole ? hash.update(whole) : hash).digest('hex');
          return digest;
        },
        content: () => (kept ? createReadStream(kept.path) : onePiece(whole ?? Buffer.alloc(0))),
        release: async () => {
          if (kept) await rm(kept.folder, { recursive: true, force: true });
        },
      };
    },
  };
}

/** The empty line before the next separator is the mbox's, not the letter's. */
function withoutLastBreak(bytes: Buffer, isFromMbox: boolean): Buffer {
  if (!isFromMbox) return bytes;
  const tail = bytes.toString('latin1', Math.max(0, bytes.length - 4));
  if (tail.endsWith('\r\n\r\n')) return bytes.subarray(0, -2);
  return tail.endsWith('\n\n') ? bytes.subarray(0, -1) : bytes;
}

async function* onePiece(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}
