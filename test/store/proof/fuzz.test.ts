import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { deserialize, Long } from 'bson';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frameOf, type Mutant, mutate, recordFrames } from './frames.js';
import { isLong, randomFrom, seedOfRun } from './seed.js';
import { aFolder, type Folder, type StoreProcess, startStore, unansweredBy } from './store-process.js';

/** Frames that no driver sends: the store lives on, holds on to nothing, and serves everybody else meanwhile. */
const frames = Number(process.env.FUZZ_FRAMES ?? (isLong ? 1_000_000 : 20_000));
const senders = 16;
const answerGuardMs = 10_000;
/** The short form is the same every time. */
const seed = isLong ? seedOfRun() : Number(process.env.PROOF_SEED ?? 4);

let folder: Folder;
let store: StoreProcess;
let corpus: Buffer[];

beforeAll(async () => {
  folder = aFolder('memory');
  store = await startStore(folder);
  corpus = await recordFrames(store, folder);
});
afterAll(async () => {
  await store?.kill();
  folder?.remove();
});

/** Memory of its own: pages of the data file that it looks at are the system's, to take back when it likes. */
const residentBytes = (pid: number): number =>
  Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;

type Outcome = 'answered' | 'closed' | 'held';

/** The collection and number of a cursor that an answer leaves open. */
function cursorIn(answer: Buffer): [string, Long] | null {
  const { cursor } = deserialize(answer.subarray(21), { promoteValues: false, bsonRegExp: true });
  const id: unknown = cursor?.id;
  if (!(id instanceof Long) || id.isZero()) return null;
  return [String(cursor.ns).split('.').slice(1).join('.'), id];
}

/** Sends frames over connections of its own, one at a time, and knows what became of each. */
function createSender(socketPath: string) {
  let socket: Socket | null = null;
  let received = Buffer.alloc(0);
  let nextId = 1;
  /** Cursors that broken commands opened all the same: whoever opens one closes it. */
  let cursors: [string, Long][] = [];

  async function open(): Promise<Socket> {
    const fresh = connect(socketPath);
    await once(fresh, 'connect');
    fresh.on('error', () => fresh.destroy());
    received = Buffer.alloc(0);
    return fresh;
  }

  /** Waits for the answer to a ping sent behind the frame, or for the connection's end. */
  function settled(on: Socket, pingId: number | null): Promise<Outcome> {
    return new Promise((resolve) => {
      const done = (outcome: Outcome) => {
        clearTimeout(guard);
        on.removeAllListeners('data');
        on.removeAllListeners('close');
        resolve(outcome);
      };
      const guard = setTimeout(() => done('held'), answerGuardMs);
      on.on('close', () => done('closed'));
      on.on('data', (chunk) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        while (received.length >= 16 && received.length >= received.readInt32LE(0)) {
          const answerTo = received.readInt32LE(8);
          const answer = received.subarray(0, received.readInt32LE(0));
          received = received.subarray(answer.length);
          if (answerTo === pingId) return done('answered');
          const cursor = answer.includes('cursor\0') ? cursorIn(answer) : null;
          if (cursor) cursors.push(cursor);
        }
      });
      if (on.destroyed) done('closed');
    });
  }

  async function deliver(bytes: Buffer, isWhole: boolean): Promise<Outcome> {
    socket ??= await open();
    const on = socket;
    nextId += 1;
    const pingId = 1_000_000_000 + nextId;
    const outcome = settled(on, isWhole ? pingId : null);
    // Who lies about the length would have the ping swallowed: there the end of what is sent has to do.
    if (isWhole) on.write(Buffer.concat([bytes, frameOf({ ping: 1, $db: 'admin' }, pingId)]));
    else on.end(bytes);
    const result = await outcome;
    if (result !== 'answered' || !isWhole) {
      on.destroy();
      socket = null;
    }
    return result;
  }

  return {
    async send({ bytes }: Mutant): Promise<Outcome> {
      if (cursors.length > 0) {
        const closing = cursors.map(([name, id], at) =>
          frameOf({ killCursors: name, cursors: [id], $db: 'fuzz' }, 2_000_000_000 + at),
        );
        cursors = [];
        // By itself: a broken frame behind it would end the connection with all that still waits on it.
        await deliver(Buffer.concat(closing), true);
      }
      return deliver(bytes, bytes.length >= 16 && bytes.readInt32LE(0) === bytes.length);
    },
    close: () => socket?.destroy(),
  };
}

/** Writes and reads as any client would, all along. */
async function control(uri: string, isOver: () => boolean): Promise<{ times: number[]; errors: string[] }> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 5_000 });
  const rows = client.db('control').collection<{ _id: number; text: string }>('rows');
  const times: number[] = [];
  const errors: string[] = [];
  for (let n = 0; !isOver(); n += 1) {
    const began = performance.now();
    try {
      await rows.insertOne({ _id: n, text: `row ${n}` });
      const found = await rows.findOne({ _id: n });
      if (found?.text !== `row ${n}`) errors.push(`row ${n} came back as ${JSON.stringify(found)}`);
    } catch (error) {
      errors.push(String(error));
      if (errors.length > 20) break;
    }
    times.push(performance.now() - began);
    await wait(5);
  }
  const count = await rows.countDocuments({}).catch(() => -1);
  if (count !== times.length) errors.push(`${count} rows of ${times.length}`);
  await client.close();
  return { times, errors };
}

/** Cursors that wait for somebody to read on. */
async function openCursors(uri: string): Promise<number> {
  const client = new MongoClient(uri);
  try {
    const { metrics } = await client.db('admin').command({ serverStatus: 1 });
    return Number(metrics.cursor.open.total);
  } finally {
    await client.close();
  }
}

/** Whether a frame alone ends a fresh store. */
async function kills(bytes: Buffer): Promise<boolean> {
  const own = aFolder('memory');
  const victim = await startStore(own);
  const sender = createSender(victim.socketPath);
  try {
    for (const frame of corpus.slice(0, 30)) await sender.send({ bytes: frame, how: 'sound' });
    await sender.send({ bytes, how: 'suspect' });
    await wait(50);
    return victim.ended() !== null;
  } finally {
    sender.close();
    await victim.kill();
    own.remove();
  }
}

/** The smallest frame that still ends a store, by leaving out what can be left out. */
async function smallest(bytes: Buffer): Promise<Buffer> {
  let least = bytes;
  for (let size = Math.floor(bytes.length / 2); size >= 1; size = Math.floor(size / 2))
    for (let at = 16; at < least.length; ) {
      const shorter = Buffer.concat([least.subarray(0, at), least.subarray(at + size)]);
      if (bytes.readInt32LE(0) === bytes.length) shorter.writeInt32LE(shorter.length, 0);
      if (await kills(shorter)) least = shorter;
      else at += size;
    }
  return least;
}

describe('a store that is sent what no driver sends', () => {
  it(`lives through ${frames} broken frames, grows no further, and serves the others`, {
    timeout: 120_000 + frames * 5,
  }, async () => {
    const random = randomFrom(seed);
    expect(corpus.length).toBeGreaterThan(50);
    const outcomes: Record<Outcome, number> = { answered: 0, closed: 0, held: 0 };
    const under = new Map<number, Mutant>();
    const held: Mutant[] = [];
    const memory: number[] = [];
    let sent = 0;
    let isOver = false;
    const controlled = control(store.uri, () => isOver || store.ended() !== null);
    const work = async (n: number) => {
      const sender = createSender(store.socketPath);
      while (sent < frames && !store.ended()) {
        sent += 1;
        if (sent % Math.floor(frames / 40) === 0) memory.push(residentBytes(store.pid));
        const mutant = mutate(corpus, random);
        under.set(n, mutant);
        const outcome = await sender.send(mutant).catch((): Outcome => 'closed');
        outcomes[outcome] += 1;
        if (outcome === 'held') held.push(mutant);
        if (!store.ended()) under.delete(n);
      }
      sender.close();
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: senders }, (_, n) => work(n)));
    isOver = true;
    const { times, errors } = await controlled;
    const seconds = (performance.now() - began) / 1_000;
    await wait(20);
    const end = store.ended();
    if (end) {
      for (const { bytes, how } of under.values())
        if (await kills(bytes))
          expect.fail(
            `seed ${seed}: ${how} ends the store: ${(await smallest(bytes)).toString('base64')}\n${store.said()}`,
          );
      expect.fail(
        `seed ${seed}: the store ended with ${JSON.stringify(end)} after ${sent} frames: ${store.said()}`,
      );
    }
    const cursors = await openCursors(store.uri);
    const sorted = times.toSorted((a, b) => a - b);
    // After the warm-up, what is needed at most stays what it was.
    const [early, late] = [memory.slice(10, 20), memory.slice(30)].map((part) => Math.max(...part) / 2 ** 20);
    console.log(
      `seed ${seed}: ${sent} frames from ${corpus.length} sound ones in ${seconds.toFixed(1)} s, ${JSON.stringify(outcomes)}; ` +
        `resident ${early?.toFixed(0)} MB in the second quarter, ${late?.toFixed(0)} MB in the last, ${cursors} cursors left open; ` +
        `${times.length} writes and reads beside them, p50 ${sorted[Math.floor(sorted.length / 2)]?.toFixed(1)} ms, ` +
        `worst ${sorted.at(-1)?.toFixed(0)} ms`,
    );
    expect(errors).toEqual([]);
    expect(unansweredBy(store)).toEqual([]);
    expect(held.map(({ bytes, how }) => `${how}: ${bytes.toString('base64')}`)).toEqual([]);
    expect(sorted.at(-1)).toBeLessThan(2_000);
    expect(late! - early!).toBeLessThan(64);
    expect(cursors).toBeLessThan(100);
    expect(outcomes.answered).toBeGreaterThan(frames / 4);
    expect(outcomes.closed).toBeGreaterThan(frames / 50);
  });
});
