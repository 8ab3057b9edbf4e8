import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type ServerProcess, startServer } from '../journeys/server.js';

const root = join(import.meta.dirname, '../..');

/** A process of a test's own, that is ended for certain. */
export interface Running {
  /** `kill -9`, or another signal. Resolves when it has ended, or at once for a signal that ends nothing. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export interface RedisProcess extends Running {
  url: string;
  /** On the same port, with nothing in it. */
  restart(): Promise<void>;
  remove(): Promise<void>;
}

export interface StoreProcess extends Running {
  uri: string;
  /** On the same data and the same socket. */
  restart(): Promise<void>;
  remove(): Promise<void>;
}

/** The address of all servers together, unless the environment names another: what pages of the installation come from. */
export const publicUrl = 'http://threadline.example';

export interface Cluster {
  redis: RedisProcess;
  store: StoreProcess;
  servers: ServerProcess[];
  /** One server more, of the same installation. */
  add(env?: Record<string, string>): Promise<ServerProcess>;
  remove(): Promise<void>;
}

/** Runs a program until it prints what says that it is ready. */
async function run(command: string, args: string[], env: NodeJS.ProcessEnv, ready: RegExp) {
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    const guard = setTimeout(() => reject(new Error(`${command} was not ready:\n${printed}`)), 30_000);
    const look = (chunk: Buffer) => {
      printed += chunk.toString();
      const match = ready.exec(printed);
      if (!match) return;
      clearTimeout(guard);
      resolve(match);
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', () => reject(new Error(`${command} ended:\n${printed}`)));
    child.once('error', reject);
  });
  return { child, found };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended;
}

/** A real Redis that keeps nothing on disk. */
export async function startRedis(): Promise<RedisProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'threadline-redis-'));
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
  const start = async () =>
    (await run('redis-server', args, process.env, /Ready to accept connections/)).child;
  let child = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    kill: (signal = 'SIGKILL') => end(child, signal),
    async restart() {
      await end(child, 'SIGKILL');
      child = await start();
    },
    async remove() {
      await end(child, 'SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The embedded store in a process of its own, in the place of MongoDB. */
export async function startStore(): Promise<StoreProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  const env = { ...process.env, DATA_DIR: dataDir };
  const start = () =>
    run(process.execPath, ['bin/threadline.js', 'store', 'serve'], env, /MONGODB_URI=(\S+)/);
  let { child, found } = await start();
  return {
    uri: found[1] ?? '',
    kill: (signal = 'SIGKILL') => end(child, signal),
    async restart() {
      await end(child, 'SIGKILL');
      ({ child, found } = await start());
    },
    async remove() {
      await end(child, 'SIGTERM');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Servers as one installation: one store and one Redis, each in its process, and a data directory for each server. */
export async function startCluster(count: number, env: Record<string, string> = {}): Promise<Cluster> {
  const [redis, store] = await Promise.all([startRedis(), startStore()]);
  const servers: ServerProcess[] = [];
  const add = async (more: Record<string, string> = {}) => {
    const server = await startServer({
      MONGODB_URI: store.uri,
      REDIS_URL: redis.url,
      PUBLIC_URL: publicUrl,
      SECRET_KEY: 'one-key-for-all-processes-of-this-installation',
      ...env,
      ...more,
    });
    servers.push(server);
    return server;
  };
  const remove = async () => {
    await Promise.allSettled(servers.map((server) => server.remove()));
    await Promise.allSettled([redis.remove(), store.remove()]);
  };
  try {
    // The first one makes the workspace and prints the one-time link.
    for (let n = 0; n < count; n += 1) await add();
  } catch (error) {
    await remove();
    throw error;
  }
  return { redis, store, servers, add, remove };
}
