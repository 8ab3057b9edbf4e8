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
const events = Number(process.env.BENCH_EVENTS ?? 1_000_000);

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

/** `count` calls by so many callers at once. */
async function calls(count, call) {
  let left = count;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left > 0) {
        left -= 1;
        await call();
      }
    }),
  );
}

/**
 * Two things in turn, a stretch of each: whatever else the machine does, it does to both.
 * @returns {Promise<{ perSecond: number, cpu: number }[]>} of each, units a second and microseconds of CPU a unit
 */
async function inTurn(rounds, units, ...sides) {
  const totals = sides.map(() => ({ ms: 0, cpu: 0 }));
  for (let round = 0; round < rounds; round += 1)
    for (const [n, side] of sides.entries()) {
      const used = process.cpuUsage();
      const began = performance.now();
      await side(round);
      totals[n].ms += performance.now() - began;
      const { user, system } = process.cpuUsage(used);
      totals[n].cpu += user + system;
    }
  return totals.map(({ ms, cpu }) => ({
    perSecond: ((rounds * units) / ms) * 1_000,
    cpu: cpu / (rounds * units),
  }));
}

const show = ({ perSecond, cpu }) => `${perSecond.toFixed(0)}/s, ${cpu.toFixed(1)} us CPU`;

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
  await singles(
    report,
    'driver',
    ours.db().collection('singles'),
    none.db().collection('singles'),
    'insertOne',
  );

  const schema = new mongoose.Schema({ _id: String, at: Date, text: String });
  const modelOf = async (uri) => {
    const settings = { ...options, autoIndex: false, autoCreate: false };
    const connection = await mongoose.createConnection(uri, settings).asPromise();
    return connection.model('Single', schema, 'modelled');
  };
  const [left, right] = [await modelOf(store.uri), await modelOf(nothing.uri)];
  await singles(report, 'mongoose', left, right, 'create');
  await left.db.close();
  await right.db.close();

  await many(report, ours, 64, 20, 20, 0.35);
  await many(report, ours, 10_000, 6, 1, 0.5);
  await ours.close();
  await none.close();
  await store.stop();
  await nothing.stop();
}

const plain = (id) => ({ _id: id, at: new Date(), text });

async function singles(report, what, ours, none, method) {
  const stretch = 2_000;
  const side = (target, mark) => (round) => {
    let n = 0;
    return calls(stretch, () => {
      n += 1;
      return target[method](plain(`${mark}-${round}-${n}`));
    });
  };
  for (const target of [none, ours]) await side(target, 'warm')(0);
  for (const target of [none, ours]) await side(target, 'warm')(1);
  const [mine, empty] = await inTurn(8, stretch, side(ours, 'k'), side(none, 'k'));
  const ratio = mine.perSecond / empty.perSecond;
  report(
    `durable insertOne, ${callers} callers, ${what}`,
    show(mine),
    `null store ${show(empty)}`,
    ratio,
    '>= 0.7',
    ratio >= 0.7,
  );
}

/** As many at once, beside the same bytes put into LMDB in commits of as many. Each is synced. */
async function many(report, client, size, rounds, batches, goal) {
  const root = open({ path: join(folder, `bare-${size}`), encoding: 'binary', overlappingSync: false });
  const collection = client.db().collection(`many${size}`);
  const idsOf = (round, batch) => Array.from({ length: size }, (_, n) => `${round}-${batch}-${n}`);
  const ahead = (make) =>
    Array.from({ length: rounds + 1 }, (_, round) =>
      Array.from({ length: batches }, (_, batch) => idsOf(round, batch).map(make)),
    );
  const documents = ahead(plain);
  const values = ahead((id) => [id, Buffer.from(serialize(plain(id)))]);
  const store = async (round) => {
    for (const batch of documents[round]) await collection.insertMany(batch);
  };
  const bare = async (round) => {
    for (const batch of values[round])
      await root.transaction(() => {
        for (const [key, value] of batch) root.putSync(key, value);
      });
  };
  await store(rounds);
  await bare(rounds);
  const [mine, least] = await inTurn(rounds, size * batches, store, bare);
  await root.close();
  const ratio = mine.perSecond / least.perSecond;
  report(
    `insertMany of ${size}, documents`,
    show(mine),
    `bare LMDB ${show(least)}`,
    ratio,
    `>= ${goal}`,
    ratio >= goal,
  );
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
  const bytes = await fill(large, events);
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
  const conversations = Math.ceil(events / 100);
  const smallTimes = [];
  const largeTimes = [];
  for (let round = 0; round < 6; round += 1) {
    smallTimes.push(await times(100, (n) => page(small, n % 100)));
    largeTimes.push(await times(100, (n) => page(large, ((round * 100 + n) * 13) % conversations)));
  }
  // The first of each is for warming up.
  const median = (rounds) =>
    percentile(
      rounds
        .slice(1)
        .flat()
        .sort((left, right) => left - right),
      0.5,
    );
  const [smallPages, largePages] = [median(smallTimes), median(largeTimes)];
  report(
    `a page of 50 of ${events} events, p50`,
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
    `point read during a scan of ${events}, worst`,
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
  const rest = (await client.db('small').command({ dbStats: 1 })).totalSize;
  console.log(
    `  documents ${mb(stats.storageSize)}; ${Object.entries(stats.indexSizes)
      .map(([name, size]) => `${name} ${mb(size)}`)
      .join(
        '; ',
      )}; whole file ${mb(statSync(join(store.directory, 'threadline.lmdb')).size)}, of which ${mb(rest)} are the 10,000 events beside, and the others the oplog and free pages`,
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
  report(`opening a store of ${events} events`, `${ms.toFixed(0)} ms`, '', null, '< 150 ms', ms < 150);
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
