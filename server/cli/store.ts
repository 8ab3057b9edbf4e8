import mongoose from 'mongoose';
import { type Config, loadConfig } from '../config.js';
import { openBlobs } from '../files/blobs.js';
import { openStore } from '../store/connect.js';
import { ensureIndexes } from '../store/indexes.js';
import { appendsSettled } from '../timeline/append.js';
import type { CommandInput } from './command.js';

/**
 * Runs a command's work on the store that the configuration names: MongoDB, the embedded store of the server that runs
 * on this DATA_DIR (reached through its socket, like any other client), or, when none runs, that store opened for as
 * long as the command takes. It is the same code as the server's in every case, and never a second engine on one file.
 */
export async function withStore<T>(input: CommandInput, work: (config: Config) => Promise<T>): Promise<T> {
  const config = loadConfig(input.environment);
  const store = await openStore({
    dataDir: config.dataDir,
    whenOwned: 'join',
    ...(config.mongodbUri !== undefined && { mongodbUri: config.mongodbUri }),
  });
  try {
    // On a fresh store no server has made them yet, and without them nothing is unique.
    await ensureIndexes(Object.values(mongoose.models));
    await openBlobs({ dataDir: config.dataDir, mongodbUri: config.mongodbUri });
    const result = await work(config);
    await appendsSettled();
    return result;
  } finally {
    await store.close();
  }
}
