import { createServer } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { Server } from 'socket.io';
import { afterEach, describe, expect, it } from 'vitest';
import { createLive, type Live } from '../../console/api/live.js';

/** The console's connection against the real server of Socket.IO, over real sockets. */

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An agents' namespace that counts what it was sent; `answers` false: it never acknowledges. */
async function serve(port = 0, answers = true) {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'], serveClient: false });
  const received: { clientId: string }[] = [];
  const connections = new Set<NetSocket>();
  http.on('connection', (socket) => connections.add(socket));
  io.of('/agent').on('connection', (socket) => {
    socket.on('message:send', (body: { clientId: string }, acknowledge: (answer: object) => void) => {
      received.push(body);
      if (answers) acknowledge({ ok: true, event: {} });
    });
    socket.emit('ready', { protocol: 1 });
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const close = async () => {
    await io.close();
  };
  cleanups.push(close);
  return {
    io,
    received,
    port: (http.address() as AddressInfo).port,
    close,
    /** As a cable that is pulled: no goodbye. */
    cut() {
      for (const socket of connections) socket.destroy();
    },
  };
}

function connect(port: number): Live {
  const live = createLive({
    url: `http://127.0.0.1:${port}`,
    accessToken: async () => 'a token',
    random: () => 0,
  });
  cleanups.push(() => live.disconnect());
  live.connect('workspace');
  return live;
}

const isOnline = (live: Live) => expect.poll(() => live.online.get(), { timeout: 30_000, interval: 5 });
const aMessage = (clientId: string) => ({
  clientId,
  conversationId: 'c',
  mode: 'reply' as const,
  text: 'Hello',
  attachments: [],
  waitedMs: 0,
});

describe("the console's connection", () => {
  it('comes back by itself after the server closed it in order', async () => {
    const first = await serve();
    const live = connect(first.port);
    await isOnline(live).toBe(true);
    await first.close();
    await isOnline(live).toBe(false);
    await serve(first.port);
    await isOnline(live).toBe(true);
  });

  it('comes back by itself after the server ended its session but not the network', async () => {
    const server = await serve();
    const live = connect(server.port);
    await isOnline(live).toBe(true);
    server.io.of('/agent').disconnectSockets(false);
    await isOnline(live).toBe(false);
    await isOnline(live).toBe(true);
  });

  it('goes on until the time that a stopping server gave it, and then connects anew', async () => {
    const server = await serve();
    const live = connect(server.port);
    await isOnline(live).toBe(true);
    const again = new Promise((resolve) => server.io.of('/agent').once('connection', resolve));
    server.io.of('/agent').emit('reconnect', { afterMs: 300 });
    await live.request('message:send', aMessage('meanwhile'));
    await again;
    await isOnline(live).toBe(true);
    expect(server.received.map(({ clientId }) => clientId)).toEqual(['meanwhile']);
  });

  it('sends nothing a second time by itself after a cut: that is for the outbox to decide', async () => {
    const server = await serve(0, false);
    const live = connect(server.port);
    await isOnline(live).toBe(true);
    const asked = live.request('message:send', aMessage('cut'));
    const refused = expect(asked).rejects.toMatchObject({ unreachable: true });
    await expect.poll(() => server.received.length, { timeout: 30_000, interval: 5 }).toBe(1);
    server.cut();
    await refused;
    await expect(live.request('message:send', aMessage('offline'))).rejects.toMatchObject({
      unreachable: true,
    });
    await isOnline(live).toBe(true);
    // What comes after the return comes after all that the client had kept.
    live.request('message:send', aMessage('after')).catch(() => undefined);
    await expect.poll(() => server.received.at(-1)?.clientId, { timeout: 30_000, interval: 5 }).toBe('after');
    expect(server.received.map(({ clientId }) => clientId)).toEqual(['cut', 'after']);
  });
});
