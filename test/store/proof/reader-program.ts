import { MongoClient } from 'mongodb';
import { serve } from '../../../server/store/embedded/serve.js';
import { disagreements } from './agreement.js';
import { database, readAll } from './book.js';
import { uriOf } from './store-process.js';

/**
 * Opens one data directory after another with the store as it is, reads everything through the driver, writes one
 * document more, and says what it saw. A directory on which it dies is its parent's to count.
 */
export interface ReadRequest {
  data: string;
  socketPath: string;
  /** Compare the indexes with their collections, too. */
  isThorough: boolean;
}

async function read({ data, socketPath, isThorough }: ReadRequest) {
  const store = await serve(data, socketPath);
  const client = new MongoClient(uriOf(socketPath), { serverSelectionTimeoutMS: 5_000 });
  try {
    const seen = await readAll(client);
    const wrong = isThorough ? await disagreements(client) : [];
    // A store that came back takes writes.
    await client.db(database).collection<{ _id: string }>('after').insertOne({ _id: 'after' });
    return { seen, wrong };
  } finally {
    await client.close();
    await store.close();
  }
}

process.on('message', async (request: ReadRequest) => {
  try {
    process.send?.(await read(request));
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
