import { createReadStream } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { Scope } from '../../workspaces/scope.js';
import { type RawLetter, readLetters } from './mbox.js';
import { parseHead, parseLetter } from './parse.js';
import { type Received, type Receiving, receiveLetters } from './receive.js';

export interface ImportCounts {
  imported: number;
  duplicates: number;
  broken: number;
}

export interface MailImport extends Receiving {
  /** Told of each letter that could not be read, and why. */
  onBroken?: (broken: Received) => void;
  /** Told after each batch. */
  onProgress?: (counts: ImportCounts) => void;
  signal?: AbortSignal;
  /** Reads everything and writes nothing. */
  dryRun?: boolean;
}

/** A batch ends at either: as many letters as the door takes at once, or as many bytes as memory should hold. */
const batchLetters = 128;
const batchBytes = 16 * 1024 * 1024;

/**
 * Puts every letter of these sources onto timelines, a batch at a time; nothing more is read while a batch is written.
 * @throws AppError `store_unavailable`, `store_full`: what was imported until then stays, and the same may be imported again
 */
export async function importMail(
  scope: Scope,
  sources: AsyncIterable<MailSource>,
  options: MailImport,
): Promise<ImportCounts> {
  const counts: ImportCounts = { imported: 0, duplicates: 0, broken: 0 };
  let batch: RawLetter[] = [];
  let bytes = 0;
  const flush = async () => {
    const letters = batch;
    batch = [];
    bytes = 0;
    try {
      const received = options.dryRun
        ? await lookThrough(letters)
        : await receiveLetters(scope, letters, options);
      for (const one of received) {
        if (one.outcome === 'broken') {
          counts.broken += 1;
          options.onBroken?.(one);
        } else counts[one.outcome === 'imported' ? 'imported' : 'duplicates'] += 1;
      }
    } finally {
      for (const letter of letters) await letter.release();
    }
    options.onProgress?.(counts);
  };
  for await (const source of sources) {
    for await (const letter of readLetters(source.open(), source.name)) {
      batch.push(letter);
      bytes += letter.bytes?.length ?? letter.head.length;
      if (batch.length >= batchLetters || bytes >= batchBytes) await flush();
      if (options.signal?.aborted) break;
    }
    if (options.signal?.aborted) break;
  }
  await flush();
  return counts;
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
