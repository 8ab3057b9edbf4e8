import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * One process at a time has a data directory open: LMDB allows several, but this store keeps in memory what it wrote.
 * The owner stands in `owner.json`: its pid, when that process began (a pid alone may have been given to another since),
 * and the socket under which it serves.
 */
export interface Owner {
  pid: number;
  /** In the kernel's ticks since it started; empty where the system does not say. */
  began: string;
  socketPath: string;
}

/** The directory is another process's. */
export class LockedError extends Error {
  constructor(readonly owner: Owner) {
    super(`the data directory is open in process ${owner.pid}`);
  }
}

const fileIn = (directory: string) => join(directory, 'owner.json');
const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** When a process began; null when it does not live. */
function beganAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in parentheses that may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? '');
  } catch (error) {
    if (process.platform === 'linux' && codeOf(error) === 'ENOENT') return null;
    return isAlive(pid) ? '' : null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function ownerIn(path: string): Owner | null {
  let owner: Partial<Owner>;
  try {
    owner = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
  if (
    typeof owner.pid !== 'number' ||
    typeof owner.began !== 'string' ||
    typeof owner.socketPath !== 'string'
  )
    return null;
  return { pid: owner.pid, began: owner.began, socketPath: owner.socketPath };
}

/** The living owner of a directory; null when it is free. */
export function ownerOf(directory: string): Owner | null {
  const owner = ownerIn(fileIn(directory));
  if (!owner) return null;
  const began = beganAt(owner.pid);
  return began !== null && began === owner.began ? owner : null;
}

/**
 * Takes a directory for this process.
 * @returns how to give it back
 * @throws LockedError naming the owner
 */
export function own(directory: string, socketPath: string): () => void {
  const path = fileIn(directory);
  const self: Owner = { pid: process.pid, began: beganAt(process.pid) ?? '', socketPath };
  for (let tries = 0; ; tries += 1) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, JSON.stringify(self));
      fsyncSync(file);
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || tries > 10) throw error;
      const owner = ownerOf(directory);
      if (owner) throw new LockedError(owner);
      removeStale(directory);
    }
  }
}

/** Takes a dead owner's file away. Moved first: of two that try, one moves it, and whoever moved a living one puts it back. */
function removeStale(directory: string): void {
  const path = fileIn(directory);
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const moved = ownerIn(aside);
  const isLiving = moved !== null && beganAt(moved.pid) === moved.began;
  if (isLiving) linkSync(aside, path);
  rmSync(aside, { force: true });
  if (isLiving) throw new LockedError(moved);
}
