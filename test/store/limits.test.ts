import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'bson';
import { Binary, type Collection, type Document, Long, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';
import { createCursors, lazySource } from '../../server/store/embedded/engine/cursors.js';
import { serve } from '../../server/store/embedded/serve.js';
import { openInProcess } from './in-process.js';

let directory: string;
let store: Awaited<ReturnType<typeof startEmbedded>>;
let client: MongoClient;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  store = await startEmbedded(directory);
  client = await new MongoClient(store.uri).connect();
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

let made = 0;
function aCollection(): Collection<Document> {
  made += 1;
  return client.db('limits').collection(`c${made}`);
}
const codeOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('A stage that holds what it is given', () => {
  it('is refused when that is more than MongoDB would hold in memory, and only then', async () => {
    const rows = aCollection();
    const blob = new Binary(Buffer.alloc(15 * 1024 * 1024));
    for (let n = 0; n < 7; n += 1) await rows.insertOne({ n, blob });
    expect(await codeOf(rows.find().sort({ n: -1 }).toArray())).toBe(292);
    expect(await codeOf(rows.aggregate([{ $sort: { n: -1 } }]).toArray())).toBe(292);
    const collected = { _id: null, all: { $push: '$blob' } };
    expect(await codeOf(rows.aggregate([{ $group: collected }]).toArray())).toBe(292);
    // What is kept is counted, and not what is looked at.
    const different = { _id: null, all: { $addToSet: '$blob' } };
    expect(
      await rows.aggregate([{ $group: different }, { $project: { n: { $size: '$all' } } }]).toArray(),
    ).toEqual([{ _id: null, n: 1 }]);
    const [last] = await rows
      .find({}, { projection: { blob: 0 } })
      .sort({ n: -1 })
      .limit(1)
      .toArray();
    expect(last?.n).toBe(6);
  });

  it('does not give out a row of more than 16 MB', async () => {
    const rows = aCollection();
    const blob = new Binary(Buffer.alloc(9 * 1024 * 1024));
    await rows.insertMany([{ blob }, { blob }]);
    expect(await codeOf(rows.aggregate([{ $group: { _id: null, all: { $push: '$blob' } } }]).toArray())).toBe(
      10_334,
    );
    await rows.updateMany({}, { $set: { at: 1 } });
    expect(await codeOf(rows.distinct('blob'))).toBe('accepted');
  });
});

describe("A command's time", () => {
  it('runs out during long work', async () => {
    const rows = aCollection();
    await rows.insertMany(Array.from({ length: 2_000 }, (_, n) => ({ n })));
    const pipeline = [{ $match: { $expr: { $lt: ['$n', '$$n'] } } }, { $limit: 1 }, { $match: { n: -1 } }];
    const everyPair = { from: rows.collectionName, as: 'all', let: { n: -1 }, pipeline };
    expect(await codeOf(rows.aggregate([{ $lookup: everyPair }], { maxTimeMS: 50 }).toArray())).toBe(50);
  });

  it('does not pass while nobody reads on', async () => {
    const inProcess = openInProcess(() => new Date());
    await inProcess.run({ insert: 'c', documents: [{ _id: 1 }, { _id: 2 }, { _id: 3 }], $db: 'test' });
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { cursor } = await inProcess.run({ find: 'c', batchSize: 1, maxTimeMS: 1_000, $db: 'test' });
      vi.advanceTimersByTime(600_000);
      const more = { getMore: Long.fromBigInt(BigInt(cursor.id)), collection: 'c', $db: 'test' };
      expect((await inProcess.run(more)).cursor.nextBatch).toEqual([{ _id: 2 }, { _id: 3 }]);
    } finally {
      vi.useRealTimers();
    }
    await inProcess.close();
  });
});

describe('A transaction', () => {
  it('is ended a minute after it began, however busy it is', async () => {
    let time = Date.now();
    const inProcess = openInProcess(() => new Date(time));
    const lsid = { id: new Binary(Buffer.alloc(16, 1), 4) };
    const insert = (n: number, more: Document = {}) =>
      inProcess.run({
        insert: 'c',
        documents: [{ _id: n }],
        lsid,
        txnNumber: Long.fromNumber(1),
        autocommit: false,
        $db: 'test',
        ...more,
      });
    expect(await insert(1, { startTransaction: true })).toMatchObject({ ok: 1, n: 1 });
    for (const n of [2, 3, 4]) {
      time += 19_000;
      await inProcess.sweep();
      expect(await insert(n)).toMatchObject({ ok: 1, n: 1 });
    }
    time += 4_000;
    await inProcess.sweep();
    expect(await insert(5)).toMatchObject({ ok: 0, code: 251, errorLabels: ['TransientTransactionError'] });
    await inProcess.close();
  });
});

/** A command as one frame of the protocol, sent without waiting for an answer where it is `silent`. */
function frameOf(command: Document, isSilent = false): Buffer {
  const frame = Buffer.concat([Buffer.alloc(21), serialize(command)]);
  frame.writeInt32LE(frame.length, 0);
  frame.writeInt32LE(2_013, 12);
  frame.writeInt32LE(isSilent ? 2 : 0, 16);
  return frame;
}

describe('A cursor', () => {
  it('is closed at once when the answer that tells of it does not go out', async () => {
    const rows = aCollection();
    await rows.insertMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
    const open = async () =>
      Number((await client.db('admin').command({ serverStatus: 1 })).metrics.cursor.open.total);
    const before = await open();
    const find = { find: rows.collectionName, batchSize: 1, $db: 'limits' };
    const socket = connect(decodeURIComponent(new URL(store.uri).hostname));
    const answers = new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', resolve);
    });
    socket.write(Buffer.concat([frameOf(find, true), frameOf({ ping: 1, $db: 'admin' })]));
    await answers;
    expect(await open()).toBe(before);
    socket.write(frameOf(find));
    await expect.poll(open).toBe(before + 1);
    socket.destroy();
  });

  it.each([
    { where: 'outside of transactions', transaction: null, code: 43 },
    { where: 'in a transaction, which is over with it', transaction: 1n, code: 251 },
  ])(
    'that is closed in the middle of a batch has not come to its end: $where',
    async ({ transaction, code }) => {
      const { database, close } = openInProcess(() => new Date());
      const cursors = createCursors(database);
      const row = Buffer.from(serialize({}));
      function* rows() {
        yield* [row, row, null, row];
      }
      const source = lazySource(rows, () => database.snapshot());
      const owner = { session: 'session', transaction };
      const { cursor } = await cursors.open(source, 'test.c', { batchSize: 1, ...owner });
      const batch = cursors.more((cursor as { id: bigint }).id, 'test.c', {
        batchSize: 3,
        waitMs: 0,
        gone: new AbortController().signal,
        ...owner,
      });
      // It has given way after the second row.
      cursors.removeOf('session');
      await expect(batch).rejects.toMatchObject({ code });
      await close();
    },
  );
});

describe('A connection', () => {
  it('is answered everything in order that it sends at once', async () => {
    const socket = connect(decodeURIComponent(new URL(store.uri).hostname));
    const ping = frameOf({ ping: 1, $db: 'admin' });
    const sent = 5_000;
    const answered: number[] = [];
    let rest: Buffer = Buffer.alloc(0);
    const done = new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
          answered.push(rest.readInt32LE(8));
          rest = rest.subarray(rest.readInt32LE(0));
        }
        if (answered.length === sent) resolve();
      });
    });
    for (let n = 1; n <= sent; n += 1) {
      const message = Buffer.from(ping);
      message.writeInt32LE(n, 4);
      socket.write(message);
    }
    await done;
    socket.destroy();
    expect(answered).toEqual(Array.from({ length: sent }, (_, n) => n + 1));
  });

  it('may say little before it has proved who it is', async () => {
    const place = mkdtempSync(join(tmpdir(), 'threadline-store-'));
    const socketPath = join(place, 's.sock');
    const server = await serve(place, socketPath, { password: { user: 'u', password: 'p' } });
    const socket = connect(socketPath);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const header = Buffer.alloc(16);
    header.writeInt32LE(1_000_000, 0);
    header.writeInt32LE(2_013, 12);
    socket.write(header);
    await closed;
    await server.close();
    rmSync(place, { recursive: true, force: true });
  });
});
