import { loadConfig } from '../config.js';
import { startEmbedded } from '../store/connect.js';
import { type Command, exitCodes } from './command.js';

export const storeServe: Command = {
  name: 'store serve',
  usage: '',
  summary: 'Run the embedded store in a process of its own, for servers on this machine.',
  details: 'Prints the MONGODB_URI to give them; they need one SECRET_KEY. Runs until Ctrl+C or SIGTERM.',
  args: { min: 0, max: 0 },
  async run({ environment, out, signal }) {
    const config = loadConfig(environment);
    const store = await startEmbedded(config.dataDir);
    out.data({ uri: store.uri }, `MONGODB_URI=${store.uri}`);
    await new Promise<void>((resolve) => {
      if (signal.aborted) return resolve();
      // The store runs in a worker: something of this thread has to keep the process alive as well.
      const alive = setInterval(() => {}, 60_000);
      signal.addEventListener(
        'abort',
        () => {
          clearInterval(alive);
          resolve();
        },
        { once: true },
      );
    });
    await store.close();
    return exitCodes.ok;
  },
};
