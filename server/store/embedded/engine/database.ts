import { type Catalog, type Collection, openCatalog } from '../disk/catalog.js';
import { DiskError, type Environment, openEnvironment, type Snapshot } from '../disk/environment.js';
import { type Oplog, openOplog } from '../disk/oplog.js';
import { StoreError } from '../errors.js';
import { createWriter } from './writer.js';

/**
 * One open store: what is on disk, the one writer, and what is remembered of the latest commits so that transactions
 * learn of their rivals.
 */
export interface Database {
  readonly environment: Environment;
  readonly catalog: Catalog;
  readonly oplog: Oplog;
  now(): Date;
  /**
   * Runs `work` in the next commit, together with what others have waiting. Resolves when it is durable. A StoreError
   * is the answer to its own caller and undoes nothing; `Undo` undoes what this `work` wrote.
   */
  write<T>(work: () => T): Promise<T>;
  /** The same for what changes collections or indexes, whole or not at all: readers that come later wait for it. */
  define<T>(work: () => T): Promise<T>;
  /** Resolves when no change of collections or indexes is under way. */
  defined(): Promise<void> | null;
  /** A view of what is committed now. */
  snapshot(): Snapshot;
  /** The number of the latest commit that is durable. */
  sequence(): number;
  /** Remembers that the commit that runs changes a record. New ones nobody can have seen: they need no mark. */
  mark(collection: Collection, record: number): void;
  changedSince(collection: Collection, record: number, sequence: number): boolean;
  /** An open transaction: what is changed from now on is remembered until it ends. */
  hold(): () => void;
  /** Called after commits, once for those of one turn, when who made them was answered. */
  onCommit(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Undoes all that its task wrote, and is told to its caller. */
export class Undo extends Error {
  constructor(readonly reason: StoreError) {
    super(reason.message);
  }
}

/** What a StoreError ends in its middle is undone. */
function whole<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof StoreError ? new Undo(error) : error;
  }
}

function answerFor(error: unknown): unknown {
  if (error instanceof Undo) return error.reason;
  if (!(error instanceof DiskError)) return error;
  return error.kind === 'full'
    ? new StoreError(14031, 'OutOfDiskSpace', error.message)
    : new StoreError(8, 'UnknownError', error.message);
}

export interface DatabaseOptions {
  path: string;
  now?: () => Date;
  /** The oplog is cut at its old end when it is larger. */
  oplogBytes?: number;
}

export function openDatabase({
  path,
  now = () => new Date(),
  oplogBytes = 64 * 1024 * 1024,
}: DatabaseOptions): Database {
  const environment = openEnvironment(path);
  const catalog = openCatalog(environment);
  const oplog = openOplog(environment, () => now().getTime(), oplogBytes);
  const listeners = new Set<() => void>();
  let sequence = 0;
  /** Open transactions by what they began with, the oldest first. */
  const holders = new Set<{ since: number }>();
  /** When each record was last changed, the latest last; kept as long as a transaction is open that began before. */
  const changed = new Map<string, number>();
  /** What the commit under way changes: forgotten when it fails, or whoever tries again would conflict with nobody. */
  let changing = new Set<string>();
  let barrier: Promise<void> | null = null;
  const place = (collection: Collection, record: number) => `${collection.number}:${record}`;

  /** What no open transaction can ask for any more. There is always one open under load: not only when there is none. */
  function forget(): void {
    const [oldest] = holders;
    for (const [name, at] of changed) {
      if (oldest && at > oldest.since) return;
      changed.delete(name);
    }
  }

  let isTelling = false;
  /** Whoever wrote is answered first: reading and handing on what is new takes a while. */
  function tellSoon(): void {
    if (isTelling) return;
    isTelling = true;
    setImmediate(() => {
      isTelling = false;
      for (const listener of listeners) listener();
    });
  }

  const writer = createWriter<null>({
    async commit(work) {
      try {
        await environment.commit(() => {
          catalog.claim();
          work(null);
          oplog.finish();
        });
        sequence += 1;
        oplog.settle();
        for (const name of changing) {
          changed.delete(name);
          changed.set(name, sequence);
        }
        changing = new Set();
        forget();
        tellSoon();
      } catch (error) {
        changing = new Set();
        catalog.load();
        oplog.reset();
        throw error;
      }
    },
    isOfDisk: (error) => error instanceof DiskError,
    now: () => performance.now(),
  });

  function write<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let outcome: { value: T } | { refused: StoreError };
      writer.submit({
        run() {
          try {
            outcome = { value: work() };
          } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            outcome = { refused: error };
          }
          return 'done';
        },
        committed() {
          if ('value' in outcome) resolve(outcome.value);
          else reject(outcome.refused);
        },
        failed: (error) => reject(answerFor(error)),
      });
    });
  }

  return {
    environment,
    catalog,
    oplog,
    now,
    write,
    async define(work) {
      const before = barrier;
      let open!: () => void;
      const mine = new Promise<void>((resolve) => {
        open = resolve;
      });
      barrier = mine;
      try {
        await before;
        return await write(() => whole(work));
      } finally {
        if (barrier === mine) barrier = null;
        open();
      }
    },
    defined: () => barrier,
    snapshot: () => environment.snapshot(),
    sequence: () => sequence,
    mark(collection, record) {
      changing.add(place(collection, record));
    },
    changedSince(collection, record, since) {
      const name = place(collection, record);
      return changing.has(name) || (changed.get(name) ?? 0) > since;
    },
    hold() {
      const holder = { since: sequence };
      holders.add(holder);
      return () => {
        holders.delete(holder);
        forget();
      };
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await writer.idle();
      await environment.close();
    },
  };
}
