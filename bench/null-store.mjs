// A store that does nothing: the same wire code, and an answer at once. What is left is what the driver itself costs.
import { parentPort, workerData } from 'node:worker_threads';
import { decode } from '../dist/server/store/embedded/bson/decode.js';
import { encode } from '../dist/server/store/embedded/bson/encode.js';
import { listen } from '../dist/server/store/embedded/server/listener.js';

const { Int32 } = await import('bson');
const { socketPath } = workerData;
const hello = {
  isWritablePrimary: true,
  setName: 'threadline',
  hosts: [socketPath],
  me: socketPath,
  primary: socketPath,
  maxBsonObjectSize: new Int32(16_777_216),
  maxMessageSizeBytes: new Int32(48_000_000),
  maxWriteBatchSize: new Int32(100_000),
  logicalSessionTimeoutMinutes: new Int32(30),
  minWireVersion: new Int32(0),
  maxWireVersion: new Int32(25),
  ok: 1,
};
const server = await listen({
  address: { path: socketPath },
  needsPassword: false,
  onFailure: (error) => console.error(error),
  handle(message) {
    const command = decode(message.body);
    const name = command.keys().next().value;
    const count = command.get('documents')?.length ?? 1;
    const answer =
      name === 'hello' || name === 'ismaster'
        ? { ...hello, ...(name === 'ismaster' && { ismaster: true }) }
        : { n: new Int32(count), ok: 1 };
    return { kind: 'answer', document: encode(answer) };
  },
});
parentPort.on('message', async () => {
  await server.close();
  parentPort.close();
});
parentPort.postMessage({ type: 'ready' });
