import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Binary, type Collection, type Document, Int32, Long, MongoClient, MongoServerError } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';
import { AppError } from '../../shared/errors.js';

let directory: string;
let store: Awaited<ReturnType<typeof startEmbedded>>;
let client: MongoClient;
let made = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  store = await startEmbedded(directory);
  client = await new MongoClient(store.uri, { maxPoolSize: 100 }).connect();
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A collection of the test's own. */
function aCollection(): Collection<Document> {
  made += 1;
  return client.db('test').collection(`c${made}`);
}
const idsOf = (documents: Document[]) => documents.map(({ _id }) => _id);
const codeOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('values', () => {
  it('compare across number types as one number', async () => {
    const rows = aCollection();
    await rows.insertMany([
      { _id: 'int' as never, n: new Int32(3) },
      { _id: 'long' as never, n: Long.fromNumber(3) },
      { _id: 'double' as never, n: 3.5 },
    ]);
    expect(idsOf(await rows.find({ n: 3 }).sort({ _id: 1 }).toArray())).toEqual(['int', 'long']);
    expect(await rows.countDocuments({ n: { $gt: Long.fromNumber(2) } })).toBe(3);
  });

  it('stay what they were: bytes, integers of 64 bits, dates, order of keys', async () => {
    const rows = aCollection();
    const document = {
      _id: 'kept' as never,
      bytes: new Binary(Buffer.from([0, 255])),
      big: Long.fromString('9007199254740993'),
      at: new Date(0),
      z: 1,
      a: { y: null, b: [] },
    };
    await rows.insertOne(document);
    const found = await rows.findOne({ _id: 'kept' as never }, { promoteValues: false, promoteLongs: false });
    expect(String(found?.big)).toBe('9007199254740993');
    expect(Object.keys(found ?? {})).toEqual(['_id', 'bytes', 'big', 'at', 'z', 'a']);
  });

  it('keep types apart: a bound on a number finds no string, null finds what is missing', async () => {
    const rows = aCollection();
    await rows.insertMany([
      { _id: 1 as never, v: 5 },
      { _id: 2 as never, v: '5' },
      { _id: 3 as never, v: null },
      { _id: 4 as never },
    ]);
    expect(idsOf(await rows.find({ v: { $gte: 0 } }).toArray())).toEqual([1]);
    expect(idsOf(await rows.find({ v: null }).sort({ _id: 1 }).toArray())).toEqual([3, 4]);
    expect(idsOf(await rows.find({ v: { $exists: false } }).toArray())).toEqual([4]);
  });
});

describe('an index', () => {
  it('that is unique refuses a second document and says which key', async () => {
    const rows = aCollection();
    await rows.createIndex({ workspaceId: 1, dedupeKey: 1 }, { unique: true });
    await rows.insertOne({ workspaceId: 'w', dedupeKey: 'k' });
    const error: unknown = await rows
      .insertOne({ workspaceId: 'w', dedupeKey: 'k' })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(MongoServerError);
    expect(error).toMatchObject({
      code: 11_000,
      keyPattern: { workspaceId: 1, dedupeKey: 1 },
      keyValue: { workspaceId: 'w', dedupeKey: 'k' },
    });
    expect(await rows.countDocuments({})).toBe(1);
  });

  it('gives a page of 50 from 50 merged contacts by merging ordered scans, and reads little more than the page', async () => {
    const rows = aCollection();
    await rows.createIndex({ contactId: 1, at: 1, _id: 1 });
    const documents = Array.from({ length: 20_000 }, (_, n) => ({
      _id: `e${n}` as never,
      contactId: `c${n % 50}`,
      at: new Date(n * 1_000),
    }));
    await rows.insertMany(documents);
    const contacts = Array.from({ length: 50 }, (_, n) => `c${n}`);
    const cursor = rows
      .find({ contactId: { $in: contacts } })
      .sort({ at: -1, _id: -1 })
      .limit(50);
    expect(idsOf(await cursor.clone().toArray())).toEqual(
      documents
        .slice(-50)
        .reverse()
        .map(({ _id }) => _id),
    );
    const { executionStats } = await cursor.clone().explain('executionStats');
    expect(executionStats.nReturned).toBe(50);
    expect(executionStats.totalKeysExamined).toBeLessThanOrEqual(150);
    expect(executionStats.totalDocsExamined).toBe(50);
  });

  it('never changes an answer: with and without it, both ways, with ranges, lists and gaps', async () => {
    const [bare, indexed] = [aCollection(), aCollection()];
    await indexed.createIndex({ a: 1, b: -1 });
    await indexed.createIndex({ tags: 1 });
    const values = [1, 2.5, -3, null, 'x', 'y', undefined, true];
    const documents = Array.from({ length: 200 }, (_, n) => ({
      _id: n as never,
      a: values[n % values.length],
      b: values[(n * 3) % 7],
      tags: n % 5 === 0 ? [] : [n % 3, n % 4],
    }));
    for (const rows of [bare, indexed]) await rows.insertMany(documents, { ignoreUndefined: true });
    const filters: Document[] = [
      { a: 1 },
      { a: { $in: [1, 'x', null] }, b: { $gte: 1 } },
      { a: { $gt: -10, $lt: 3 } },
      { a: null },
      { tags: { $gt: 0, $lt: 2 } },
      { tags: 2, a: { $ne: 1 } },
      { $or: [{ a: 'x' }, { a: 'y', b: { $lte: 2 } }] },
      { a: { $nin: [1, null] } },
    ];
    for (const filter of filters) {
      for (const sort of [
        { _id: 1 },
        { a: 1, b: -1, _id: 1 },
        { a: -1, b: 1, _id: 1 },
        { b: 1, _id: -1 },
      ] as Record<string, 1 | -1>[]) {
        const [plain, quick] = await Promise.all(
          [bare, indexed].map(async (rows) => idsOf(await rows.find(filter).sort(sort).toArray())),
        );
        expect(quick, JSON.stringify({ filter, sort })).toEqual(plain);
      }
    }
  });
});

describe('a transaction', () => {
  it('is seen whole or not at all', async () => {
    const rows = aCollection();
    const session = client.startSession();
    session.startTransaction();
    await rows.insertOne({ _id: 'a' as never }, { session });
    await rows.insertOne({ _id: 'b' as never }, { session });
    expect(await rows.countDocuments({})).toBe(0);
    expect(await rows.countDocuments({}, { session })).toBe(2);
    await session.commitTransaction();
    expect(await rows.countDocuments({})).toBe(2);
    await session.endSession();
  });

  it('that is aborted leaves nothing', async () => {
    const rows = aCollection();
    await rows.insertOne({ _id: 'kept' as never, n: 1 });
    const session = client.startSession();
    session.startTransaction();
    await rows.updateOne({ _id: 'kept' as never }, { $set: { n: 2 } }, { session });
    await rows.insertOne({ _id: 'gone' as never }, { session });
    await session.abortTransaction();
    await session.endSession();
    expect(await rows.find({}).toArray()).toEqual([{ _id: 'kept', n: 1 }]);
  });

  it('reads what was there when it began', async () => {
    const rows = aCollection();
    await rows.insertOne({ _id: 'a' as never, n: 1 });
    const session = client.startSession();
    session.startTransaction({ readConcern: { level: 'snapshot' } });
    expect((await rows.findOne({}, { session }))?.n).toBe(1);
    await rows.updateOne({ _id: 'a' as never }, { $set: { n: 2 } });
    expect((await rows.findOne({}, { session }))?.n).toBe(1);
    await session.commitTransaction();
    await session.endSession();
  });

  it('loses to a rival that committed first, and is told to try again', async () => {
    const rows = aCollection();
    await rows.insertOne({ _id: 'a' as never, n: 0 });
    const session = client.startSession();
    session.startTransaction();
    await rows.updateOne({ _id: 'a' as never }, { $inc: { n: 1 } }, { session });
    await rows.updateOne({ _id: 'a' as never }, { $inc: { n: 10 } });
    const error: unknown = await session.commitTransaction().catch((caught: unknown) => caught);
    expect((error as MongoServerError).hasErrorLabel('TransientTransactionError')).toBe(true);
    await session.endSession();
    expect((await rows.findOne({}))?.n).toBe(10);
  });

  it('counts every increment when many race and try again', async () => {
    const rows = aCollection();
    await rows.insertOne({ _id: 'a' as never, n: 0 });
    await Promise.all(
      Array.from({ length: 20 }, () =>
        client.withSession((session) =>
          session.withTransaction(async () => {
            const found = await rows.findOne({ _id: 'a' as never }, { session });
            await rows.updateOne({ _id: 'a' as never }, { $set: { n: Number(found?.n) + 1 } }, { session });
          }),
        ),
      ),
    );
    expect((await rows.findOne({}))?.n).toBe(20);
  });
});

describe('what it does not know', () => {
  it("is refused by MongoDB's own codes, never passed over", async () => {
    const rows = aCollection();
    await rows.insertOne({ a: 1 });
    expect(await codeOf(rows.find({ a: { $near: 1 } }).toArray())).toBe(2);
    expect(await codeOf(rows.find({ $where: 'true' }).toArray())).toBe(2);
    expect(await codeOf(rows.updateOne({}, { $frob: { a: 1 } } as Document))).toBe(9);
    expect(await codeOf(rows.aggregate([{ $frob: {} }]).toArray())).toBe(40_324);
    expect(await codeOf(client.db('test').command({ frob: 1 }))).toBe(59);
    expect(await codeOf(rows.updateOne({}, { $set: { a: 1 }, $inc: { a: 1 } }))).toBe(40);
  });
});

describe('its socket', () => {
  it('closes a connection that does not speak the protocol, and serves the others', async () => {
    const path = decodeURIComponent(/^mongodb:\/\/([^/]+)\//.exec(store.uri)?.[1] ?? '');
    const frames = [
      Buffer.alloc(16),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(12)]),
      (() => {
        const frame = Buffer.alloc(40);
        frame.writeInt32LE(40, 0);
        frame.writeInt32LE(2_013, 12);
        frame.writeInt32LE(900, 21);
        return frame;
      })(),
    ];
    for (const frame of frames) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(path);
        socket.once('error', reject);
        socket.once('close', () => resolve());
        socket.write(frame);
      });
    }
    expect(await client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });

  it('is for this user alone', () => {
    const path = decodeURIComponent(/^mongodb:\/\/([^/]+)\//.exec(store.uri)?.[1] ?? '');
    expect(statSync(path).mode & 0o077).toBe(0);
  });
});

describe('a data directory', () => {
  it('that is open is refused to a second process, which is told by whom', async () => {
    const error: unknown = await startEmbedded(directory).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'store_locked', details: { pid: process.pid } });
  });

  it('is taken over from an owner that is gone', async () => {
    const own = mkdtempSync(join(tmpdir(), 'threadline-store-'));
    const first = await startEmbedded(own);
    await first.close();
    writeFileSync(
      join(own, 'store', 'owner.json'),
      JSON.stringify({ pid: process.pid, began: 'another process', socketPath: 'x' }),
    );
    const second = await startEmbedded(own);
    await second.close();
    rmSync(own, { recursive: true, force: true });
  });

  it('keeps everything when it is closed and opened', async () => {
    const own = mkdtempSync(join(tmpdir(), 'threadline-store-'));
    const write = await startEmbedded(own);
    const writer = await new MongoClient(write.uri).connect();
    await writer.db('a').collection('b').createIndex({ n: 1 }, { unique: true });
    await writer
      .db('a')
      .collection('b')
      .insertMany([{ n: 1 }, { n: 2 }]);
    await writer.close();
    await write.close();
    const read = await startEmbedded(own);
    const reader = await new MongoClient(read.uri).connect();
    expect(await reader.db('a').collection('b').countDocuments({})).toBe(2);
    expect(await codeOf(reader.db('a').collection('b').insertOne({ n: 2 }))).toBe(11_000);
    await reader.close();
    await read.close();
    rmSync(own, { recursive: true, force: true });
  });

  it('with a damaged document says which, instead of serving it', async () => {
    const own = mkdtempSync(join(tmpdir(), 'threadline-store-'));
    const write = await startEmbedded(own);
    const writer = await new MongoClient(write.uri).connect();
    await writer
      .db('a')
      .collection('letters')
      .insertOne({ _id: 'one' as never, text: 'a-text-that-is-easy-to-find' });
    await writer.close();
    await write.close();
    const file = join(own, 'store', 'threadline.lmdb');
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf('easy-to-find'); at >= 0; at = bytes.indexOf('easy-to-find', at + 1))
      bytes[at] = 0x45;
    writeFileSync(file, bytes);
    const read = await startEmbedded(own);
    const reader = await new MongoClient(read.uri).connect();
    await expect(reader.db('a').collection('letters').find({}).toArray()).rejects.toThrow(
      /store_corrupt: a\.letters, record 1/,
    );
    await reader.close();
    await read.close();
    rmSync(own, { recursive: true, force: true });
  });
});
