import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Connection, mendDriver } from '../../../server/store/driver.js';

mendDriver();

/** One message of the driver's, of so many bytes. */
const message = (bytes: number) => ({ toBin: async () => [Buffer.alloc(bytes)] });
const uncompressed = { agreedCompressor: 'none' };

let server: Server;
let far: Promise<Socket>;
let near: Socket;

beforeEach(async () => {
  server = createServer({ pauseOnConnect: true });
  far = once(server, 'connection').then(([socket]) => socket as Socket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(near, 'connect');
});

afterEach(async () => {
  near.destroy();
  (await far).destroy();
  server.close();
});

const aConnection = () =>
  new Connection(near, { id: 1, generation: 1, hostAddress: { toString: () => 'store' }, tls: false });

describe('a command on a connection that closes', () => {
  it('fails when the socket is closed and has not said so yet', async () => {
    const connection = aConnection();
    near.destroy();
    await expect(connection.writeCommand(message(16), uncompressed)).rejects.toThrow(/closed/);
  });

  it('fails when it closes without an error while it is full', async () => {
    const connection = aConnection();
    const writing = connection.writeCommand(message(64 * 1024 * 1024), uncompressed);
    setImmediate(() => near.destroy());
    await expect(writing).rejects.toThrow(/closed/);
  });

  it('is written as ever when it does not, and leaves nothing behind', async () => {
    const connection = aConnection();
    (await far).resume();
    for (let n = 0; n < 20; n += 1) await connection.writeCommand(message(1024 * 1024), uncompressed);
    const listeners = (connection as unknown as NodeJS.EventEmitter).listenerCount('close');
    expect(listeners).toBe(0);
  });
});
