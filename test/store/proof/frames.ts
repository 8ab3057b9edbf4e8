import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import {
  Binary,
  BSONRegExp,
  Code,
  Decimal128,
  type Document,
  Double,
  deserialize,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
} from 'bson';
import { MongoClient } from 'mongodb';
import type { Random } from './seed.js';
import type { Folder, StoreProcess } from './store-process.js';

/** Frames of MongoDB's protocol: what a real driver sends, and what becomes of it in bad hands. */

const headerBytes = 16;
const opMsg = 2013;

/** Takes down every frame that a driver sends while it does a bit of everything. */
export async function recordFrames(store: StoreProcess, folder: Folder): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  const path = join(folder.path, 'tap.sock');
  const server = createServer((client) => {
    const target = connect(store.socketPath);
    let held = Buffer.alloc(0);
    client.on('data', (chunk) => {
      target.write(chunk);
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= held.readInt32LE(0)) {
        frames.push(Buffer.from(held.subarray(0, held.readInt32LE(0))));
        held = held.subarray(held.readInt32LE(0));
      }
    });
    target.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(path);
  await once(server, 'listening');
  const client = await new MongoClient(
    `mongodb://${encodeURIComponent(path)}/?directConnection=true`,
  ).connect();
  await doEverything(client);
  await client.close();
  server.close();
  return frames.filter((frame) => frame.length < 20_000);
}

/** What the store does not know yet is refused, and its frame is as good as any. */
const attempt = async (act: () => Promise<unknown>): Promise<void> => {
  await act().catch(() => undefined);
};

async function doEverything(client: MongoClient): Promise<void> {
  const db = client.db('fuzz');
  const rows = db.collection<{ _id: string | number } & Document>('rows');
  const values = {
    double: new Double(1.5),
    text: 'text',
    inner: { a: [1, { b: null }], c: new Date(0) },
    bytes: new Binary(Buffer.from([0, 255])),
    id: new ObjectId(),
    yes: true,
    pattern: new BSONRegExp('^te', 'i'),
    code: new Code('1'),
    int: new Int32(-7),
    at: new Timestamp({ t: 1, i: 2 }),
    long: Long.fromString('9007199254740993'),
    decimal: Decimal128.fromString('1.50'),
    least: new MinKey(),
    most: new MaxKey(),
  };
  await attempt(() => rows.insertOne({ _id: 1, ...values }));
  await attempt(() =>
    rows.insertMany(Array.from({ length: 20 }, (_, n) => ({ _id: `r${n}`, n, tags: ['a', 'b'] }))),
  );
  await attempt(() => rows.insertOne({ _id: 'quiet' }, { writeConcern: { w: 0 } }));
  for (const index of [{ n: 1 }, { tags: 1 }, { 'inner.c': -1, text: 1 }] as const)
    await attempt(() => rows.createIndex(index));
  await attempt(() =>
    rows.createIndex({ text: 1 }, { unique: true, partialFilterExpression: { n: { $gt: 5 } } }),
  );
  await attempt(() => rows.createIndex({ at: 1 }, { expireAfterSeconds: 3_600 }));
  const filters: Document[] = [
    {},
    { n: { $gte: 3, $lt: 9 } },
    { $or: [{ n: 1 }, { tags: { $all: ['a'] } }], 'inner.a.b': null },
    { tags: { $elemMatch: { $in: ['a', /b/] } }, n: { $not: { $mod: [2, 0] } } },
    { text: { $regex: '^t', $options: 'i' }, int: { $type: ['int', 'double'] } },
    { $expr: { $gt: ['$n', 3] } },
    { int: { $bitsAllSet: 1 }, tags: { $size: 2 }, yes: { $exists: true } },
  ];
  for (const filter of filters) {
    await attempt(() => rows.find(filter, { sort: { n: -1 }, limit: 5, projection: { n: 1 } }).toArray());
    await attempt(() => rows.countDocuments(filter));
  }
  await attempt(() => rows.find({}, { batchSize: 2 }).toArray());
  await attempt(async () => {
    const cursor = rows.find({}, { batchSize: 2 });
    await cursor.next();
    await cursor.close();
  });
  await attempt(() => rows.find({ n: 3 }).hint({ n: 1 }).explain());
  await attempt(() =>
    rows
      .find({}, { collation: { locale: 'en', strength: 2 } })
      .sort({ text: 1 })
      .toArray(),
  );
  await attempt(() => rows.distinct('tags', { n: { $gt: 1 } }));
  await attempt(() => rows.estimatedDocumentCount());
  const updates: Document[] = [
    { $set: { 'inner.x.0': 1, text: 'new' }, $unset: { yes: 1 }, $inc: { n: 1 } },
    { $push: { tags: { $each: ['x', 'y'], $slice: -3, $sort: 1, $position: 0 } } },
    { $pull: { tags: { $in: ['a'] } }, $min: { n: 0 }, $max: { int: 5 }, $rename: { text: 'word' } },
    { $addToSet: { tags: { $each: ['a', 'z'] } }, $mul: { double: 2 }, $currentDate: { seen: true } },
    { $set: { 'tags.$[t]': 'q' } },
  ];
  for (const update of updates)
    await attempt(() => rows.updateMany({ n: { $lt: 4 } }, update, { arrayFilters: [{ t: 'a' }] }));
  for (const update of updates) await attempt(() => rows.updateOne({ _id: 'r1' }, update, { upsert: true }));
  await attempt(() => rows.updateOne({ _id: 'r2' }, [{ $set: { sum: { $add: ['$n', 1] } } }]));
  await attempt(() => rows.replaceOne({ _id: 'r3' }, { replaced: true } as never, { upsert: true }));
  await attempt(() =>
    rows.findOneAndUpdate({ n: 3 }, { $set: { found: 1 } }, { sort: { n: 1 }, projection: { n: 1 } }),
  );
  await attempt(() => rows.findOneAndDelete({ n: 7 }));
  await attempt(() => rows.deleteMany({ n: { $gt: 18 } }));
  await attempt(() =>
    rows.bulkWrite([
      { insertOne: { document: { _id: 'bulk' } } },
      { updateOne: { filter: { _id: 'bulk' }, update: { $set: { a: 1 } } } },
      { deleteOne: { filter: { _id: 'bulk' } } },
    ]),
  );
  await attempt(() =>
    client.bulkWrite([
      { name: 'insertOne', namespace: 'fuzz.other', document: { _id: 'c' as never } },
      { name: 'updateMany', namespace: 'fuzz.other', filter: {}, update: { $inc: { n: 1 } } },
      { name: 'deleteOne', namespace: 'fuzz.other', filter: { _id: 'c' as never } },
    ]),
  );
  const pipelines: Document[][] = [
    [
      { $match: { n: { $gt: 1 } } },
      { $group: { _id: '$tags', sum: { $sum: '$n' } } },
      { $sort: { sum: -1 } },
    ],
    [
      { $unwind: '$tags' },
      { $project: { tags: 1, n: { $multiply: ['$n', 2] } } },
      { $limit: 3 },
      { $skip: 1 },
    ],
    [{ $lookup: { from: 'other', localField: 'n', foreignField: 'n', as: 'o' } }, { $count: 'all' }],
    [{ $facet: { a: [{ $match: {} }], b: [{ $sortByCount: '$n' }] } }],
    [{ $setWindowFields: { sortBy: { n: 1 }, output: { r: { $rank: {} } } } }, { $addFields: { z: 1 } }],
  ];
  for (const pipeline of pipelines) await attempt(() => rows.aggregate(pipeline, { batchSize: 2 }).toArray());
  for (const end of ['commitTransaction', 'abortTransaction'] as const)
    await attempt(() =>
      client.withSession(async (session) => {
        session.startTransaction();
        await rows.insertOne({ _id: `in ${end}` }, { session });
        await rows.find({}, { session, batchSize: 2 }).toArray();
        await session[end]();
      }),
    );
  await attempt(async () => {
    const stream = rows.watch([], { maxAwaitTimeMS: 10 });
    await stream.tryNext();
    await stream.close();
  });
  const commands: Document[] = [
    { ping: 1 },
    { hello: 1 },
    { buildInfo: 1 },
    { serverStatus: 1 },
    { dbStats: 1 },
    { collStats: 'rows' },
    { validate: 'rows' },
    { listCollections: 1 },
    { listIndexes: 'rows' },
    { getParameter: '*' },
    { create: 'made', capped: false },
    { collMod: 'rows', index: { name: 'at_1', expireAfterSeconds: 7_200 } },
    { renameCollection: 'fuzz.made', to: 'fuzz.named' },
    { dropIndexes: 'rows', index: 'n_1' },
    { drop: 'named' },
    { killCursors: 'rows', cursors: [Long.fromNumber(5)] },
    { endSessions: [{ id: new Binary(Buffer.alloc(16), 4) }] },
    { saslStart: 1, mechanism: 'SCRAM-SHA-256', payload: new Binary(Buffer.from('n,,n=u,r=x')) },
  ];
  for (const command of commands)
    await attempt(() => client.db('renameCollection' in command ? 'admin' : 'fuzz').command(command));
}

const body = {
  serialize: { ignoreUndefined: true, checkKeys: false },
  read: { promoteValues: false, bsonRegExp: true },
};

/** A frame around a command. */
export function frameOf(command: Document, requestId: number): Buffer {
  return framed(serialize(command, body.serialize), requestId);
}

function framed(document: Uint8Array, requestId: number): Buffer {
  const frame = Buffer.alloc(headerBytes + 5 + document.length);
  frame.writeInt32LE(frame.length, 0);
  frame.writeInt32LE(requestId, 4);
  frame.writeInt32LE(opMsg, 12);
  Buffer.from(document).copy(frame, headerBytes + 5);
  return frame;
}

/** Sets what the head says of the length to what it is. */
function measured(frame: Buffer): Buffer {
  if (frame.length >= 4) frame.writeInt32LE(frame.length, 0);
  return frame;
}

const numbers = [
  0,
  1,
  -1,
  4,
  5,
  15,
  16,
  127,
  128,
  255,
  256,
  16_777_216,
  48_000_000,
  48_000_001,
  2 ** 31 - 1,
  -(2 ** 31),
];
const opCodes = [0, 1, 1_000, 2_001, 2_002, 2_004, 2_005, 2_006, 2_007, 2_010, 2_012, 2_013, 65_535];

/** Places of 32-bit numbers in a frame that look like the length of something in it. */
function lengthsIn(frame: Buffer): number[] {
  const places: number[] = [];
  for (let at = headerBytes; at + 4 <= frame.length; at += 1) {
    const value = frame.readInt32LE(at);
    if (value >= 1 && value <= frame.length - at) places.push(at);
  }
  return places;
}

function nested(depth: number, random: Random): Document {
  const kind = random.pick(['object', 'array', 'and', 'not', 'elemMatch', 'facet', 'expression'] as const);
  let value: unknown = 1;
  for (let n = 0; n < depth; n += 1) {
    if (kind === 'object') value = { a: value };
    else if (kind === 'array') value = [value];
    else if (kind === 'and') value = n === 0 ? { a: 1 } : { $and: [value] };
    else if (kind === 'not') value = n === 0 ? { $gt: 1 } : { $not: value };
    else if (kind === 'elemMatch') value = n === 0 ? { a: 1 } : { a: { $elemMatch: value } };
    else if (kind === 'facet') value = n === 0 ? [{ $match: {} }] : [{ $facet: { a: value } }];
    else value = { $add: [1, value] };
  }
  const filter = kind === 'and' || kind === 'elemMatch' ? value : { a: value };
  if (kind === 'facet') return { aggregate: 'rows', pipeline: value, cursor: {}, $db: 'fuzz' };
  if (kind === 'expression') return { find: 'rows', filter: { $expr: value }, $db: 'fuzz' };
  return random.pick<Document>([
    { find: 'rows', filter, $db: 'fuzz' },
    { insert: 'deep', documents: [{ a: value }], $db: 'fuzz' },
    { update: 'rows', updates: [{ q: {}, u: { $set: { a: value } } }], $db: 'fuzz' },
  ]);
}

function strangeValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => null,
    () => [],
    () => ({}),
    () => Number.NaN,
    () => new Double(-0),
    () => new Double(Number.POSITIVE_INFINITY),
    () => new Int32(random.pick(numbers)),
    () => Long.fromString(random.pick(['9223372036854775807', '-9223372036854775808', '4294967296'])),
    () => Decimal128.fromString(random.pick(['NaN', '-Infinity', '9E6144', '1E-6176', '0.1'])),
    () => 'x'.repeat(random.pick([0, 1, 300, 5_000])),
    () => '\u0000$a.b\u{1f600}',
    () => new Date(random.pick([0, -1, 8.64e15])),
    () => new Timestamp({ t: 0, i: 0 }),
    () => new Binary(Buffer.alloc(random.pick([0, 1, 16, 300])), random.pick([0, 2, 3, 4, 5, 6, 128])),
    () => new BSONRegExp(random.pick(['', '[', '(?<a>', 'a{2,1}', '\\', '(?i)x']), random.pick(['', 'imsx'])),
    () => new Code('x'.repeat(9), { a: 1 }),
    () => new MinKey(),
    () => new MaxKey(),
    () => ({ $gt: { $in: [{ $not: 1 }] } }),
    () => ({ $each: 1, $slice: 'a' }),
    () => Array.from({ length: 40 }, (_, n) => ({ n })),
    () => ({ ['__proto__']: 1, constructor: 2, toString: 3 }),
    () => true,
  ])();
}

const strangeNames = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    '',
    '$',
    '$where',
    '$set',
    '$in',
    '$[]',
    '$[x]',
    'a.b..c',
    '.',
    '0',
  ],
  ...[
    'limit',
    'skip',
    'batchSize',
    'cursor',
    'lsid',
    'txnNumber',
    'autocommit',
    'startTransaction',
    'hint',
    'sort',
  ],
  ...[
    'readConcern',
    'writeConcern',
    'collation',
    'let',
    'maxTimeMS',
    'upsert',
    'multi',
    'arrayFilters',
    'comment',
  ],
];

/** Swaps one value, name or order deep in a command that is otherwise whole. */
function changedInside(command: Document, random: Random): Document {
  const places: [Document, string][] = [];
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null || '_bsontype' in value || value instanceof Date) return;
    for (const [name, item] of Object.entries(value)) {
      places.push([value as Document, name]);
      walk(item);
    }
  };
  walk(command);
  for (let n = 1 + random.below(3); n > 0; n -= 1) {
    const [holder, name] = random.pick(places);
    const change = random.below(4);
    if (change <= 1) holder[name] = strangeValue(random);
    else if (change === 2) holder[random.pick(strangeNames)] = strangeValue(random);
    else if (!Array.isArray(holder)) {
      const value = holder[name];
      delete holder[name];
      holder[random.pick(strangeNames)] = value;
    }
  }
  return command;
}

/** The body of an OP_MSG, when it is one with nothing before it. */
function commandIn(frame: Buffer): Document | null {
  if (frame.readInt32LE(12) !== opMsg || frame[headerBytes + 4] !== 0) return null;
  const start = headerBytes + 5;
  return deserialize(frame.subarray(start, start + frame.readInt32LE(start)), body.read);
}

export interface Mutant {
  bytes: Buffer;
  how: string;
}

/** One frame, broken in one of many ways. */
export function mutate(frames: Buffer[], random: Random): Mutant {
  const original = random.pick(frames);
  const frame = Buffer.from(original);
  const at = () => random.below(frame.length);
  const ways: Record<string, () => Buffer> = {
    bits() {
      for (let n = 1 + random.below(8); n > 0; n -= 1) {
        const place = 4 + random.below(frame.length - 4);
        frame[place] = frame[place]! ^ (1 << random.below(8));
      }
      return frame;
    },
    bytes() {
      for (let n = 1 + random.below(4); n > 0; n -= 1)
        frame[4 + random.below(frame.length - 4)] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff]);
      return frame;
    },
    'cut off': () =>
      measured(Buffer.from(frame.subarray(0, headerBytes + random.below(frame.length - headerBytes)))),
    'cut off, length as it was': () => frame.subarray(0, 1 + at()),
    'length of the frame'() {
      frame.writeInt32LE(random.chance(0.5) ? random.pick(numbers) : random.below(frame.length * 2), 0);
      return frame;
    },
    flags() {
      frame.writeInt32LE(random.pick([...numbers, 1, 2, 3, 65_536, 65_538]), headerBytes);
      return frame;
    },
    'op code'() {
      frame.writeInt32LE(random.chance(0.8) ? random.pick(opCodes) : random.pick(numbers), 12);
      return frame;
    },
    'length inside'() {
      const places = lengthsIn(frame);
      if (places.length > 0)
        frame.writeInt32LE(
          random.chance(0.5) ? random.pick(numbers) : random.below(frame.length),
          random.pick(places),
        );
      return frame;
    },
    'bytes put in': () => {
      const place = headerBytes + random.below(frame.length - headerBytes);
      const extra = Buffer.from(Array.from({ length: 1 + random.below(20) }, () => random.below(256)));
      return measured(Buffer.concat([frame.subarray(0, place), extra, frame.subarray(place)]));
    },
    'bytes taken out': () => {
      const place = headerBytes + random.below(frame.length - headerBytes);
      return measured(
        Buffer.concat([frame.subarray(0, place), frame.subarray(place + 1 + random.below(20))]),
      );
    },
    'two in one': () => {
      const other = random.pick(frames);
      return measured(
        Buffer.concat([frame.subarray(0, headerBytes + at()), other.subarray(random.below(other.length))]),
      );
    },
    'deep nesting': () => framed(serialize(nested(random.pick([10, 90, 150, 200, 400, 1_000]), random)), 1),
    'command inside': () => {
      const command = commandIn(frame);
      return command ? framed(serialize(changedInside(command, random), body.serialize), 1) : frame;
    },
  };
  const how = random.chance(0.45) ? 'command inside' : random.pick(Object.keys(ways));
  try {
    return { bytes: ways[how]!(), how };
  } catch {
    // A value that cannot be written as BSON: another one.
    return mutate(frames, random);
  }
}
