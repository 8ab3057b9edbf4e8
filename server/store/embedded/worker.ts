import { parentPort, workerData } from 'node:worker_threads';
import { type ServeOptions, serve } from './serve.js';

/** The store in a thread of its own: no scan, sort or commit holds up the server's sockets. */
const port = parentPort;
if (!port) throw new Error('this file runs as a worker thread');
const { directory, socketPath, options } = workerData as {
  directory: string;
  socketPath: string;
  options: ServeOptions;
};
try {
  const server = await serve(directory, socketPath, {
    ...options,
    onFailure: (error) =>
      port.postMessage({ type: 'failure', message: error instanceof Error ? error.stack : String(error) }),
  });
  port.on('message', async (message: { type: string }) => {
    if (message.type !== 'close') return;
    await server.close();
    port.postMessage({ type: 'closed' });
    port.close();
  });
  port.postMessage({ type: 'ready' });
} catch (error) {
  const { name, message } = error as Error;
  port.postMessage({ type: 'failed', codeName: (error as { codeName?: string }).codeName ?? name, message });
}
