import { Int32 } from 'bson';
import fc from 'fast-check';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newCounts, play } from './differential-run.js';
import { aCase } from './model/cases.js';
import { compare, type Value } from './model/order.js';
import { isLong, seedOfRun } from './seed.js';
import { aFolder, type Folder, type StoreProcess, startStore } from './store-process.js';

/**
 * The store against a model that is written from MongoDB's manual and does everything the slow and obvious way: the same
 * documents, queries and updates, and random indexes, which must never change an answer.
 */
const cases = Number(process.env.DIFFERENTIAL_CASES ?? (isLong ? 10_000 : 200));
/** The short form is the same every time. */
const seed = isLong ? seedOfRun() : Number(process.env.PROOF_SEED ?? 1);

let folder: Folder;
let store: StoreProcess;
let client: MongoClient;

beforeAll(async () => {
  folder = aFolder('memory');
  store = await startStore(folder);
  client = await new MongoClient(store.uri).connect();
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  folder?.remove();
});

describe('the model', () => {
  it('orders values as the manual does', () => {
    const sorted: Value[] = [null, new Int32(1), 'a', {}, [], false, true, new Date(0)];
    expect(sorted.toSorted(compare)).toEqual(sorted);
  });
});

describe('the store and the model', () => {
  it(`agree on every answer, with whatever indexes: ${cases} cases`, {
    timeout: 300_000 + cases * 1_000,
  }, async () => {
    const counts = newCounts();
    const db = client.db('differential');
    await fc.assert(
      fc.asyncProperty(aCase, (one) => play(db, counts, one)),
      {
        numRuns: cases,
        seed,
        // Shrinking replays the case a few hundred times; each is a few dozen commands.
        interruptAfterTimeLimit: 250_000 + cases * 900,
        markInterruptAsFailure: true,
      },
    );
    console.log(
      `seed ${seed}: ${cases} cases, ${counts.finds} finds (${counts.byIndex} of the planner's own by an index) with ` +
        `${counts.found} documents, ${counts.updates} updates and more that changed ${counts.changed}, ` +
        `${counts.inTransactions} steps in transactions, ${counts.refused} refused as they should be, ` +
        `${counts.unclaimed} left out; answers that differ 0`,
    );
    expect(counts.byIndex).toBeGreaterThan(cases / 4);
    expect(counts.changed).toBeGreaterThan(cases / 4);
    expect(counts.refused).toBeGreaterThan(cases / 50);
    expect(counts.inTransactions).toBeGreaterThan(cases / 4);
  });
});
