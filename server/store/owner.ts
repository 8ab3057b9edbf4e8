import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../shared/errors.js';

/** Who has a data directory open: one process at a time. */
export interface Owner {
  pid: number;
  /** When that process began, in the kernel's ticks: a pid alone may have been given to another since. */
  began: string;
  socketPath: string;
}

const fileIn = (directory: string) => join(directory, 'owner.json');

function beganAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch (error) {
    // Systems without /proc: only whether it lives.
    if (pid === process.pid) return '';
    try {
      process.kill(pid, 0);
      return '';
    } catch (failure) {
      return (failure as NodeJS.ErrnoException).code === 'EPERM' && error !== undefined ? '' : null;
    }
  }
}

/** The living owner of a directory; null when it is free. */
export function ownerOf(directory: string): Owner | null {
  let owner: Owner;
  try {
    owner = JSON.parse(readFileSync(fileIn(directory), 'utf8')) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
  const began = beganAt(owner.pid);
  return began !== null && began === owner.began ? owner : null;
}

/**
 * Takes a directory for this process.
 * @returns how to give it back
 * @throws AppError `store_locked` naming the owner's pid
 */
export function own(directory: string, socketPath: string): () => void {
  const path = fileIn(directory);
  for (;;) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(
        file,
        JSON.stringify({ pid: process.pid, began: beganAt(process.pid) ?? '', socketPath } satisfies Owner),
      );
      fsyncSync(file);
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = ownerOf(directory);
      if (owner) throw new AppError('store_locked', { pid: owner.pid });
      rmSync(path, { force: true });
    }
  }
}
