// The embedded store beside what bounds it: a store that does nothing, and bare LMDB. `npm run bench -- store`.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { serialize } from 'bson';
import { open } from 'lmdb';
import { MongoClient } from 'mongodb';
import mongoose from 'mongoose';
import { percentile } from './load.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const callers = 64;
/** How many events the large collection holds; the goals are written for a million. */
const many = Number(process.env.BENCH_EVENTS ?? 1_000_000);

// Drivers put the names of a set's members into lower case: so must the paths be.
const folder = join(tmpdir(), `threadline-bench-${process.pid}-${Date.now().toString(36)}`);

async function start(file, name) {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  const socketPath = join(directory, 's.sock');
  const worker = new Worker(file, { workerData: { directory, socketPath, options: {} } });
  await new Promise((resolve, reject) => {
    worker.once('message', (message) =>
      message.type === 'ready' ? resolve() : reject(new Error(message.message)),
    );
    worker.once('error', reject);
  });
  return {
    directory,
    uri: `mongodb://${encodeURIComponent(socketPath)}/bench?replicaSet=threadline`,
    async stop() {
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage({ type: 'close' });
      await ended;
    },
  };
}

const startStore = (name) => start(new URL('../dist/server/store/embedded/worker.js', import.meta.url), name);
const startNull = () => start(new URL('./null-store.mjs', import.meta.url), 'null');

/** Calls a second, by so many callers at once. */
async function rate(count, call) {
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) {
        next += 1;
        await call(next);
      }
    }),
  );
  return (count / (performance.now() - began)) * 1_000;
}

const text = 'The parcel has not come yet, and the shop says it left on Monday. Could you look where it is? ';
let serial = 0;
function event(conversation, seq) {
  serial += 1;
  const id = `0192f5a0-${serial.toString(16).padStart(8, '0')}-7000-8000-${((serial * 2654435761) % 2 ** 32).toString(16).padStart(12, '0')}`;
  return {
    _id: id,
    workspaceId: '0192f5a0-0000-7000-8000-000000000001',
    contactId: `0192f5a0-0000-7000-9000-${String(conversation % 20_000).padStart(12, '0')}`,
    conversationId: `0192f5a0-0000-7000-a000-${String(conversation).padStart(12, '0')}`,
    inboxId: '0192f5a0-0000-7000-8000-000000000002',
    channel: 'chat',
    kind: 'message',
    direction: 'in',
    actor: { kind: 'visitor', id: null },
    seq,
    occurredAt: new Date(1_700_000_000_000 + serial * 1_000),
    recordedAt: new Date(1_700_000_000_000 + serial * 1_000),
    v: 1,
    body: { text: text.slice(0, 40 + (serial % 60)), attachments: [] },
    dedupeKey: `chat:inbox:${id}`,
  };
}
const indexes = [
  { key: { workspaceId: 1, dedupeKey: 1 }, unique: true },
  { key: { workspaceId: 1, contactId: 1, occurredAt: 1, _id: 1 } },
  { key: { workspaceId: 1, conversationId: 1, seq: 1 } },
  { key: { workspaceId: 1, recordedAt: 1, _id: 1 } },
];

async function writing(report) {
  const store = await startStore('writing');
  const nothing = await startNull();
  const options = { maxPoolSize: callers, w: 'majority' };
  const ours = await new MongoClient(store.uri, options).connect();
  const none = await new MongoClient(nothing.uri, options).connect();
  const collection = ours.db().collection('singles');
  const empty = none.db().collection('singles');
  const document = (n) => ({ _id: `k${n}`, at: new Date(), text });
  await rate(4_000, (n) => collection.insertOne(document(`warm${n}`)));
  await rate(4_000, (n) => empty.insertOne(document(n)));
  const nullRate = await rate(20_000, (n) => empty.insertOne(document(n)));
  const ourRate = await rate(20_000, (n) => collection.insertOne(document(n)));
  const show = (value) => `${value.toFixed(0)}/s`;
  report(
    `durable insertOne, ${callers} callers, driver`,
    show(ourRate),
    `null store ${show(nullRate)}`,
    ourRate / nullRate,
    '>= 0.7',
    ourRate / nullRate >= 0.7,
  );

  const schema = new mongoose.Schema({ _id: String, at: Date, text: String });
  const connectionOf = async (uri) =>
    mongoose.createConnection(uri, { ...options, autoIndex: false, autoCreate: false }).asPromise();
  const [left, right] = [await connectionOf(store.uri), await connectionOf(nothing.uri)];
  const Left = left.model('Single', schema, 'modelled');
  const Right = right.model('Single', schema, 'modelled');
  await rate(2_000, (n) => Right.create(document(`w${n}`)));
  await rate(2_000, (n) => Left.create(document(`w${n}`)));
  const nullModel = await rate(10_000, (n) => Right.create(document(n)));
  const ourModel = await rate(10_000, (n) => Left.create(document(n)));
  report(
    `durable insertOne, ${callers} callers, mongoose`,
    show(ourModel),
    `null store ${show(nullModel)}`,
    ourModel / nullModel,
    '>= 0.7',
    ourModel / nullModel >= 0.7,
  );
  await left.close();
  await right.close();

  for (const [size, rounds, goal] of [
    [64, 200, 0.35],
    [10_000, 4, 0.5],
  ]) {
    const bare = await bareLmdb(size, rounds);
    const many = ours.db().collection(`many${size}`);
    await many.insertMany(Array.from({ length: size }, (_, n) => document(`w${n}`)));
    const batches = Array.from({ length: rounds }, (_, round) =>
      Array.from({ length: size }, (_, n) => document(`${round}-${n}`)),
    );
    const began = performance.now();
    for (const batch of batches) await many.insertMany(batch);
    const perSecond = ((size * rounds) / (performance.now() - began)) * 1_000;
    report(
      `insertMany of ${size}, documents`,
      show(perSecond),
      `bare LMDB ${show(bare)}`,
      perSecond / bare,
      `>= ${goal}`,
      perSecond / bare >= goal,
    );
  }
  await ours.close();
  await none.close();
  await store.stop();
  await nothing.stop();
}

/** The same bytes put into LMDB in commits of as many, each synced. */
async function bareLmdb(size, rounds) {
  const root = open({ path: join(folder, `bare-${size}`), encoding: 'binary', overlappingSync: false });
  const batches = Array.from({ length: rounds }, (_, round) =>
    Array.from({ length: size }, (_, n) => [
      `${round}-${n}`,
      Buffer.from(serialize({ _id: `${round}-${n}`, at: new Date(), text })),
    ]),
  );
  const began = performance.now();
  for (const batch of batches)
    await root.transaction(() => {
      for (const [key, value] of batch) root.putSync(key, value);
    });
  const perSecond = ((size * rounds) / (performance.now() - began)) * 1_000;
  await root.close();
  return perSecond;
}

async function fill(collection, count) {
  await collection.createIndexes(indexes);
  let bytes = 0;
  const batchSize = 5_000;
  for (let at = 0; at < count; at += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, count - at) }, (_, n) =>
      event((at + n) % Math.ceil(count / 100), Math.floor((at + n) / Math.ceil(count / 100)) + 1),
    );
    for (const one of batch) bytes += serialize(one).length;
    await collection.insertMany(batch, { ordered: true });
  }
  return bytes;
}

async function times(count, call) {
  const taken = [];
  for (let n = 0; n < count; n += 1) {
    const began = performance.now();
    await call(n);
    taken.push(performance.now() - began);
  }
  return taken.sort((left, right) => left - right);
}

async function reading(report) {
  const store = await startStore('reading');
  const client = await new MongoClient(store.uri, { maxPoolSize: callers }).connect();
  const small = client.db('small').collection('events');
  const large = client.db('large').collection('events');
  await fill(small, 10_000);
  const bytes = await fill(large, many);
  const page = (collection, conversation) =>
    collection
      .find({
        workspaceId: '0192f5a0-0000-7000-8000-000000000001',
        conversationId: `0192f5a0-0000-7000-a000-${String(conversation).padStart(12, '0')}`,
        seq: { $gt: 10 },
      })
      .sort({ seq: 1 })
      .limit(50)
      .toArray();
  const ids = (
    await large
      .find({}, { projection: { _id: 1 } })
      .limit(500)
      .toArray()
  ).map(({ _id }) => _id);
  await times(500, (n) => large.findOne({ _id: ids[n % ids.length] }));
  const points = await times(2_000, (n) => large.findOne({ _id: ids[n % ids.length] }));
  const ms = (value) => `${value.toFixed(2)} ms`;
  report(
    'point read by _id, p50',
    ms(percentile(points, 0.5)),
    '',
    null,
    '< 0.3 ms',
    percentile(points, 0.5) < 0.3,
  );
  await times(200, (n) => page(small, n % 100));
  const smallPages = percentile(await times(500, (n) => page(small, n % 100)), 0.5);
  await times(200, (n) => page(large, (n * 7) % Math.ceil(many / 100)));
  const largePages = percentile(await times(500, (n) => page(large, (n * 13) % Math.ceil(many / 100))), 0.5);
  report(
    `a page of 50 of ${many} events, p50`,
    ms(largePages),
    `of 10,000: ${ms(smallPages)}`,
    largePages / smallPages,
    '< 1.5 ms, < 1.2x',
    largePages < 1.5 && largePages / smallPages < 1.2,
  );

  let isScanning = true;
  const scan = large.countDocuments({ 'body.text': 'nowhere' }).then(() => {
    isScanning = false;
  });
  const during = [];
  while (isScanning) during.push(...(await times(10, (n) => large.findOne({ _id: ids[n] }))));
  await scan;
  const worst = Math.max(...during);
  report(
    `point read during a scan of ${many}, worst`,
    ms(worst),
    `${during.length} reads`,
    null,
    '< 50 ms',
    worst < 50,
  );

  const stats = await client.db('large').command({ collStats: 'events' });
  const mb = (value) => `${(value / 1e6).toFixed(0)} MB`;
  report(
    'file of events with all indexes, of its BSON',
    mb(stats.totalSize),
    `BSON ${mb(bytes)}`,
    stats.totalSize / bytes,
    '< 2.0',
    stats.totalSize / bytes < 2,
  );
  console.log(
    `  documents ${mb(stats.storageSize)}; ${Object.entries(stats.indexSizes)
      .map(([name, size]) => `${name} ${mb(size)}`)
      .join('; ')}; whole file ${mb(statSync(join(store.directory, 'threadline.lmdb')).size)}`,
  );
  await client.close();
  await store.stop();
  await opening(report, store.directory);
}

/** A process of its own: what opening costs, and what it holds afterwards. */
async function opening(report, directory) {
  const { spawnSync } = await import('node:child_process');
  const code = `
    const { serve } = await import(${JSON.stringify(new URL('../dist/server/store/embedded/serve.js', import.meta.url).href)});
    const began = performance.now();
    const server = await serve(${JSON.stringify(directory)}, ${JSON.stringify(join(directory, 'o.sock'))});
    const ms = performance.now() - began;
    console.log(JSON.stringify({ ms, rss: process.memoryUsage().rss }));
    await server.close();`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    cwd: join(here, '..'),
  });
  if (!stdout) throw new Error(stderr);
  const { ms, rss } = JSON.parse(stdout);
  report(`opening a store of ${many} events`, `${ms.toFixed(0)} ms`, '', null, '< 150 ms', ms < 150);
  report('resident memory after it', `${(rss / 1e6).toFixed(0)} MB`, '', null, '< 200 MB', rss < 200e6);
}

/** Runs it all. `report(what, figure, baseline, ratio, goal, met)` */
export async function benchStore(report) {
  try {
    await writing(report);
    await reading(report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
