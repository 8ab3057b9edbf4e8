import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, type MongoServerError } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';

const directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
const failures: unknown[] = [];
let store: Awaited<ReturnType<typeof startEmbedded>>;
let client: MongoClient;
beforeAll(async () => {
  store = await startEmbedded(directory, { onFailure: (error) => failures.push(error) });
  client = await new MongoClient(store.uri).connect();
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('Transactions that make a collection', () => {
  it('agree on one: the others see it, and what is in it, when they are run again', async () => {
    for (let round = 0; round < 10; round += 1) {
      const name = `made${round}`;
      const outcomes = await Promise.allSettled(
        [1, 2, 3, 4].map(async (who) => {
          const session = client.startSession();
          try {
            await session.withTransaction(async () => {
              // Read first: the snapshot is older than the collection that a rival makes meanwhile.
              await client.db('t').collection('others').findOne({}, { session });
              await client
                .db('t')
                .collection<{ _id: string; who: number }>(name)
                .insertOne({ _id: 'owner', who }, { session });
            });
          } finally {
            await session.endSession();
          }
        }),
      );
      const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      expect(refused.map((error) => (error as MongoServerError).code)).toEqual([11_000, 11_000, 11_000]);
      expect(await client.db('t').collection(name).countDocuments()).toBe(1);
    }
    expect(failures).toEqual([]);
  });
});
