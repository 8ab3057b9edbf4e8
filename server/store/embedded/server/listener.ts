import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type MessageHandler, serveConnection } from './connection.js';

export type Address = { path: string } | { host: string; port: number };

export interface Listener {
  /** The port that was given where `port: 0` was asked for. */
  port: number | null;
  connections(): number;
  close(): Promise<void>;
}

const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/i;
const mostConnections = 4_096;

/** An address that others could reach: only for a store that asks for a password, and only when said so. */
export class ExposedError extends Error {}

export interface ListenerOptions {
  address: Address;
  handle: MessageHandler;
  /** What a handler threw that was no answer. */
  onFailure(error: unknown): void;
  needsPassword: boolean;
  /** Listening beyond this machine was asked for in so many words. */
  mayLeaveMachine?: boolean;
}

export async function listen({
  address,
  handle,
  onFailure,
  needsPassword,
  mayLeaveMachine,
}: ListenerOptions): Promise<Listener> {
  if ('host' in address && !loopback.test(address.host) && !(needsPassword && mayLeaveMachine)) {
    throw new ExposedError(
      `${address.host} is not a loopback address: listening there needs a password and has to be allowed explicitly`,
    );
  }
  const sockets = new Set<Socket>();
  let nextId = 1;
  const server = createServer((socket) => {
    if (sockets.size >= mostConnections) return void socket.destroy();
    sockets.add(socket);
    const id = nextId;
    nextId += 1;
    void serveConnection(socket, id, !needsPassword, handle, onFailure).finally(() => sockets.delete(socket));
  });
  await start(server, address);
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : null,
    connections: () => sockets.size,
    async close() {
      const closed = new Promise((done) => server.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
      if ('path' in address) rmSync(address.path, { force: true });
    },
  };
}

function start(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const ready = () => {
      server.off('error', reject);
      // A client that is refused is no reason to stop serving the others.
      server.on('error', () => undefined);
      if ('path' in address) chmodSync(address.path, 0o600);
      resolve();
    };
    if ('path' in address) {
      mkdirSync(dirname(address.path), { recursive: true, mode: 0o700 });
      rmSync(address.path, { force: true });
      server.listen(address.path, ready);
    } else server.listen(address.port, address.host, ready);
  });
}
