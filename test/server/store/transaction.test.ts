import mongoose from 'mongoose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { inTransaction } from '../../../server/store/transaction.js';
import { withStore } from '../store.js';

withStore({ isTest: true });

const { MongoNetworkError, MongoServerError, ClientSession } = mongoose.mongo;
afterEach(() => {
  vi.restoreAllMocks();
});

const rows = () => mongoose.connection.collection<{ _id: string }>('things');
const put = (id: string) => inTransaction((session) => rows().insertOne({ _id: id }, { session }));
const isThere = async (id: string) => (await rows().countDocuments({ _id: id })) === 1;

/** As the driver gives it for a connection that it had given up before it failed: without any label. */
const cutOff = () => new MongoNetworkError('connection 1 closed');

describe('a transaction', () => {
  it('begins again when it was cut off, labelled or not', async () => {
    let runs = 0;
    await inTransaction(async (session) => {
      runs += 1;
      await rows().insertOne({ _id: 'again' }, { session });
      if (runs === 1) throw cutOff();
    });
    expect(runs).toBe(2);
    expect(await isThere('again')).toBe(true);
  });

  it('asks for its commit until it knows of it, and does not run again', async () => {
    const commit = ClientSession.prototype.commitTransaction;
    const committing = vi.spyOn(ClientSession.prototype, 'commitTransaction');
    committing.mockImplementationOnce(async function (this: mongoose.mongo.ClientSession) {
      await commit.call(this);
      throw cutOff();
    });
    let runs = 0;
    await inTransaction(async (session) => {
      runs += 1;
      await rows().insertOne({ _id: 'committed' }, { session });
    });
    expect(runs).toBe(1);
    expect(committing).toHaveBeenCalledTimes(2);
    expect(await isThere('committed')).toBe(true);
  });

  it('ends with the rival’s conflict when that was first as often as patience allows', async () => {
    await put('held');
    let runs = 0;
    const write = (session: mongoose.mongo.ClientSession) =>
      rows().updateOne({ _id: 'held' }, { $set: { at: Math.random() } }, { session });
    await inTransaction(async (holder) => {
      await write(holder);
      const rival = inTransaction(
        async (session) => {
          runs += 1;
          await write(session);
        },
        { rivals: 3, ms: 60_000 },
      );
      await expect(rival).rejects.toMatchObject({ code: 112 });
    });
    expect(runs).toBe(3);
  });

  it('ends at once with what its work fails at, and leaves nothing', async () => {
    const failing = inTransaction(async (session) => {
      await rows().insertOne({ _id: 'refused' }, { session });
      throw new MongoServerError({ message: 'no', code: 1 });
    });
    await expect(failing).rejects.toMatchObject({ code: 1 });
    expect(await isThere('refused')).toBe(false);
  });
});
