import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Seen } from './book.js';
import { bundled } from './programs.js';
import { aFolder } from './store-process.js';

export type Reading = { seen: Seen; wrong: string[] } | { error: string };

export interface ImageReader {
  /** Opens what a power loss left, in a fresh directory, and reads it. */
  read(image: Map<string, Buffer>, directory: string, isThorough: boolean): Promise<Reading>;
  close(): void;
}

const guardMs = 30_000;

/** Processes that open images, so that one that dies of an image takes nothing with it. */
export async function startImageReaders(count: number): Promise<ImageReader> {
  const program = await bundled('reader-program');
  const folder = aFolder('memory');
  let made = 0;

  interface Worker {
    child: ChildProcess | null;
    isBusy: boolean;
  }
  const workers: Worker[] = Array.from({ length: count }, () => ({ child: null, isBusy: false }));
  const waiting: ((worker: Worker) => void)[] = [];

  async function start(worker: Worker): Promise<ChildProcess> {
    const child = fork(program, { serialization: 'advanced', silent: true });
    await once(child, 'message');
    worker.child = child;
    return child;
  }

  function take(): Promise<Worker> {
    const free = workers.find(({ isBusy }) => !isBusy);
    if (!free) return new Promise((resolve) => waiting.push(resolve));
    free.isBusy = true;
    return Promise.resolve(free);
  }

  function give(worker: Worker): void {
    const next = waiting.shift();
    if (next) next(worker);
    else worker.isBusy = false;
  }

  async function ask(worker: Worker, request: object): Promise<Reading> {
    const child = worker.child ?? (await start(worker));
    return new Promise((resolve) => {
      const done = (reading: Reading, isDead: boolean) => {
        clearTimeout(guard);
        child.removeAllListeners('message').removeAllListeners('exit');
        if (isDead) worker.child = null;
        resolve(reading);
      };
      const guard = setTimeout(() => {
        child.kill('SIGKILL');
        done({ error: `no answer in ${guardMs} ms` }, true);
      }, guardMs);
      child.once('message', (reading) => done(reading as Reading, false));
      child.once('exit', (code, signal) => done({ error: `the store died: ${code ?? signal}` }, true));
      child.send(request);
    });
  }

  return {
    async read(image, directory, isThorough) {
      const worker = await take();
      made += 1;
      const data = join(folder.path, `image-${made}`);
      try {
        for (const [path, bytes] of image) {
          const target = join(data, relative(directory, path));
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, bytes);
        }
        return await ask(worker, { data, socketPath: join(folder.path, `i${made}.sock`), isThorough });
      } finally {
        rmSync(data, { recursive: true, force: true });
        give(worker);
      }
    },
    close() {
      for (const { child } of workers) child?.kill();
      folder.remove();
    },
  };
}
