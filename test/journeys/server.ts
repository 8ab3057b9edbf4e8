import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface ServerProcess {
  url: string;
  dataDir: string;
  /** Everything it has printed so far. */
  output(): string;
  pid(): number;
  /** The token of the one-time link that a first start prints. */
  setupToken(): string;
  /** Asks it to stop and waits until it has. */
  stop(): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Starts again on the same address and data. */
  restart(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
  /** Runs `threadline` beside it, with the same settings. */
  cli(args: string[], input?: string | Buffer): Promise<{ code: number; stdout: string; stderr: string }>;
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });

/** A real server process, as `npm start` runs it, on a free port with data of its own. */
export async function startServer(env: Record<string, string> = {}): Promise<ServerProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'threadline-journey-'));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const settings = {
    ...process.env,
    NODE_ENV: 'test',
    LOG_LEVEL: 'warn',
    DATA_DIR: dataDir,
    PORT: String(port),
    PUBLIC_URL: url,
    ...env,
  };
  let printed = '';
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn(process.execPath, ['--enable-source-maps', 'bin/threadline.js', 'serve'], {
      cwd: root,
      env: settings,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
    }
    const until = performance.now() + 30_000;
    const before = printed.length;
    // Its banner, which may hold the set-up link, comes a moment after it answers.
    const isReady = async () =>
      printed.indexOf('is ready in', before) !== -1 && (await fetch(`${url}/readyz`).catch(() => null))?.ok;
    while (!(await isReady())) {
      if (child.exitCode !== null || performance.now() > until)
        throw new Error(`the server did not become ready:\n${printed}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };

  await start();
  const server: ServerProcess = {
    url,
    dataDir,
    output: () => printed,
    pid: () => child.pid ?? 0,
    setupToken() {
      const token = /#setup=([0-9A-Za-z_-]{20,100})/.exec(printed)?.[1];
      if (!token) throw new Error(`no set-up link in:\n${printed}`);
      return token;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    async remove() {
      await end('SIGTERM');
      rmSync(dataDir, { recursive: true, force: true });
    },
    cli: (args, input) =>
      new Promise((resolve, reject) => {
        const run = spawn(process.execPath, ['--enable-source-maps', 'bin/threadline.js', ...args], {
          cwd: root,
          env: settings,
        });
        let stdout = '';
        let stderr = '';
        run.stdout.on('data', (chunk: Buffer) => {
          stdout += chunk.toString();
        });
        run.stderr.on('data', (chunk: Buffer) => {
          stderr += chunk.toString();
        });
        run.once('error', reject);
        run.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
        run.stdin.end(input);
      }),
  };
  return server;
}

export interface StoreProcess {
  /** What servers name it by, as `MONGODB_URI`. */
  uri: string;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

/** The embedded store in a process of its own, as `threadline store serve` runs it. */
export async function startStore(): Promise<StoreProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'threadline-apart-'));
  const child: ChildProcess = spawn(process.execPath, ['bin/threadline.js', 'store', 'serve'], {
    cwd: root,
    env: { ...process.env, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const uri = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the store ended with ${code}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      const found = /MONGODB_URI=(\S+)/.exec(chunk.toString())?.[1];
      if (found) resolve(found);
    });
  });
  return {
    uri,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
