import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * A door in front of the store that stays open while the store is killed and started again, as behind a network with a
 * short fault: a request that was under way is cut off, and the driver's second try waits until there is a store to ask.
 */
export interface Gate {
  uri: string;
  close(): Promise<void>;
}

const patienceMs = 20_000;

/** Connects to the store, as soon as there is one. */
async function reach(socketPath: string): Promise<Socket> {
  for (const until = performance.now() + patienceMs; ; ) {
    const socket = connect(socketPath);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() > until) throw error;
      await wait(5);
    }
  }
}

/** Counts the messages in a stream of bytes. */
function counter(): { count: number; isBetween: boolean; add(chunk: Buffer): void } {
  let head = Buffer.alloc(0);
  let left = 0;
  const counted = {
    count: 0,
    isBetween: true,
    add(chunk: Buffer) {
      let at = 0;
      while (at < chunk.length) {
        if (left === 0) {
          const taken = chunk.subarray(at, at + 4 - head.length);
          head = Buffer.concat([head, taken]);
          at += taken.length;
          if (head.length < 4) break;
          left = head.readInt32LE(0) - 4;
          head = Buffer.alloc(0);
        }
        const step = Math.min(left, chunk.length - at);
        left -= step;
        at += step;
        if (left === 0) counted.count += 1;
      }
      counted.isBetween = left === 0 && head.length === 0;
    },
  };
  return counted;
}

/** One client's connection, over as many connections to stores as it outlives. */
function serveClient(client: Socket, socketPath: string): void {
  const [asked, answered] = [counter(), counter()];
  let store: Socket | null = null;
  let waiting: Buffer[] = [];
  let isReaching = false;

  async function attach(): Promise<void> {
    isReaching = true;
    const reached = await reach(socketPath);
    isReaching = false;
    store = reached;
    for (const chunk of waiting) reached.write(chunk);
    // Sent again only while it is the greeting: a store that dies before its first answer never had the connection.
    if (answered.count > 0) waiting = [];
    reached.on('error', () => reached.destroy());
    reached.on('data', (chunk) => {
      waiting = [];
      answered.add(chunk);
      client.write(chunk);
    });
    reached.on('close', () => {
      store = null;
      const isIdle = asked.isBetween && answered.isBetween && asked.count === answered.count;
      if (client.destroyed || isIdle) return;
      if (waiting.length > 0) attach().catch(() => client.destroy());
      else client.destroy();
    });
  }

  client.on('error', () => client.destroy());
  client.on('close', () => store?.destroy());
  client.on('data', (chunk) => {
    asked.add(chunk);
    if (store && answered.count > 0) {
      store.write(chunk);
      return;
    }
    waiting.push(chunk);
    if (store) store.write(chunk);
    else if (!isReaching) attach().catch(() => client.destroy());
  });
}

export async function openGate(gatePath: string, socketPath: string): Promise<Gate> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    serveClient(client, socketPath);
  });
  server.listen(gatePath);
  await once(server, 'listening');
  return {
    // Direct, since the store's own answer names its own socket.
    uri: `mongodb://${encodeURIComponent(gatePath)}/?directConnection=true`,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
