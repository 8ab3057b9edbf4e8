// The measured processes: the bare baselines, and the product as shipped. Each is asked for its own figures.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const figures = pathToFileURL(join(here, 'figures.mjs')).href;

/** More for Node of the measured processes, to see where time or memory goes: `--cpu-prof --cpu-prof-dir=/tmp/profile`. */
const nodeFlags = (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '');

function start(program, args, env = {}) {
  const flags = ['--expose-gc', ...nodeFlags, '--import', figures];
  const child = spawn(process.execPath, [...flags, program, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    pid: child.pid,
    output: () => output,
    isOver: () => child.exitCode !== null || child.signalCode !== null,
    /** Processor time and memory of the process so far. */
    figures: () =>
      new Promise((resolve) => {
        child.once('message', resolve);
        child.send('figures');
      }),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function until(look, process, what) {
  const latest = performance.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (process.isOver() || performance.now() > latest) throw new Error(`${what}: ${process.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function startFloor() {
  const floor = start(join(here, 'floor.mjs'), []);
  const line = await until(() => /\{.*\}/.exec(floor.output())?.[0], floor, 'the floor did not start');
  return { ...floor, url: `http://127.0.0.1:${JSON.parse(line).port}` };
}

export const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

export async function startRedis() {
  const port = await freePort();
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', options, { stdio: 'ignore' });
  process.once('exit', () => child.kill());
  const isMissing = await new Promise((resolve) => {
    child.once('error', () => resolve(true));
    child.once('spawn', () => resolve(false));
  });
  if (isMissing) return null;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** A directory for the data of one part of the run; gone with `remove`. */
export function dataDirectory() {
  const path = mkdtempSync(join(tmpdir(), 'threadline-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The embedded store in a process of its own, for several servers. */
export async function startStore(directory) {
  const store = start(join(here, '../bin/threadline.js'), ['store', 'serve'], { DATA_DIR: directory });
  const uri = await until(() => /MONGODB_URI=(\S+)/.exec(store.output())?.[1], store, 'no store');
  return { ...store, uri };
}

/** The product, ready, with nothing configured but where it listens. Limits are off: what is refused measures nothing. */
export async function startProduct({ directory, port, env = {} }) {
  const at = port ?? (await freePort());
  const url = `http://127.0.0.1:${at}`;
  const product = start(join(here, '../bin/threadline.js'), ['serve'], {
    PORT: String(at),
    HOST: '127.0.0.1',
    PUBLIC_URL: url,
    DATA_DIR: directory,
    LIMITS: 'off',
    LOG_LEVEL: 'error',
    ...env,
  });
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
  await until(isReady, product, 'the server did not become ready');
  const page = await (await fetch(`${url}/demo`)).text();
  return { ...product, url, port: at, inboxId: /data-inbox="([^"]+)"/.exec(page)?.[1] };
}

/** Makes the owner by the link that the first start prints. */
export async function becomeOwner(product) {
  const token = await until(
    () => /#setup=([0-9a-zA-Z_-]+)/.exec(product.output())?.[1],
    product,
    'no setup link',
  );
  const answer = await fetch(`${product.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token,
      workspace: 'Bench',
      name: 'Owner',
      email: 'owner@example.com',
      password: 'a long enough pass phrase',
    }),
  });
  const { accessToken, agent } = await answer.json();
  return { accessToken, workspaceId: agent.workspaces[0].id };
}

/** The chat inbox of an installation that shows no demo page: its owner is asked. */
export async function chatInboxOf(product) {
  const { accessToken, workspaceId } = await becomeOwner(product);
  const answer = await fetch(`${product.url}/api/workspaces/${workspaceId}/inboxes`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const { inboxes } = await answer.json();
  return inboxes.find(({ channel }) => channel === 'chat').id;
}
