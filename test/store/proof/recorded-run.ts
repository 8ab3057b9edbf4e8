import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { type Book, createBook } from './book.js';
import { beginRound, createLoad, noteRequests, prepare } from './load.js';
import { answersIn, type Entry, readRecord, straceTo } from './record.js';
import type { Random } from './seed.js';
import { type Folder, type StoreProcess, startStore } from './store-process.js';

export interface RecordedRun {
  book: Book;
  /** The files before the record begins. */
  before: Map<string, Buffer>;
  entries: Entry[];
  /** Where in the record each operation was acknowledged: its id -> place. */
  acknowledgedAt: Map<string, number>;
}

interface Options {
  folder: Folder;
  random: Random;
  workers: number;
  operations: number;
  /** strace's injections, from the beginning on. */
  faults?: string[];
  onFailure?: (error: unknown) => void;
  /** Runs after the load, while the store still does. */
  finish?: (client: MongoClient, store: StoreProcess) => Promise<void>;
}

/** Runs the load on a recorded store and joins what the client saw with what the kernel was asked. */
export async function recordRun(options: Options): Promise<RecordedRun> {
  const { folder, random, workers, operations, faults = [], onFailure, finish } = options;
  const file = join(folder.path, 'record.txt');
  const book = createBook();
  const before = new Map<string, Buffer>();
  if (faults.length > 0) {
    // The faults are for the load, not for what it begins with.
    const sound = await startStore(folder);
    const first = await new MongoClient(sound.uri).connect();
    await prepare(first);
    await beginRound(first, 0);
    await first.close();
    await sound.close();
    for (const name of readdirSync(folder.data))
      if (!name.endsWith('-lock')) before.set(join(folder.data, name), readFileSync(join(folder.data, name)));
  }
  const store = await startStore(folder, straceTo(file, faults));
  const client = new MongoClient(store.uri, {
    maxPoolSize: workers,
    monitorCommands: true,
    serverSelectionTimeoutMS: 3_000,
  });
  noteRequests(client, book);
  try {
    if (faults.length === 0) {
      await prepare(client);
      await beginRound(client, 0);
    }
    await createLoad({
      clients: [client],
      book,
      random,
      round: 0,
      largest: 12_000,
      onFailure: (_, error) => onFailure?.(error),
    }).run({
      workers,
      operations,
      isOver: () => store.ended() !== null,
      pauseMs: 5,
    });
    await finish?.(client, store);
  } finally {
    await client.close();
    await store.kill();
  }
  const entries = await readRecord(file, folder.data);
  const answers = answersIn(entries);
  const acknowledgedAt = new Map<string, number>();
  for (const { id, state, requestId } of book.operations.values()) {
    if (state !== 'acknowledged') continue;
    const at = answers.get(requestId ?? -1);
    if (at === undefined) throw new Error(`${id} was acknowledged, but its answer is not in the record`);
    acknowledgedAt.set(id, at);
  }
  return { book, before, entries, acknowledgedAt };
}
