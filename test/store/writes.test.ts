import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';

let directory: string;
let store: Awaited<ReturnType<typeof startEmbedded>>;
let client: MongoClient;
let rows: Collection<Document>;
/** More than a commit looks at for one statement, and than it changes. */
const count = 5_000;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  store = await startEmbedded(directory);
  client = await new MongoClient(store.uri).connect();
  rows = client.db('writes').collection('many');
  await rows.insertMany(Array.from({ length: count }, (_, n) => ({ _id: n as never, n, group: n % 5 })));
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});
const codeOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('A statement that changes many', () => {
  it('changes each of them once, and those that others have changed meanwhile only if they still fit', async () => {
    const racing = Array.from({ length: 200 }, (_, n) =>
      rows.updateOne({ _id: (n * 25) as never }, { $set: { group: 9 } }),
    );
    const [result] = await Promise.all([
      rows.updateMany({ group: { $lt: 9 } }, { $inc: { times: 1 } }),
      ...racing,
    ]);
    const changed = await rows.countDocuments({ times: 1 });
    expect(await rows.countDocuments({ times: { $gt: 1 } })).toBe(0);
    expect(result.modifiedCount).toBe(changed);
    expect(changed).toBeGreaterThanOrEqual(count - 200);
    expect(await rows.countDocuments({ group: { $lt: 9 }, times: { $exists: false } })).toBe(0);
  });

  it('sees what the statements before it in its command have done', async () => {
    const result = await rows.bulkWrite([
      { updateOne: { filter: { _id: 1 as never }, update: { $set: { mark: 1 } } } },
      { updateMany: { filter: { mark: 1 }, update: { $set: { mark: 2 } } } },
      { updateMany: { filter: { mark: 'nobody' }, update: { $set: { mark: 3 } }, upsert: true } },
      { deleteMany: { filter: { mark: 3 } } },
    ]);
    expect(result).toMatchObject({ modifiedCount: 2, upsertedCount: 1, deletedCount: 1 });
    expect(await rows.countDocuments({ mark: 2 })).toBe(1);
  });

  it('stops at the first that cannot be changed, and leaves changed what was', async () => {
    const some = client.db('writes').collection('numbers');
    await some.insertMany(
      Array.from({ length: 600 }, (_, n) => ({ _id: n as never, v: n === 400 ? 'x' : n })),
    );
    expect(await codeOf(some.updateMany({}, { $inc: { v: 1_000 } }))).toBe(14);
    expect(await some.countDocuments({ v: { $gte: 1_000 } })).toBe(400);
  });

  it('deletes all of them', async () => {
    expect(await rows.deleteMany({ group: { $in: [1, 2] } })).toMatchObject({
      deletedCount: count - (await rows.countDocuments({})),
    });
    expect(await rows.countDocuments({ group: { $in: [1, 2] } })).toBe(0);
  });
});

describe('A statement that must look far', () => {
  it('finds its one document', async () => {
    expect(await rows.updateOne({ n: count - 1 }, { $set: { seen: 1 } })).toMatchObject({ modifiedCount: 1 });
    expect(
      await rows.findOneAndUpdate({ seen: 1 }, { $set: { seen: 2 } }, { returnDocument: 'after' }),
    ).toMatchObject({
      n: count - 1,
      seen: 2,
    });
    expect(await rows.findOneAndUpdate({}, { $set: { last: true } }, { sort: { n: -1 } })).toMatchObject({
      n: count - 1,
    });
    expect(await rows.deleteOne({ seen: 2 })).toMatchObject({ deletedCount: 1 });
    expect(await rows.deleteOne({ seen: 2 })).toMatchObject({ deletedCount: 0 });
  });

  it('inserts where there is none, once', async () => {
    const act = () => rows.updateOne({ name: 'new' }, { $inc: { times: 1 } }, { upsert: true });
    expect(await act()).toMatchObject({ upsertedCount: 1 });
    expect(await act()).toMatchObject({ upsertedCount: 0, modifiedCount: 1 });
  });

  it('counts each of many that race for one document', async () => {
    await rows.insertOne({ counter: 'far', value: 0 });
    const racing = Array.from({ length: 30 }, () =>
      rows.updateOne({ counter: 'far' }, { $inc: { value: 1 } }),
    );
    await Promise.all(racing);
    expect(await rows.findOne({ counter: 'far' })).toMatchObject({ value: 30 });
    const takes = Array.from({ length: 5 }, () => rows.findOneAndDelete({ counter: 'far' }));
    expect((await Promise.all(takes)).filter((one) => one !== null)).toHaveLength(1);
  });
});

describe('What is refused in its middle', () => {
  it('leaves the collection of an $out as it was', async () => {
    const target = client.db('writes').collection('target');
    await target.insertMany([{ _id: 1 as never, kept: true }]);
    const twice = [{ $limit: 2 }, { $project: { _id: { $literal: 7 } } }, { $out: 'target' }];
    expect(await codeOf(rows.aggregate(twice).toArray())).toBe(11_000);
    expect(await target.find().toArray()).toEqual([{ _id: 1, kept: true }]);
  });

  it('leaves no index behind that was made before it and not filled', async () => {
    const some = client.db('writes').collection('indexed');
    await some.insertMany([{ a: 1 }, { a: 2 }]);
    await some.createIndex({ b: 1 }, { name: 'b' });
    const wanted = [
      { key: { a: 1 }, name: 'a' },
      { key: { b: 1 }, name: 'other' },
    ];
    expect(await codeOf(some.createIndexes(wanted))).toBe(85);
    expect((await some.indexes()).map(({ name }) => name)).toEqual(['_id_', 'b']);
    expect(await some.countDocuments({ a: { $gte: 1 } })).toBe(2);
  });

  it('makes no collection for what only deletes or changes', async () => {
    await client.bulkWrite([
      { name: 'deleteMany', namespace: 'writes.nowhere', filter: {} },
      { name: 'updateOne', namespace: 'writes.nowhere', filter: {}, update: { $set: { a: 1 } } },
    ]);
    expect(await client.db('writes').listCollections({ name: 'nowhere' }).toArray()).toEqual([]);
  });
});

describe('$merge', () => {
  const into = (more: Document) => ({ $merge: { into: 'merged', ...more } });
  const merge = (documents: Document[], more: Document = {}) =>
    client
      .db('writes')
      .aggregate([{ $documents: documents }, into(more)])
      .toArray();
  const all = () => client.db('writes').collection('merged').find().sort({ n: 1 }).toArray();

  it('merges, replaces, keeps and inserts by the key it is told', async () => {
    const target = client.db('writes').collection('merged');
    await target.createIndex({ n: 1 }, { unique: true });
    await target.insertMany([
      { _id: 1 as never, n: 1, a: 1 },
      { _id: 2 as never, n: 2, a: 2 },
    ]);
    await merge([{ _id: 1, b: 1 }]);
    await merge([{ n: 2, b: 2 }], { on: 'n', whenMatched: 'replace' });
    await merge([{ n: 1, b: 9 }], { on: 'n', whenMatched: 'keepExisting' });
    await merge([{ n: 2, by: 5 }], { on: 'n', whenMatched: [{ $set: { b: { $add: ['$b', '$$new.by'] } } }] });
    expect(await all()).toEqual([
      { _id: 1, n: 1, a: 1, b: 1 },
      { _id: 2, n: 2, b: 7 },
    ]);
    await merge([{ n: 3 }]);
    expect((await all()).at(-1)).toEqual({ _id: expect.anything(), n: 3 });
  });

  it('never gives a document another _id', async () => {
    expect(await codeOf(merge([{ _id: 77, n: 1 }], { on: 'n' }))).toBe(66);
    expect(await codeOf(merge([{ _id: 77, n: 1 }], { on: 'n', whenMatched: 'replace' }))).toBe(66);
    expect((await all())[0]).toMatchObject({ _id: 1, n: 1 });
  });

  it('keeps to the rule of its collection', async () => {
    const target = client.db('writes').collection('ruled');
    await client.db('writes').createCollection('ruled', { validator: { n: { $gt: 0 } } });
    const act = (n: number) =>
      client
        .db('writes')
        .aggregate([{ $documents: [{ _id: 1, n }] }, { $merge: { into: 'ruled' } }])
        .toArray();
    expect(await codeOf(act(1))).toBe('accepted');
    expect(await codeOf(act(-1))).toBe(121);
    expect(await target.find().toArray()).toEqual([{ _id: 1, n: 1 }]);
  });
});

describe('A transaction that changes too much', () => {
  it('is refused, and leaves nothing', async () => {
    const some = client.db('writes').collection('large');
    await some.insertOne({ kept: true });
    const text = 'x'.repeat(8 * 1024 * 1024);
    const session = client.startSession();
    session.startTransaction();
    const act = async () => {
      for (let n = 0; n < 9; n += 1) await some.insertOne({ n, text }, { session });
    };
    expect(await codeOf(act())).toBe(388);
    await session.endSession();
    expect(await some.countDocuments({})).toBe(1);
  });
});
