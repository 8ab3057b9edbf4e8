import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { afterEach, describe, expect, it } from 'vitest';
import NodeSocket from 'ws';
import type { ErrorReply } from '../../shared/errors.js';
import { openWire, type Wire, type WireOptions } from '../../widget/wire.js';

/** The widget's own client against the real server of Socket.IO, over real sockets. */

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(port = 0, options: ConstructorParameters<typeof Server>[1] = {}) {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'], serveClient: false, ...options });
  await new Promise<void>((resolve) => http.listen(port, resolve));
  const close = () => new Promise<void>((resolve) => void io.close(() => resolve()));
  cleanups.push(close);
  return { io, nsp: io.of('/visitor'), port: (http.address() as AddressInfo).port, close };
}

interface Heard {
  wire: Wire;
  notices: [string, unknown][];
  opens: number;
  closes: number;
  refusals: (ErrorReply | undefined)[];
}

function connect(port: number, more: Partial<WireOptions> = {}): Heard {
  const heard: Omit<Heard, 'wire'> = { notices: [], opens: 0, closes: 0, refusals: [] };
  const wire = openWire({
    url: `ws://127.0.0.1:${port}/`,
    auth: async () => ({ token: 'secret' }),
    onClose() {
      heard.closes += 1;
    },
    onNotice: (name, data) => heard.notices.push([name, data]),
    onRefused(error) {
      heard.refusals.push(error);
      return true;
    },
    random: () => 0.01,
    makeSocket(url) {
      const socket = new NodeSocket(url);
      // The namespace accepted it.
      socket.on('message', (packet) => {
        if (String(packet).startsWith('40')) heard.opens += 1;
      });
      return socket as unknown as WebSocket;
    },
    ...more,
  });
  cleanups.push(() => wire.sleep());
  wire.wake();
  return Object.assign(heard, { wire });
}

/** Waits for the state itself. */
async function until(what: () => boolean, guardMs = 30_000): Promise<void> {
  const end = performance.now() + guardMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`Never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('the wire', () => {
  it('presents its auth, hears notices and is answered', async () => {
    const { nsp, port } = await listen();
    nsp.on('connection', (socket: Socket) => {
      socket.emit('session', { auth: socket.handshake.auth, transport: socket.conn.transport.name });
      socket.on('message:send', (body: { text: string }, ack: (answer: object) => void) =>
        ack({ ok: true, text: body.text }),
      );
    });
    const heard = connect(port);
    await until(() => heard.notices.length === 1);
    expect(heard.notices).toEqual([['session', { auth: { token: 'secret' }, transport: 'websocket' }]]);
    const texts = ['plain', '43/visitor,0["no"]', 'Ж 日本 🚲 \u2028 "quoted"', '\n'.repeat(50)];
    const answers = await Promise.all(texts.map((text) => heard.wire.request('message:send', { text })));
    expect(answers).toEqual(texts.map((text) => ({ ok: true, text })));
  });

  it('answers heartbeats, and stays', async () => {
    const { nsp, port } = await listen(0, { pingInterval: 30, pingTimeout: 60 });
    let drops = 0;
    let pongs = 0;
    nsp.on('connection', (socket: Socket) => {
      socket.on('disconnect', () => {
        drops += 1;
      });
      socket.conn.on('heartbeat', () => {
        pongs += 1;
      });
    });
    const heard = connect(port);
    await until(() => pongs >= 10);
    expect([heard.opens, heard.closes, drops]).toEqual([1, 0, 0]);
  });

  it('notices a server that fell silent without closing', async () => {
    // One that speaks the first words and then no more, as a half-open connection looks from here.
    const silent = new NodeSocket.Server({ port: 0 });
    cleanups.push(() => {
      for (const socket of silent.clients) socket.terminate();
      silent.close();
    });
    silent.on('connection', (socket) => {
      socket.send('0{"sid":"a","upgrades":[],"pingInterval":40,"pingTimeout":40,"maxPayload":1000}');
      socket.once('message', () => socket.send('40/visitor,{"sid":"b"}'));
    });
    const heard = connect((silent.address() as AddressInfo).port);
    await until(() => heard.closes === 1);
    await until(() => heard.opens === 2);
  });

  it('comes back by itself after the server ended the session, and after it closed', async () => {
    const first = await listen();
    const heard = connect(first.port);
    await until(() => heard.opens === 1);
    first.nsp.disconnectSockets(false);
    await until(() => heard.opens === 2);
    first.nsp.disconnectSockets(true);
    await until(() => heard.opens === 3);
    await first.close();
    await until(() => heard.closes === 3);
    await listen(first.port);
    await until(() => heard.opens === 4);
  });

  it('rejects what was asked when the connection ends before the answer', async () => {
    const { nsp, port } = await listen();
    nsp.on('connection', (socket: Socket) => socket.on('message:send', () => socket.disconnect(true)));
    const heard = connect(port);
    await until(() => heard.opens === 1);
    await expect(heard.wire.request('message:send', {})).rejects.toThrow('ended');
    await until(() => heard.opens === 2);
  });

  it('hands on why a handshake was refused, and waits as long as it was told', async () => {
    const { nsp, port } = await listen();
    let attempts = 0;
    nsp.use((_socket, next) => {
      attempts += 1;
      const error = Object.assign(new Error('rate_limited'), {
        data: { code: 'rate_limited', retry: 'same', message: '', details: { retryAfterMs: 200 } },
      });
      next(attempts === 1 ? error : undefined);
    });
    const began = performance.now();
    const heard = connect(port);
    await until(() => heard.opens === 1);
    expect(heard.refusals).toMatchObject([{ code: 'rate_limited' }]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(200);
  });

  it('does not come back to a server that does not want it', async () => {
    const { nsp, port } = await listen();
    let attempts = 0;
    nsp.use((_socket, next) => {
      attempts += 1;
      next(Object.assign(new Error('x'), { data: { code: 'inbox_not_found', retry: 'never', message: '' } }));
    });
    const { wire, ...heard } = connect(port, {
      onRefused(error) {
        heard.refusals.push(error);
        // The first time it tries again, to see that the second answer is obeyed.
        return heard.refusals.length < 2;
      },
    });
    await until(() => heard.refusals.length === 2);
    await expect(wire.request('read', {})).rejects.toThrow('no connection');
    expect(attempts).toBe(2);
  });

  it('holds no socket while it sleeps, and connects at once when it is woken', async () => {
    const { nsp, port } = await listen();
    const heard = connect(port, { random: () => 0.99 });
    await until(() => heard.opens === 1);
    heard.wire.sleep();
    await until(() => nsp.sockets.size === 0);
    await expect(heard.wire.request('read', {})).rejects.toThrow('no connection');
    heard.wire.wake();
    heard.wire.wake();
    await until(() => heard.opens === 2);
    expect(nsp.sockets.size).toBe(1);
  });
});
