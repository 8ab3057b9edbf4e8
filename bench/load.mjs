// Closed-loop load: each client sends its next message when the last one was acknowledged.
import { io } from 'socket.io-client';
import { openMany } from './sockets.mjs';

/** Latencies in milliseconds -> the figure below which `share` of them lie. */
export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const text = 'x'.repeat(200);

/** What a visitor's handshake says. */
export const visitorAuth = (product) => ({ protocol: 1, inboxId: product.inboxId });

let sent = 0;
/** One more message of this run; `null` begins a conversation. */
export function message(conversationId) {
  sent += 1;
  return { clientId: `bench-${process.pid}-${sent}`, conversationId, text, attachments: [], waitedMs: 0 };
}

/** A visitor's socket is ready when it was told its session. */
export async function openVisitor(product, token) {
  let told;
  const session = new Promise((resolve) => {
    told = resolve;
  });
  const auth = { ...visitorAuth(product), ...(token && { token }) };
  const socket = await connect(`${product.url}/visitor`, auth, (opened) => opened.once('session', told));
  return { socket, session: await session };
}

/**
 * @param {{ url: string, clients: number, seconds: number, warmUp?: number,
 *   server?: { figures: () => Promise<{ cpu: NodeJS.CpuUsage }> }, auth?: (n: number) => object,
 *   ready?: (socket: import('socket.io-client').Socket, n: number) => Promise<unknown>,
 *   send: (socket: import('socket.io-client').Socket, n: number, ready: unknown) => Promise<unknown> }} options
 * @returns messages per second and the acknowledgement's latency
 */
export async function closedLoop({
  url,
  clients,
  seconds,
  warmUp = 0,
  server,
  auth,
  ready = async () => null,
  send,
}) {
  // A few at a time: how a server takes a hundred handshakes at once is not what is measured here.
  const sockets = await openMany(clients, 10, async (n) => {
    const socket = await connect(url, auth?.(n));
    return { socket, state: await ready(socket, n) };
  });
  const latencies = [];
  const startedAt = performance.now();
  let sends = 0;
  let measureFrom = Number.POSITIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;
  let before;
  // Code that ran seldom runs slowly: counted from a second on, and from `warmUp` messages on, or after a minute.
  const beginsAfter = async () => {
    while (
      performance.now() < startedAt + 1_000 ||
      (sends < warmUp && performance.now() < startedAt + 60_000)
    )
      await pause(50);
    before = await server?.figures();
    measureFrom = performance.now();
    until = measureFrom + seconds * 1_000;
  };
  await Promise.all([
    beginsAfter(),
    ...sockets.map(async ({ socket, state }) => {
      for (let n = 0; performance.now() < until; n += 1) {
        const began = performance.now();
        await send(socket, n, state);
        sends += 1;
        if (began >= measureFrom) latencies.push(performance.now() - began);
      }
    }),
  ]);
  const after = await server?.figures();
  for (const { socket } of sockets) socket.close();
  latencies.sort((left, right) => left - right);
  return {
    perSecond: latencies.length / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    /** Processor time of the server a message, in microseconds. */
    cpuUs: server && (used(after) - used(before)) / latencies.length,
  };
}

const used = ({ cpu }) => cpu.user + cpu.system;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `prepare`: listens before the first notice can arrive. */
export function connect(url, auth, prepare) {
  return new Promise((resolve, reject) => {
    const socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      ...(auth && { auth }),
    });
    prepare?.(socket);
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
    // A refusal closes too, and says why a moment later.
    socket.io.once('close', (reason) =>
      setImmediate(reject, new Error(`closed before it was connected: ${reason}`)),
    );
  });
}

export const request = (socket, name, body) =>
  new Promise((resolve, reject) => {
    socket.timeout(30_000).emit(name, body, (error, answer) => {
      if (error) reject(error);
      else if (answer?.ok === false) reject(new Error(`${answer.error.code}: ${answer.error.message}`));
      else resolve(answer);
    });
  });
