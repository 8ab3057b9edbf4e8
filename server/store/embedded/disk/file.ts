import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { open } from 'lmdb';
import { StoreError } from '../errors.js';

/**
 * The data file before LMDB opens it. LMDB makes a new file in place, page by page, and dies with the whole process of
 * one whose first pages are not its own: so a file gets its name only when it is whole, and is looked at first.
 */

const pageBytes = 4_096;

/** Places in a meta page, behind the page's own head. */
const meta = {
  magic: 24,
  version: 28,
  pageBytes: 48,
  freeRoot: 88,
  mainEntries: 128,
  mainRoot: 136,
  last: 144,
  commit: 152,
  end: 160,
};
const magic = 0xbeefc0de;
const none = 0xffffffffffffffffn;

function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A name is only there after a power cut when the folder that holds it was synced. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  try {
    sync(path);
  } catch (error) {
    // A folder that may be passed but not read, or a file system that knows no such thing: nothing more can be done.
    if (!['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  }
}

function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length && at !== dirname(at); at = dirname(at))
    syncDirectory(dirname(at));
}

async function make(path: string): Promise<void> {
  const draft = `${path}.new`;
  // What a power cut left of the last try.
  for (const left of [draft, `${draft}-lock`]) rmSync(left, { force: true });
  const root = open({
    path: draft,
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    pageSize: pageBytes,
  });
  await root.close();
  sync(draft);
  renameSync(draft, path);
  rmSync(`${draft}-lock`, { force: true });
  syncDirectory(dirname(path));
}

const corrupt = (path: string, problem: string) =>
  new StoreError(
    5002,
    'StoreCorrupt',
    `store_corrupt: ${path}: ${problem}. Put back the last backup of this file; keep the broken one aside.`,
  );

/** Reads both meta pages, and gives the newer one. @throws StoreError `StoreCorrupt` when LMDB could not live with them */
function check(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(2 * pageBytes);
    if (readSync(file, head, 0, head.length, 0) < head.length)
      throw corrupt(path, `it ends after ${size} bytes, within its first two pages`);
    const metas = [0, 1].map((at) => head.subarray(at * pageBytes, at * pageBytes + meta.end));
    for (const [at, page] of metas.entries()) {
      if (page.readUInt32LE(meta.magic) !== magic) throw corrupt(path, `page ${at} is no meta page of LMDB`);
      if (page.readUInt32LE(meta.pageBytes) !== pageBytes)
        throw corrupt(path, `page ${at} speaks of pages of ${page.readUInt32LE(meta.pageBytes)} bytes`);
    }
    const newest = metas.reduce((left, right) =>
      right.readBigUInt64LE(meta.commit) > left.readBigUInt64LE(meta.commit) ? right : left,
    );
    for (const place of [meta.freeRoot, meta.mainRoot]) {
      const root = newest.readBigUInt64LE(place);
      if (root === none) continue;
      if (root > newest.readBigUInt64LE(meta.last) || (root + 1n) * BigInt(pageBytes) > BigInt(size))
        throw corrupt(path, `its root is page ${root}, and it ends after ${size} bytes`);
    }
    return newest;
  } finally {
    closeSync(file);
  }
}

/** How many tables a file has that is there. @throws StoreError `StoreCorrupt` */
export const tablesIn = (path: string): number => Number(check(path).readBigUInt64LE(meta.mainEntries));

/**
 * Makes the file when it is not there, whole and under its name or not at all, and its folder with it.
 *
 * @throws StoreError `StoreCorrupt` for a file that is not the store's, or no more
 */
export async function prepareFile(path: string): Promise<void> {
  const whole = resolve(path);
  makeDirectory(dirname(whole));
  // An empty file is one that was only ever touched.
  if (!existsSync(whole) || statSync(whole).size === 0) await make(whole);
  else check(whole);
}
