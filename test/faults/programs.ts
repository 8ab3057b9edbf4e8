import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../journeys/server.js';
import { type Network, startNetwork } from './network.js';

/** The real parts as processes of their own, each of which can be killed, stopped and started again at its address. */

const root = join(import.meta.dirname, '../..');
const threadline = ['--enable-source-maps', 'bin/threadline.js'];
/** However slow the machine: a start that takes longer has failed. */
const guardMs = 60_000;

export interface Program {
  readonly name: string;
  readonly isUp: boolean;
  /** Resolves when it does its work. */
  start(): Promise<void>;
  /** SIGKILL, and gone when it resolves. */
  kill(): Promise<void>;
  /** SIGTERM, and gone when it resolves. */
  stop(): Promise<void>;
  /** SIGSTOP and SIGCONT: it stands still, and its connections with it. */
  pause(): void;
  resume(): void;
  printed(): string;
  /** How often it ended although nobody ended it. */
  readonly ownEnds: number;
}

interface ProgramOptions {
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Whether it works, by what it has printed since it was started, or by asking it. */
  isReady: (printed: string) => boolean | Promise<boolean>;
}

export function program(name: string, options: ProgramOptions): Program {
  let child: ChildProcess | null = null;
  let printed = '';
  let ownEnds = 0;
  let isEnding = false;

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    isEnding = true;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    // One that stands still takes only SIGKILL.
    if (signal !== 'SIGKILL') ending.kill('SIGCONT');
    await ended;
  }

  return {
    name,
    get isUp() {
      return child !== null && child.exitCode === null && child.signalCode === null;
    },
    get ownEnds() {
      return ownEnds;
    },
    async start() {
      const from = printed.length;
      isEnding = false;
      const started = spawn(options.command, options.args, {
        cwd: root,
        env: { ...process.env, NODE_ENV: 'test', ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          printed += chunk.toString();
        });
      }
      started.once('exit', () => {
        if (!isEnding) ownEnds += 1;
      });
      const until = performance.now() + guardMs;
      while (!(await options.isReady(printed.slice(from)))) {
        if (isEnding) return;
        if (started.exitCode !== null || performance.now() > until) {
          throw new Error(`${name} did not become ready:\n${printed.slice(from).slice(-4_000)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    printed: () => printed,
  };
}

export interface ServerProgram extends Program {
  url: string;
  port: number;
  /** Its way to Redis, which can be cut for this server alone. */
  redis: Network;
  /** Sets its wall clock, by this many seconds. Only of one that was started with a clock of its own. */
  setClock(seconds: number): void;
}

export interface Cluster {
  store: Program;
  redis: Program;
  servers: ServerProgram[];
  /** The first server's way to the store. The others reach it directly: a process more on each step of theirs is slow. */
  splittable: Network;
  /** Reaches the store directly, past every proxy. */
  storeUri: string;
  env: Record<string, string>;
  /** Runs `threadline` on the same store. */
  cli(args: string[], input?: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * A store, a Redis that keeps nothing, and servers. The last server has a wall clock of its own (faketime): its timers
 * go on as before when that is set.
 */
export async function startCluster(options: {
  servers: number;
  random: () => number;
  env: (name: string) => Record<string, string>;
}): Promise<Cluster> {
  // Small letters: a driver puts a socket's path into lower case.
  const folder = join(tmpdir(), `threadline-faults-${randomBytes(6).toString('hex')}`);
  mkdirSync(folder, { mode: 0o700 });
  const secretKey = randomBytes(32).toString('hex');
  const storePath = join(folder, 'store', 'store.sock');
  const uriOf = (path: string, query: string) => `mongodb://${encodeURIComponent(path)}/threadline?${query}`;
  const storeUri = uriOf(storePath, 'replicaSet=threadline');

  const store = program('store', {
    command: process.execPath,
    args: [...threadline, 'store', 'serve'],
    env: { DATA_DIR: folder, LOG_LEVEL: 'warn' },
    isReady: (printed) => printed.includes('MONGODB_URI='),
  });
  const redisPort = await freePort();
  const redis = program('redis', {
    command: 'redis-server',
    args: ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    isReady: (printed) => printed.includes('Ready to accept connections'),
  });
  const closers: (() => Promise<void>)[] = [
    () => redis.kill(),
    () => store.stop(),
    async () => rmSync(folder, { recursive: true, force: true }),
  ];

  const proxyPath = join(folder, 'split.sock');
  const splittable = await startNetwork({
    listen: proxyPath,
    targets: () => [storePath],
    random: options.random,
  });
  closers.unshift(() => splittable.close());

  async function aServer(at: number): Promise<ServerProgram> {
    const name = `server-${at}`;
    const dataDir = join(folder, name);
    mkdirSync(dataDir, { mode: 0o700 });
    const redisProxy = await startNetwork({ targets: () => [redisPort], random: options.random });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const clock = join(dataDir, 'clock');
    const hasClock = at === options.servers - 1;
    if (hasClock) writeFileSync(clock, '+0');
    const served = program(name, {
      command: process.execPath,
      args: [...threadline, 'serve'],
      env: {
        DATA_DIR: dataDir,
        LOG_LEVEL: 'warn',
        PORT: String(port),
        PUBLIC_URL: url,
        SECRET_KEY: secretKey,
        MONGODB_URI: at === 0 ? uriOf(proxyPath, 'directConnection=true') : storeUri,
        REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
        ...(hasClock && {
          LD_PRELOAD: clockLibrary(),
          FAKETIME_TIMESTAMP_FILE: clock,
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
          FAKETIME_NO_CACHE: '1',
        }),
        ...options.env(name),
      },
      isReady: async (printed) =>
        printed.includes('is ready in') && ((await fetch(`${url}/readyz`).catch(() => null))?.ok ?? false),
    });
    closers.unshift(async () => {
      await served.kill();
      await redisProxy.close();
    });
    return Object.assign(served, {
      url,
      port,
      redis: redisProxy,
      setClock: (seconds: number) => writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}`),
    });
  }

  const env = {
    DATA_DIR: join(folder, 'cli'),
    SECRET_KEY: secretKey,
    MONGODB_URI: storeUri,
    LOG_LEVEL: 'warn',
  };
  const stop = async (): Promise<void> => {
    for (const close of closers) await close();
  };
  try {
    await Promise.all([store.start(), redis.start()]);
    const servers: ServerProgram[] = [];
    for (let at = 0; at < options.servers; at += 1) {
      const one = await aServer(at);
      servers.push(one);
      await one.start();
    }
    return {
      store,
      redis,
      servers,
      splittable,
      storeUri,
      env,
      cli: (args, input) => runCli(args, env, input),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What `faketime` puts in front of the system's clock. The wrapper itself would stay between us and the server. */
function clockLibrary(): string {
  const environment = execFileSync('faketime', ['-m', '-f', '+0', 'env'], { encoding: 'utf8' });
  const found = /^LD_PRELOAD=(\S+)$/m.exec(environment)?.[1];
  if (found === undefined) throw new Error('faketime is not installed');
  return found;
}

function runCli(args: string[], env: Record<string, string>, input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const run = spawn(process.execPath, [...threadline, ...args], {
      cwd: root,
      env: { ...process.env, NODE_ENV: 'test', ...env },
    });
    let output = '';
    let errors = '';
    run.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    run.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    run.once('error', reject);
    run.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`threadline ${args.join(' ')}: ${errors}`)),
    );
    run.stdin.end(input);
  });
}
