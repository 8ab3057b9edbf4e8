import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import mongoose from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { mendDriver } from './driver.js';
import { LockedError, own, ownerOf } from './embedded/disk/lock.js';
import type { ServeOptions } from './embedded/serve.js';

export interface Store {
  kind: 'embedded' | 'mongodb';
  /** Where the same store can be reached by another process of this machine. */
  uri: string;
  close(): Promise<void>;
}

interface StoreOptions {
  dataDir: string;
  /** MongoDB, or the embedded store of another process. Without it the store runs here, in a worker thread. */
  mongodbUri?: string;
  /** When another process has the data directory open: be refused, or use its store through its socket. */
  whenOwned?: 'refuse' | 'join';
  /** Told what should not have happened in the embedded store. */
  onFailure?: (problem: unknown) => void;
}

/**
 * A Unix socket's path has a hard limit (107 bytes on Linux), and drivers put the names of a replica set's members into
 * lower case, paths too: what is long or holds a capital goes under a short folder of the system's.
 */
function socketPathFor(directory: string): string {
  const isFine = (path: string) => Buffer.byteLength(path) <= 100 && path === path.toLowerCase();
  const near = join(directory, 'store.sock');
  if (isFine(near)) return near;
  const name = `threadline-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
  const folder = isFine(join(tmpdir(), name, 'store.sock')) ? join(tmpdir(), name) : join('/tmp', name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, 'store.sock');
}

const uriOf = (socketPath: string) =>
  `mongodb://${encodeURIComponent(socketPath)}/threadline?replicaSet=threadline`;

/** The worker's file: beside this one when built; from TypeScript it is bundled once for each state of its sources. */
async function workerFile(): Promise<string> {
  const built = fileURLToPath(new URL('./embedded/worker.js', import.meta.url));
  if (!import.meta.url.endsWith('.ts')) return built;
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [built.replace(/\.js$/, '.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'node20',
    write: false,
  });
  const code = outputFiles[0]!.text;
  const folder = fileURLToPath(new URL('../../.cache/', import.meta.url));
  const file = join(
    folder,
    `store-worker-${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`,
  );
  mkdirSync(folder, { recursive: true });
  if (!existsSync(file)) writeFileSync(file, code);
  return file;
}

const failureOf = (codeName: string, message: string): AppError => {
  if (codeName === 'StoreCorrupt') return new AppError('store_corrupt', { place: message });
  return new AppError('store_unavailable', { problem: message.slice(0, 300) });
};

function startWorker(
  file: string,
  directory: string,
  socketPath: string,
  options: ServeOptions,
): Promise<Worker> {
  const { onFailure, ...passed } = options;
  return new Promise((ready, reject) => {
    const worker = new Worker(file, { workerData: { directory, socketPath, options: passed } });
    worker.once('error', reject);
    worker.once('message', (message: { type: string; codeName?: string; message?: string }) => {
      worker.on('message', (later: { type: string; message?: string }) => {
        if (later.type === 'failure') onFailure?.(later.message);
      });
      if (message.type === 'ready') ready(worker);
      else reject(failureOf(message.codeName ?? '', message.message ?? ''));
    });
  });
}

async function stopWorker(worker: Worker): Promise<void> {
  const ended = new Promise((done) => worker.once('exit', done));
  worker.postMessage({ type: 'close' });
  await ended;
}

function connect(uri: string): Promise<unknown> {
  mendDriver();
  return mongoose.connect(uri, {
    autoIndex: false,
    autoCreate: false,
    bufferCommands: false,
    serverSelectionTimeoutMS: 10_000,
    writeConcern: { w: 'majority' },
    maxPoolSize: 100,
  });
}

function take(directory: string, socketPath: string): () => void {
  try {
    return own(directory, socketPath);
  } catch (error) {
    if (error instanceof LockedError) throw new AppError('store_locked', { pid: error.owner.pid });
    throw error;
  }
}

/** The embedded store under a data directory, served on its socket. Ends with `close`. */
export const startEmbedded = (dataDir: string, options: ServeOptions = {}): Promise<Embedded> =>
  openWorker(join(resolve(dataDir), 'store'), options);

interface Embedded {
  uri: string;
  close(): Promise<void>;
}

/** A store's own directory, opened in a worker thread. @throws AppError `store_locked`, `store_corrupt`, `store_unavailable` */
export async function openWorker(directory: string, options: ServeOptions = {}): Promise<Embedded> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const socketPath = socketPathFor(directory);
  const release = take(directory, socketPath);
  try {
    const worker = await startWorker(await workerFile(), directory, socketPath, options);
    return {
      uri: uriOf(socketPath),
      async close() {
        await stopWorker(worker);
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Connects mongoose, to MongoDB where there is a URI, else to the embedded store, which it starts.
 * @throws AppError `store_locked` (naming the owner), `store_corrupt`, `store_unavailable`
 */
export async function openStore({
  dataDir,
  mongodbUri,
  whenOwned = 'refuse',
  onFailure,
}: StoreOptions): Promise<Store> {
  mongoose.set('strictQuery', true);
  if (mongodbUri !== undefined) {
    await connect(mongodbUri);
    return { kind: 'mongodb', uri: mongodbUri, close: () => mongoose.disconnect() };
  }
  const owner = whenOwned === 'join' ? ownerOf(join(resolve(dataDir), 'store')) : null;
  if (owner) {
    const uri = uriOf(owner.socketPath);
    await connect(uri);
    return { kind: 'embedded', uri, close: () => mongoose.disconnect() };
  }
  const embedded = await startEmbedded(dataDir, onFailure && { onFailure });
  try {
    await connect(embedded.uri);
  } catch (error) {
    await embedded.close();
    throw error;
  }
  return {
    kind: 'embedded',
    uri: embedded.uri,
    async close() {
      await mongoose.disconnect();
      await embedded.close();
    },
  };
}
