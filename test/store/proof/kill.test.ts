import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { disagreements, indexesUsed, invalid } from './agreement.js';
import { createBook, judge, readAll } from './book.js';
import { type Gate, openGate } from './gate.js';
import { beginRound, createLoad, prepare } from './load.js';
import { isLong, randomFrom, seedOfRun } from './seed.js';
import { differences, follow } from './shadow.js';
import { aFolder, type StoreProcess, startStore } from './store-process.js';

/** `kill -9` of the store in the middle of writes: what was acknowledged stays, and nothing is half there. */
const rounds = Number(process.env.STORE_KILL_ROUNDS ?? (isLong ? 200 : 20));
/** How often the whole history is read again, not only the last two rounds. */
const readAllEvery = 20;

const folder = aFolder();
const seed = seedOfRun();
const random = randomFrom(seed);
const book = createBook();
let store: StoreProcess;
let gate: Gate;
let client: MongoClient;
/** Each with a connection of its own, so that each tries again what was cut off. */
let writers: MongoClient[] = [];
/** Follows the change stream. */
let follower: MongoClient;
let cutOff = 0;

beforeAll(async () => {
  store = await startStore(folder);
  gate = await openGate(join(folder.path, 'gate.sock'), store.socketPath);
  const connect = () =>
    new MongoClient(gate.uri, {
      maxPoolSize: 1,
      monitorCommands: true,
      retryWrites: true,
      serverMonitoringMode: 'poll',
      // The driver can miss the end of a connection that it is about to read from.
      connectTimeoutMS: 10_000,
      socketTimeoutMS: 10_000,
    }).connect();
  [client, follower] = await Promise.all([connect(), connect()]);
  writers = await Promise.all(Array.from({ length: 12 }, connect));
  for (const writer of writers)
    writer.on('commandFailed', ({ failure }) => {
      if (failure.name === 'MongoNetworkError') cutOff += 1;
    });
  await prepare(client);
});
afterAll(async () => {
  await Promise.all([client, follower, ...writers].map((one) => one?.close()));
  await gate?.close();
  await store?.kill();
  folder.remove();
});

/** Balances as transactions see them while others move money: never half a move. */
async function watchBalances(
  round: number,
  isOver: () => boolean,
): Promise<{ reads: number; wrong: number[] }> {
  const wrong: number[] = [];
  let reads = 0;
  while (!isOver()) {
    try {
      const found = await client.withSession((session) =>
        session.withTransaction(() =>
          client.db('proof').collection('accounts').find({ round }, { session }).toArray(),
        ),
      );
      const sum = found.reduce((total, { balance }) => total + balance, 0);
      reads += 1;
      if (sum !== 0) wrong.push(sum);
    } catch {
      // The store is down; what was read before stands.
      await wait(5);
    }
  }
  return { reads, wrong };
}

describe('kill -9 of the store under single writes, bulk writes and transactions', () => {
  it(`loses nothing acknowledged, halves nothing, applies a retry once: ${rounds} rounds`, {
    timeout: 60_000 + rounds * 15_000,
  }, async () => {
    const failures = new Map<string, number>();
    const notRetried: string[] = [];
    let [reads, acknowledgedAfterKill, slowest] = [0, 0, 0];
    const shadow = await follow(follower);
    await beginRound(client, 0);
    await createLoad({ clients: writers, book, random, round: 0, largest: 20_000 }).run({
      workers: 4,
      operations: 40,
      isOver: () => false,
      pauseMs: 0,
    });
    expect(await indexesUsed(client)).toEqual([]);

    for (let round = 1; round <= rounds; round += 1) {
      await beginRound(client, round);
      let isOver = false;
      const load = createLoad({
        clients: writers,
        book,
        random,
        round,
        largest: 20_000,
        onFailure(operation, error) {
          const { name, code, message } = error as { name: string; code?: number; message: string };
          const shown = `${name} ${code ?? ''}`.trim();
          failures.set(shown, (failures.get(shown) ?? 0) + 1);
          // A second application of the first try would show as a duplicate.
          if (code === 11000) notRetried.push(`${operation.id}: ${message}`);
        },
      });
      const writing = load.run({
        workers: writers.length,
        operations: 100_000,
        isOver: () => isOver,
        pauseMs: 5,
      });
      const watching = watchBalances(round, () => isOver);
      await wait(30 + random.below(250));
      await store.kill();
      // What is sent again now meets what its first try may have left.
      const beforeKill = book.counts().acknowledged;
      const killedAt = performance.now();
      store = await startStore(folder);
      slowest = Math.max(slowest, performance.now() - killedAt);
      // Long enough for what was in flight to be sent again to the new process.
      await wait(60);
      isOver = true;
      await writing;
      const watched = await watching;
      reads += watched.reads;
      acknowledgedAfterKill += book.counts().acknowledged - beforeKill;

      const isFull = round % readAllEvery === 0 || round === rounds;
      const operations = [...book.operations.values()].filter(
        ({ id }) => isFull || Number(id.split('-')[1]) >= round - 1,
      );
      const seen = await readAll(client, isFull ? {} : { round: { $gte: round - 1 } });
      const verdict = judge(seen, operations, ({ state }) => state === 'acknowledged');
      const context = `seed ${seed}, round ${round}`;
      expect(verdict, context).toEqual({ missing: [], broken: [] });
      expect(watched.wrong, `${context}: sums of balances that a transaction saw`).toEqual([]);
      expect(notRetried, `${context}: retried writes that met their own first try`).toEqual([]);
      if (isFull) expect(differences(await shadow.caughtUp(), seen), `${context}: by the stream`).toEqual([]);
      const differing = isFull || round <= 3 ? await disagreements(client) : await invalid(client);
      expect(differing, context).toEqual([]);
    }
    await shadow.stop();
    const { sent, acknowledged, failed } = book.counts();
    console.log(
      `${rounds} kills, seed ${seed}: ${sent} operations sent, ${acknowledged} acknowledged (${acknowledgedAfterKill} of them ` +
        `by the process after the kill), ${cutOff} requests cut off and sent again, ${failed} failed ${JSON.stringify(Object.fromEntries(failures))}; ${reads} snapshots read; ` +
        `${shadow.events()} events told through every kill, adding up to what is there; ` +
        `acknowledged and missing 0, half 0, doubled 0; back in at most ${slowest.toFixed(0)} ms`,
    );
    expect(acknowledged).toBeGreaterThan(rounds * 5);
    expect(acknowledgedAfterKill).toBeGreaterThan(0);
    expect(cutOff).toBeGreaterThan(rounds);
    expect(reads).toBeGreaterThan(rounds / 4);
  });
});
