import type { AddressInfo } from 'node:net';
import { createServer, connect as open, type Server, type Socket } from 'node:net';

export interface Balancer {
  port: number;
  /** How many connections each backend was given. */
  given: number[];
  close(): Promise<void>;
}

/**
 * A balancer that knows nothing: each connection goes to the next backend in turn, or to the one after it when that
 * does not listen. No client comes to the same one twice but by chance.
 */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const given = ports.map(() => 0);
  const live = new Set<Socket>();
  let turn = 0;

  function pass(client: Socket, tries = 0): void {
    const index = turn++ % ports.length;
    const backend = open(ports[index] ?? 0, '127.0.0.1');
    backend.once('connect', () => {
      given[index] = (given[index] ?? 0) + 1;
      client.pipe(backend).pipe(client);
    });
    backend.once('error', () => {
      if (backend.connecting || tries >= ports.length) client.destroy();
      else if (backend.bytesWritten === 0 && backend.bytesRead === 0) pass(client, tries + 1);
      else client.destroy();
    });
    client.once('close', () => backend.destroy());
    live.add(backend);
    backend.once('close', () => live.delete(backend));
  }

  const server: Server = createServer((client) => {
    live.add(client);
    client.once('close', () => live.delete(client));
    client.on('error', () => client.destroy());
    pass(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    given,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of live) socket.destroy();
      }),
  };
}
