import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import mongoose from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { openWorker } from './connect.js';
import { ownerOf } from './embedded/disk/lock.js';
import { fileIn } from './embedded/serve.js';

/**
 * A consistent copy of the embedded store, taken while it runs: the file as of one commit, without its free pages.
 *
 * @throws AppError `store_unavailable` when there is no embedded store, the file exists, or the disk does not take it
 */
export async function backUp(file: string): Promise<{ bytes: number }> {
  const database = mongoose.connection.getClient().db('admin');
  try {
    const { bytes } = await database.command({ copyStore: resolve(file) });
    return { bytes: Number(bytes) };
  } catch (error) {
    throw new AppError('store_unavailable', {
      problem: error instanceof Error ? error.message : String(error),
    });
  }
}

/**
 * Puts a copy in the place of the store under `dataDir`, which nobody has open. The store that was there stays beside it,
 * named `threadline.lmdb.before-restore`.
 *
 * @throws AppError `store_corrupt` for a file that is no store, `store_locked` when a process has it open
 */
export async function restore(file: string, dataDir: string): Promise<{ kept: string | null }> {
  const directory = join(resolve(dataDir), 'store');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const owner = ownerOf(directory);
  if (owner) throw new AppError('store_locked', { pid: owner.pid });
  const place = fileIn(directory);
  const trial = join(directory, `restore-${process.pid}`);
  mkdirSync(trial, { mode: 0o700 });
  try {
    copyFileSync(file, fileIn(trial));
    // Opened once on the side: what cannot be opened must not take a working store's place.
    await (await openWorker(trial)).close();
    const kept = `${place}.before-restore`;
    const hadOne = existsSync(place);
    if (hadOne) renameSync(place, kept);
    renameSync(fileIn(trial), place);
    rmSync(`${place}-lock`, { force: true });
    return { kept: hadOne ? kept : null };
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}
