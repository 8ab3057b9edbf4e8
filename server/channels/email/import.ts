import { createReadStream } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { Scope } from '../../workspaces/scope.js';
import { type RawLetter, readLetters } from './mbox.js';
import { parseHead, parseLetter } from './parse.js';
import { newRun, type Received, type Receiving, receiveLetters } from './receive.js';

export interface ImportCounts {
  imported: number;
  duplicates: number;
  broken: number;
}

export interface MailImport extends Omit<Receiving, 'run'> {
  /** Told of each letter that could not be read, and why. */
  onBroken?: (broken: Received) => void;
  /** Told after each batch. */
  onProgress?: (counts: ImportCounts) => void;
  signal?: AbortSignal;
  /** Reads everything and writes nothing. */
  dryRun?: boolean;
}

/** A batch ends at either: as many letters as one commit should hold, or as many bytes as memory should. */
const batchLetters = 128;
const batchBytes = 8 * 1024 * 1024;
/** While one batch waits for the disk, another is read and decoded. Nothing more is read before one of them is done. */
const batchesAtOnce = 3;

/**
 * Puts every letter of these sources onto timelines, a few batches at a time.
 * @throws AppError `store_unavailable`, `store_full`: what was imported until then stays, and the same may be imported again
 */
export async function importMail(
  scope: Scope,
  sources: AsyncIterable<MailSource>,
  options: MailImport,
): Promise<ImportCounts> {
  const counts: ImportCounts = { imported: 0, duplicates: 0, broken: 0 };
  const underway = new Set<Promise<void>>();
  const run = newRun();

  async function write(letters: readonly RawLetter[]): Promise<void> {
    try {
      const received = options.dryRun
        ? await lookThrough(letters)
        : await receiveLetters(scope, letters, { ...options, run });
      for (const one of received) count(one);
    } finally {
      for (const letter of letters) await letter.release();
    }
    options.onProgress?.(counts);
  }

  function count(one: Received): void {
    if (one.outcome === 'imported') counts.imported += 1;
    else if (one.outcome === 'duplicate') counts.duplicates += 1;
    else {
      counts.broken += 1;
      options.onBroken?.(one);
    }
  }

  async function begin(letters: readonly RawLetter[]): Promise<void> {
    if (underway.size >= batchesAtOnce) await Promise.race(underway);
    const batch: Promise<void> = write(letters).finally(() => underway.delete(batch));
    underway.add(batch);
    // Who fails while the next letters are read is heard by the race or at the end.
    batch.catch(() => {});
  }

  try {
    for await (const letters of batches(sources, options.signal)) await begin(letters);
    await Promise.all(underway);
  } finally {
    await Promise.allSettled(underway);
  }
  return counts;
}

async function* batches(
  sources: AsyncIterable<MailSource>,
  signal: AbortSignal | undefined,
): AsyncGenerator<RawLetter[]> {
  let batch: RawLetter[] = [];
  let bytes = 0;
  for await (const source of sources) {
    for await (const letter of readLetters(source.open(), source.name)) {
      batch.push(letter);
      bytes += letter.bytes?.length ?? letter.head.length;
      if (batch.length >= batchLetters || bytes >= batchBytes) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      if (signal?.aborted) break;
    }
    if (signal?.aborted) break;
  }
  if (batch.length > 0) yield batch;
}

/** What an import would find, without the store: doubles are not known then. */
async function lookThrough(letters: readonly RawLetter[]): Promise<Received[]> {
  const found: Received[] = [];
  for (const raw of letters) {
    const { unread } = raw.bytes ? await parseLetter(raw.bytes) : parseHead(raw.head, 'too_large');
    found.push({
      name: raw.name,
      outcome: unread ? 'broken' : 'imported',
      ...(unread && { reason: unread }),
    });
  }
  return found;
}

/** A stream of letters and what to call it. */
export interface MailSource {
  name: string;
  open(): AsyncIterable<Uint8Array>;
}

/**
 * A file, every file below a folder in order of their names, or standard input (`-`). Which of them hold letters is told
 * by content, whatever they are called.
 * @throws the system's error when the path cannot be read
 */
export async function* mailSources(
  path: string,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<MailSource> {
  if (path === '-') yield { name: 'standard input', open: () => input };
  else if ((await stat(path)).isDirectory()) yield* below(path, path);
  else yield { name: basename(path), open: () => createReadStream(path) };
}

async function* below(root: string, folder: string): AsyncGenerator<MailSource> {
  const entries: { name: string; isFolder: boolean }[] = [];
  for await (const entry of await opendir(folder)) {
    // Links are not followed: they may lead out of the folder, or round in it.
    if (!entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory())) {
      entries.push({ name: entry.name, isFolder: entry.isDirectory() });
    }
  }
  for (const { name, isFolder } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, name);
    if (isFolder) yield* below(root, path);
    else yield { name: relative(root, path), open: () => createReadStream(path) };
  }
}
