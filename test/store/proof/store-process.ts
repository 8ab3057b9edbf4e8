import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundled } from './programs.js';

export interface StoreProcess {
  pid: number;
  uri: string;
  socketPath: string;
  /** The last of what it printed. */
  said(): string;
  /** How it ended; null while it runs. */
  ended(): { code: number | null; signal: string | null } | null;
  /** `kill -9`, and the wait until it is gone. */
  kill(): Promise<void>;
  /** Asks it to close and waits until it has. */
  close(): Promise<void>;
}

export interface Folder {
  path: string;
  /** Where the store keeps its data. */
  data: string;
  socketPath: string;
  remove(): void;
}

/**
 * A folder of the test's own. In lower case, since drivers put the names of a replica set's members there, paths too.
 * In memory where the test is about bytes and not about a disk.
 */
export function aFolder(where: 'disk' | 'memory' = 'disk'): Folder {
  const parent = where === 'memory' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const path = join(parent, `threadline-proof-${randomBytes(6).toString('hex')}`);
  mkdirSync(path, { recursive: true });
  return {
    path,
    data: join(path, 'store'),
    socketPath: join(path, 's.sock'),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export const uriOf = (socketPath: string): string =>
  `mongodb://${encodeURIComponent(socketPath)}/?replicaSet=threadline`;

const guardMs = 30_000;

/** Waits for a child's first message. */
function firstMessage(child: ChildProcess, said: () => string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const guard = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the store did not start in ${guardMs} ms: ${said()}`));
    }, guardMs);
    child.once('message', (message) => {
      clearTimeout(guard);
      resolve(message);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(guard);
      reject(new Error(`the store ended with ${code ?? signal} before it was ready: ${said()}`));
    });
  });
}

/** What a handler threw that was no answer, once each. */
export function unansweredBy({ said }: StoreProcess): string[] {
  const failures = said().split('unanswered: ').slice(1);
  return [...new Set(failures.map((failure) => failure.split('\n').slice(0, 4).join('\n')))];
}

/** Starts the store on a folder; `around` is a command that runs it, as `strace` does. */
export async function startStore(folder: Folder, around: string[] = []): Promise<StoreProcess> {
  const [command, ...args] = [
    ...around,
    process.execPath,
    await bundled('program'),
    folder.data,
    folder.socketPath,
  ];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-200_000);
    });
  let end: { code: number | null; signal: string | null } | null = null;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      end = { code, signal };
      resolve();
    });
  });
  const { pid } = (await firstMessage(child, () => said)) as { pid: number };
  return {
    pid,
    uri: uriOf(folder.socketPath),
    socketPath: folder.socketPath,
    said: () => said,
    ended: () => end,
    async kill() {
      // The store itself, not what runs it: that ends with it, and has written its record by then.
      if (!end) process.kill(pid, 'SIGKILL');
      await ended;
    },
    async close() {
      if (!end) child.send('close');
      await ended;
    },
  };
}
