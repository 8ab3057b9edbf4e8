// `npm run bench` (`-- product` or `-- store` for one part): every figure beside its baseline from the same run. See README.md for how to read it.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closedLoop, connect, percentile, request } from './load.mjs';
import { benchStore } from './store.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const seconds = Number(process.env.BENCH_SECONDS ?? 8);
const text = 'x'.repeat(200);

/** @type {{ what: string, figure: string, baseline: string, ratio: number | null, goal: string, met: boolean | null }[]} */
const table = [];
function report(what, figure, baseline, ratio, goal, met) {
  table.push({ what, figure, baseline, ratio, goal, met });
  const verdict = met === null ? '' : met ? 'met' : 'NOT MET';
  console.log(
    `${what.padEnd(46)} ${figure.padEnd(26)} ${baseline.padEnd(38)} ${(ratio === null ? '' : ratio.toFixed(3)).padEnd(7)} ${goal.padEnd(18)} ${verdict}`,
  );
}

function startFloor() {
  const child = spawn(process.execPath, [join(here, 'floor.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve) => {
    child.stdout.once('data', (line) =>
      resolve({ url: `http://127.0.0.1:${JSON.parse(String(line)).port}`, stop: () => stop(child) }),
    );
  });
}

const stop = (child) =>
  new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGTERM');
  });

async function startProduct() {
  const directory = mkdtempSync(join(tmpdir(), 'threadline-bench-'));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [join(root, 'bin/threadline.js'), 'serve'], {
    env: {
      ...process.env,
      PORT: String(port),
      HOST: '127.0.0.1',
      PUBLIC_URL: url,
      DATA_DIR: directory,
      LIMITS: 'off',
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const until = performance.now() + 30_000;
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) break;
    if (performance.now() > until || child.exitCode !== null)
      throw new Error('the server did not become ready');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const page = await (await fetch(`${url}/demo`)).text();
  const inboxId = /data-inbox="([^"]+)"/.exec(page)?.[1];
  return {
    url,
    inboxId,
    stop: async () => {
      await stop(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const visitor = (product) => ({ protocol: 1, inboxId: product.inboxId });
/** A visitor's socket is ready when it was told its session. */
function openVisitor(product) {
  return new Promise((resolve, reject) => {
    connect(`${product.url}/visitor`, visitor(product)).then((socket) => {
      socket.once('session', (session) => resolve({ socket, session }));
    }, reject);
  });
}

let sent = 0;
function message(conversationId) {
  sent += 1;
  return { clientId: `bench-${process.pid}-${sent}`, conversationId, text, attachments: [], waitedMs: 0 };
}

async function begin(socket) {
  const answer = await request(socket, 'message:send', message(null));
  return answer.event.conversationId;
}

async function throughput(floor, product) {
  const echo = await closedLoop({
    url: floor.url,
    clients: 100,
    seconds,
    send: (socket, n) => request(socket, 'echo', { n, text }),
  });
  const durable = await closedLoop({
    url: floor.url,
    clients: 100,
    seconds,
    send: (socket, n) => request(socket, 'durable', { n, text }),
  });
  const ours = await closedLoop({
    url: `${product.url}/visitor`,
    clients: 100,
    seconds,
    auth: () => visitor(product),
    ready: begin,
    send: (socket, _n, conversationId) => request(socket, 'message:send', message(conversationId)),
  });
  report('bare Socket.IO echo, 100 clients', `${echo.perSecond.toFixed(0)}/s`, '', null, '', null);
  report(
    'durable floor, 100 clients',
    `${durable.perSecond.toFixed(0)}/s`,
    `echo ${echo.perSecond.toFixed(0)}/s`,
    durable.perSecond / echo.perSecond,
    '',
    null,
  );
  const ofFloor = ours.perSecond / durable.perSecond;
  report(
    'durable acknowledged messages, 100 clients',
    `${ours.perSecond.toFixed(0)}/s`,
    `floor ${durable.perSecond.toFixed(0)}/s`,
    ofFloor,
    '>= 0.6 of floor',
    ofFloor >= 0.6,
  );
  const ofEcho = ours.perSecond / echo.perSecond;
  report(
    'the same, of the echo',
    `${ours.perSecond.toFixed(0)}/s`,
    `echo ${echo.perSecond.toFixed(0)}/s`,
    ofEcho,
    '>= 0.3 of echo',
    ofEcho >= 0.3,
  );
  const slower = ours.p99 / durable.p99;
  report(
    'acknowledgement p99 under that load',
    `${ours.p99.toFixed(1)} ms`,
    `floor ${durable.p99.toFixed(1)} ms`,
    slower,
    '< 3x floor',
    slower < 3,
  );
}

/** One sender at 50 messages a second, one receiver. */
async function paced(send, received) {
  const latencies = [];
  const began = performance.now();
  for (let n = 0; n < 500; n += 1) {
    const due = began + n * 20;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const at = performance.now();
    const arrival = received(n);
    await send(n);
    await arrival;
    latencies.push(performance.now() - at);
  }
  latencies.sort((left, right) => left - right);
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

async function delivery(floor, product) {
  const [sender, receiver] = await Promise.all([connect(floor.url), connect(floor.url)]);
  await request(receiver, 'join', 'room');
  const base = await paced(
    (n) => request(sender, 'durable', { n, text, room: 'room' }),
    () => new Promise((resolve) => receiver.once('message', resolve)),
  );
  sender.close();
  receiver.close();
  const first = await openVisitor(product);
  const conversationId = await begin(first.socket);
  // A second tab of the same visitor receives what the first one sends.
  const second = await connect(`${product.url}/visitor`, { ...visitor(product), token: first.session.token });
  await new Promise((resolve) => second.once('session', resolve));
  const ours = await paced(
    () => request(first.socket, 'message:send', message(conversationId)),
    () => new Promise((resolve) => second.once('event', resolve)),
  );
  first.socket.close();
  second.close();
  report(
    'delivery to another client, p50 at 50/s',
    `${ours.p50.toFixed(2)} ms`,
    `floor ${base.p50.toFixed(2)} ms`,
    ours.p50 / base.p50,
    '< 4 ms',
    ours.p50 < 4,
  );
  report(
    'delivery to another client, p99 at 50/s',
    `${ours.p99.toFixed(2)} ms`,
    `floor ${base.p99.toFixed(2)} ms`,
    ours.p99 / base.p99,
    '< 12 ms',
    ours.p99 < 12,
  );
}

console.log(`${cpus().length} cores, ${cpus()[0]?.model}, Node ${process.version}\n`);
const wanted = process.argv.slice(2);
const has = (part) => wanted.length === 0 || wanted.includes(part);
if (has('product')) {
  const floor = await startFloor();
  const product = await startProduct();
  try {
    await throughput(floor, product);
    await delivery(floor, product);
  } finally {
    await product.stop();
    await floor.stop();
  }
}
if (has('store')) await benchStore(report);
mkdirSync(join(here, 'results'), { recursive: true });
const name = new Date().toISOString().replace(/[:.]/g, '-');
writeFileSync(
  join(here, 'results', `${name}.json`),
  `${JSON.stringify({ cores: cpus().length, node: process.version, table }, null, 2)}\n`,
);
