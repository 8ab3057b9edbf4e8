import { serve } from '../../../server/store/embedded/serve.js';

/**
 * The store in a process of its own, to be killed, traced and fed broken disks. It knows `serve` and nothing behind it.
 * Ends with its parent.
 */
const [directory, socketPath] = process.argv.slice(2);
if (directory === undefined || socketPath === undefined) throw new Error('program DIRECTORY SOCKET');
const store = await serve(directory, socketPath, {
  // Said aloud, for whoever started it.
  onFailure: (error) => console.error(`unanswered: ${error instanceof Error ? error.stack : String(error)}`),
});
process.on('message', async (message) => {
  if (message !== 'close') return;
  await store.close();
  process.exit(0);
});
process.on('disconnect', () => process.exit(0));
process.send?.({ pid: process.pid });
