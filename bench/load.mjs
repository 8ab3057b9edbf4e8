// Closed-loop load: each client sends its next message when the last one was acknowledged.
import { io } from 'socket.io-client';

/** Latencies in milliseconds -> the figure below which `share` of them lie. */
export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * @param {{ url: string, clients: number, seconds: number, auth?: (n: number) => object,
 *   ready?: (socket: import('socket.io-client').Socket) => Promise<unknown>,
 *   send: (socket: import('socket.io-client').Socket, n: number, ready: unknown) => Promise<unknown> }} options
 * @returns messages per second and the acknowledgement's latency
 */
export async function closedLoop({ url, clients, seconds, auth, ready = async () => null, send }) {
  const sockets = await Promise.all(
    Array.from({ length: clients }, (_, n) =>
      connect(url, auth?.(n)).then(async (socket) => ({ socket, state: await ready(socket) })),
    ),
  );
  const latencies = [];
  // A warm-up that is not counted, then the measured stretch.
  const measureFrom = performance.now() + 1_000;
  const until = measureFrom + seconds * 1_000;
  await Promise.all(
    sockets.map(async ({ socket, state }) => {
      for (let n = 0; performance.now() < until; n += 1) {
        const began = performance.now();
        await send(socket, n, state);
        if (began >= measureFrom) latencies.push(performance.now() - began);
      }
    }),
  );
  for (const { socket } of sockets) socket.close();
  latencies.sort((left, right) => left - right);
  return {
    perSecond: latencies.length / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

export function connect(url, auth) {
  return new Promise((resolve, reject) => {
    const socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      ...(auth && { auth }),
    });
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
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
