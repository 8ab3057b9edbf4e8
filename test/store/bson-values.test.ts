import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Collection, Decimal128, type Document, Double, Int32, Long, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../server/store/connect.js';

/**
 * Values stay what BSON says they are, through driver, wire, index and disk: what libraries that work on JavaScript's own
 * values get wrong without a word.
 */

let directory: string;
let store: Awaited<ReturnType<typeof startEmbedded>>;
let client: MongoClient;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'threadline-store-'));
  store = await startEmbedded(directory);
  client = await new MongoClient(store.uri, { promoteValues: false, promoteLongs: false }).connect();
});
afterAll(async () => {
  await client?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

let made = 0;
/** A collection of these documents, numbered, with an index on `v` or without one. */
async function aCollection(values: unknown[], isIndexed: boolean): Promise<Collection<Document>> {
  made += 1;
  const rows = client.db('values').collection(`c${made}`);
  if (isIndexed) await rows.createIndex({ v: 1 });
  await rows.insertMany(values.map((v, n) => ({ _id: n as never, v })));
  return rows;
}
const found = async (rows: Collection<Document>, filter: Document) =>
  (await rows.find(filter).sort({ _id: 1 }).toArray()).map(({ _id }) => Number(_id));
const codeOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => 'accepted',
    (error: unknown) => Number((error as { code?: unknown }).code),
  );
const decimal = (text: string) => Decimal128.fromString(text);

const threes = [new Int32(3), Long.fromNumber(3), new Double(3), decimal('3.0'), decimal('3'), '3', [3]];

describe.each([false, true])('With an index on it: %s. A number', (isIndexed) => {
  it('is greater than a smaller one, whatever their types', async () => {
    const rows = await aCollection([Long.fromNumber(30), decimal('30'), new Int32(4), '30'], isIndexed);
    expect(await found(rows, { v: { $gt: 4 } })).toEqual([0, 1]);
    expect(await found(rows, { v: { $gte: decimal('4.0'), $lt: Long.fromNumber(30) } })).toEqual([2]);
  });

  it('equals the same one of any type', async () => {
    const rows = await aCollection(threes, isIndexed);
    for (const three of [3, Long.fromNumber(3), new Double(3), decimal('3.00'), 3n])
      expect(await found(rows, { v: three }), String(three)).toEqual([0, 1, 2, 3, 4, 6]);
    expect(await found(rows, { v: { $in: [decimal('3'), 'x'] } })).toEqual([0, 1, 2, 3, 4, 6]);
    expect(await found(rows, { v: { $nin: [3] } })).toEqual([5]);
  });

  it('beyond what a double can tell apart is still told apart', async () => {
    const [low, high] = [Long.fromString('9007199254740992'), Long.fromString('9007199254740993')];
    const rows = await aCollection([low, high, decimal('9007199254740993')], isIndexed);
    expect(await found(rows, { v: high })).toEqual([1, 2]);
    expect(await found(rows, { v: { $gt: low } })).toEqual([1, 2]);
  });

  it('is of one type only', async () => {
    const rows = await aCollection(threes, isIndexed);
    expect(await found(rows, { v: { $type: 'int' } })).toEqual([0, 6]);
    expect(await found(rows, { v: { $type: 'long' } })).toEqual([1]);
    expect(await found(rows, { v: { $type: 'double' } })).toEqual([2]);
    expect(await found(rows, { v: { $type: 'decimal' } })).toEqual([3, 4]);
  });

  it('is not found under a bound of another kind, nor a document without it under a bound at all', async () => {
    const rows = await aCollection([1, 'a', null, new Date(0), [5], { a: 1 }, true], isIndexed);
    await rows.insertOne({ _id: 7 as never });
    expect(await found(rows, { v: { $gte: 0 } })).toEqual([0, 4]);
    expect(await found(rows, { v: { $lt: 'b' } })).toEqual([1]);
    expect(await found(rows, { v: null })).toEqual([2, 7]);
    expect(await found(rows, { v: { $gte: null } })).toEqual([2, 7]);
    expect(await found(rows, { v: { $exists: false } })).toEqual([7]);
    expect(await found(rows, { v: { $ne: null } })).toEqual([0, 1, 3, 4, 5, 6]);
  });

  it('in a document counts with the order of fields, and in an array element by element', async () => {
    const rows = await aCollection(
      [{ x: 1, y: 2 }, { y: 2, x: 1 }, [1, 2, 3], [1, 2], [[1, 2, 4]], [2]],
      isIndexed,
    );
    expect(await found(rows, { v: { x: 1, y: 2 } })).toEqual([0]);
    expect(await found(rows, { v: { $gt: { x: 1, y: 2 } } })).toEqual([1]);
    expect(await found(rows, { v: { $gt: [1, 2] } })).toEqual([2, 4, 5]);
    expect(await found(rows, { v: [1, 2] })).toEqual([3]);
  });
});

describe('Arithmetic', () => {
  it('adds to a long, and keeps its type', async () => {
    const rows = await aCollection([Long.fromString('9007199254740993')], false);
    await rows.updateOne({}, { $inc: { v: 1 } });
    expect(await rows.findOne()).toEqual({ _id: new Int32(0), v: Long.fromString('9007199254740994') });
  });

  it('widens an int that grows too large, and refuses a long that does', async () => {
    const rows = await aCollection([new Int32(2 ** 31 - 1), Long.MAX_VALUE], false);
    await rows.updateOne({ _id: 0 as never }, { $inc: { v: 1 } });
    expect((await rows.findOne({ _id: 0 as never }))?.v).toEqual(Long.fromNumber(2 ** 31));
    expect(await codeOf(rows.updateOne({ _id: 1 as never }, { $inc: { v: 1 } }))).toBe(2);
  });

  it('sums and adds decimals without losing them', async () => {
    const rows = await aCollection([decimal('0.1'), decimal('0.2'), new Int32(1), Long.fromNumber(1)], false);
    const [row] = await rows
      .aggregate([{ $group: { _id: null, sum: { $sum: '$v' }, mean: { $avg: '$v' } } }])
      .toArray();
    expect(String(row?.sum)).toBe('2.3');
    expect(String(row?.mean)).toBe('0.575');
    const [added] = await rows
      .aggregate([{ $match: { _id: 0 as never } }, { $project: { v: { $add: ['$v', decimal('0.2'), 1] } } }])
      .toArray();
    expect(String(added?.v)).toBe('1.3');
  });

  it('groups equal numbers of all types as one', async () => {
    const rows = await aCollection(threes.slice(0, 5), false);
    expect(await rows.aggregate([{ $group: { _id: '$v', n: { $sum: 1 } } }]).toArray()).toEqual([
      { _id: new Int32(3), n: new Int32(5) },
    ]);
    expect(await rows.distinct('v')).toEqual([new Int32(3)]);
  });
});

describe('A join', () => {
  it('by fields and a pipeline goes by both', async () => {
    const [left, right] = [await aCollection([1, 2], false), await aCollection([1, 1, 2], false)];
    const joined = await left
      .aggregate([
        {
          $lookup: {
            from: right.collectionName,
            localField: 'v',
            foreignField: 'v',
            pipeline: [{ $match: { _id: { $gt: 0 } } }, { $project: { _id: 1 } }],
            as: 'all',
          },
        },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    expect(joined.map(({ all }) => all.map(({ _id }: Document) => Number(_id)))).toEqual([[1], [2]]);
  });
});

describe.each([false, true])('With an index under a collation: %s. A text', (isIndexed) => {
  const texts = ['a', 'A', 'á', 'b', 'B'];
  it.each([
    [1, ['a', 'A', 'á']],
    [2, ['a', 'A']],
    [3, ['a']],
  ])('compares at strength %i', async (strength, expected) => {
    const rows = await aCollection(texts, false);
    const collation = { locale: 'en', strength };
    if (isIndexed) await rows.createIndex({ v: 1 }, { collation });
    const equal = await rows.find({ v: 'a' }, { collation }).sort({ _id: 1 }).toArray();
    expect(equal.map(({ v }) => v)).toEqual(expected);
    const after = await rows
      .find({ v: { $gt: 'á' } }, { collation })
      .sort({ _id: 1 })
      .toArray();
    expect(after.map(({ v }) => v)).toEqual(['b', 'B']);
  });

  it('is unique under it', async () => {
    const rows = await aCollection(['Ann'], false);
    await rows.createIndex({ v: 1 }, { unique: true, collation: { locale: 'en', strength: 2 } });
    expect(await codeOf(rows.insertOne({ v: 'ANN' }))).toBe(11_000);
    expect(await codeOf(rows.insertOne({ v: 'Anne' }))).toBe('accepted');
  });
});

describe('What this store does not do', () => {
  it.each([
    ['$text', { $text: { $search: 'a' } }, 27],
    ['$where', { $where: 'true' }, 2],
    ['$jsonSchema', { $jsonSchema: { required: ['a'] } }, 2],
    ['$near', { v: { $near: [0, 0] } }, 2],
    ['$geoWithin', { v: { $geoWithin: { $center: [[0, 0], 1] } } }, 2],
  ])('is refused and never passed over: %s', async (_name, filter, code) => {
    const rows = await aCollection([1], false);
    for (const act of [
      () => rows.find(filter as Document).toArray(),
      () => rows.updateMany(filter as Document, { $set: { v: 2 } }),
      () => rows.deleteMany(filter as Document),
      () => rows.countDocuments(filter as Document),
    ])
      expect(await codeOf(act())).toBe(code);
    expect(Number(await rows.countDocuments({}))).toBe(1);
  });
});
