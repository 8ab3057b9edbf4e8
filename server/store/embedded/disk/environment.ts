import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Database, open, type PutOptions, type RootDatabase, type Transaction } from 'lmdb';
import { tablesIn } from './file.js';

/**
 * LMDB as this store uses it: many named tables of bytes, one writer, readers on snapshots. A commit is durable before
 * its promise resolves (page writes, fdatasync, then the synced meta page), and runs in LMDB's own thread: reads go on
 * meanwhile. After a commit that failed the environment is closed and opened again, since LMDB refuses everything once a
 * meta page could not be written.
 */

/** Address space, not memory or disk: a file never outgrows it. */
const defaultMapBytes = 2 ** 40;
/** Every transaction begins by clearing room for so many tables: when there are more, the file is opened again. */
const fewestTables = 2_048;
/** A commit that would leave room for fewer new ones waits for that. */
const spareTables = 512;
/** While a copy is made, which has to be waited for as well, these will do. */
const fewestSpareTables = 256;

/** The disk did not take a commit; nothing of it was written. */
export class DiskError extends Error {
  constructor(
    readonly kind: 'full' | 'failed',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DiskError';
  }
}

/** A snapshot that a failed commit took away: its reader begins anew. */
export class SnapshotLost extends Error {}

export interface Snapshot {
  /** @throws SnapshotLost when a failed commit took it away */
  readonly txn: Transaction;
  done(): void;
}

export interface Table {
  readonly name: string;
  /** @internal Another object after the environment was opened again. */
  db: Database<Buffer, Buffer>;
}

export interface Range {
  start?: Buffer;
  end?: Buffer;
  /** Leave `start` itself out. */
  after?: boolean;
  /** Take `end` itself in. */
  through?: boolean;
  reverse?: boolean;
  limit: number;
}

export interface EnvironmentStats {
  pageSize: number;
  lastPage: number;
  freePages: number;
}

export interface Environment {
  /** A table, made when it is not there: inside a commit, or before the first one. */
  table(name: string): Table;
  snapshot(): Snapshot;
  /** Runs writes as one commit. Resolves when it is durable; what `work` throws undoes it and is thrown. */
  commit<T>(work: () => T): Promise<T>;
  /** A consistent copy, without the free pages. */
  copyTo(path: string): Promise<void>;
  stats(): EnvironmentStats;
  /** Pages of one table. */
  pagesOf(table: Table): { branch: number; leaf: number; overflow: number; entries: number };
  /** Waits for copies that are being made. */
  close(): Promise<void>;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** LMDB calls a write that was cut short an input/output error: what the disk has left tells whether it was full. */
function isFull(text: string, directory: string): boolean {
  if (/no space|ENOSPC|EDQUOT|quota|EFBIG|file too large|MAP_FULL/i.test(text)) return true;
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < leastFreeBytes;
  } catch (error) {
    // Not even that can be asked: the disk has other troubles than being full.
    return message(error) === '';
  }
}
const leastFreeBytes = 1024 * 1024;

const diskErrorOf = (error: unknown, directory: string): DiskError =>
  new DiskError(isFull(message(error), directory) ? 'full' : 'failed', message(error), { cause: error });

/** lmdb rejects twice: its own promise and the one in `commitError`, which says why. */
async function reasonOf(error: unknown): Promise<unknown> {
  const second = (error as { commitError?: Promise<unknown> }).commitError;
  if (!second) return error;
  try {
    await second;
  } catch (reason) {
    return reason;
  }
  return error;
}

/** A file that was made is only there after a power cut when its directory is synced too. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function openEnvironment(path: string, { mapBytes = defaultMapBytes } = {}): Environment {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const isNew = !existsSync(path);
  const tables = new Map<string, Table>();
  const snapshots = new Set<HeldSnapshot>();
  let mostTables = fewestTables;
  let root: RootDatabase<Buffer, Buffer> | null = openRoot();
  let isRecovering = false;
  if (isNew) syncDirectory(dirname(path));
  /** LMDB makes each in a thread of its own, from what must not be closed meanwhile: that would end the process. */
  const copies = new Set<Promise<void>>();
  /** From the moment on when what is open waits to be closed. */
  let reopening: Promise<void> | null = null;
  /** Tables made by the commit that runs: gone again when it fails. */
  let made: Table[] = [];

  interface HeldSnapshot extends Snapshot {
    lose(): void;
  }

  function openRoot(): RootDatabase<Buffer, Buffer> {
    const present = tables.size || (isNew ? 0 : tablesIn(path));
    while (mostTables < 2 * (present + spareTables)) mostTables *= 2;
    return open<Buffer, Buffer>({
      path,
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: mostTables,
      maxReaders: 2_048,
      mapSize: mapBytes,
      pageSize: 4_096,
      // A commit resolves after its own sync, never before.
      overlappingSync: false,
    });
  }

  function alive(): RootDatabase<Buffer, Buffer> {
    if (isRecovering) throw new SnapshotLost('the store is being opened again');
    if (!root) root = reopened();
    return root;
  }

  const openTable = (from: RootDatabase<Buffer, Buffer>, name: string): Database<Buffer, Buffer> => {
    // Opening a table ends the shared read transaction: one that is held must not be it.
    from.resetReadTxn();
    return from.openDB({ name, encoding: 'binary', keyEncoding: 'binary' });
  };

  function reopened(): RootDatabase<Buffer, Buffer> {
    const fresh = openRoot();
    fresh.transactionSync(() => {
      for (const table of tables.values()) table.db = openTable(fresh, table.name);
    });
    return fresh;
  }

  /** @throws SnapshotLost when a commit has just failed, and what it left cannot be read yet */
  function beginRead(): Transaction {
    try {
      return alive().useReadTransaction();
    } catch (error) {
      throw isOfDisk(error) ? new SnapshotLost(message(error)) : error;
    }
  }

  /** Loses every snapshot. */
  async function openAgain(): Promise<void> {
    reopening = reopen();
    try {
      await reopening;
    } finally {
      reopening = null;
    }
  }

  async function reopen(): Promise<void> {
    await Promise.allSettled(copies);
    for (const snapshot of snapshots) snapshot.lose();
    snapshots.clear();
    for (const table of made) tables.delete(table.name);
    const broken = root;
    root = null;
    isRecovering = true;
    try {
      await broken?.close();
      root = reopened();
    } finally {
      isRecovering = false;
    }
  }

  return {
    table(name) {
      const known = tables.get(name);
      if (known) return known;
      const table: Table = { name, db: openTable(alive(), name) };
      tables.set(name, table);
      made.push(table);
      return table;
    },

    snapshot() {
      const txn = beginRead();
      let state: 'held' | 'lost' | 'done' = 'held';
      const snapshot: HeldSnapshot = {
        get txn() {
          if (state !== 'held') throw new SnapshotLost(`this snapshot is ${state}`);
          return txn;
        },
        done() {
          if (state === 'held') txn.done();
          state = 'done';
          snapshots.delete(snapshot);
        },
        lose() {
          state = 'lost';
        },
      };
      snapshots.add(snapshot);
      return snapshot;
    },

    async commit<T>(work: () => T): Promise<T> {
      made = [];
      let outcome: { value: T } | { thrown: unknown } | null = null;
      let opened: RootDatabase<Buffer, Buffer>;
      try {
        const spare = copies.size > 0 ? fewestSpareTables : spareTables;
        if (tables.size + spare > mostTables) await openAgain();
        opened = alive();
      } catch (error) {
        throw diskErrorOf(error, dirname(path));
      }
      try {
        await opened.childTransaction(() => {
          try {
            outcome = { value: work() };
          } catch (error) {
            outcome = { thrown: error };
            throw error;
          }
        });
      } catch (error) {
        const ended = outcome as { value: T } | { thrown: unknown } | null;
        if (ended && 'thrown' in ended && !isOfDisk(ended.thrown)) {
          for (const table of made) tables.delete(table.name);
          throw ended.thrown;
        }
        const reason = diskErrorOf(await reasonOf(error), dirname(path));
        // It made more tables at once than are kept room for: the next try finds it.
        if (/DBS_FULL/.test(reason.message)) mostTables *= 2;
        try {
          await openAgain();
        } catch (failure) {
          throw new DiskError('failed', `${reason.message}; opening again: ${message(failure)}`, {
            cause: failure,
          });
        }
        throw reason;
      }
      return (outcome as unknown as { value: T }).value;
    },

    async copyTo(to) {
      // Whether that succeeds is others' concern: here it is tried once more.
      while (reopening !== null) await reopening.catch(() => undefined);
      const copy = alive().backup(to, true);
      copies.add(copy);
      try {
        await copy;
      } finally {
        copies.delete(copy);
      }
    },

    stats() {
      const stats = alive().getStats() as {
        pageSize: number;
        lastPageNumber: number;
        free: { entryCount: number };
      };
      return { pageSize: stats.pageSize, lastPage: stats.lastPageNumber, freePages: stats.free.entryCount };
    },

    pagesOf(table) {
      const stats = table.db.getStats() as Record<string, number>;
      return {
        branch: stats.treeBranchPageCount ?? 0,
        leaf: stats.treeLeafPageCount ?? 0,
        overflow: stats.overflowPages ?? 0,
        entries: stats.entryCount ?? 0,
      };
    },

    async close() {
      for (const snapshot of snapshots) snapshot.lose();
      snapshots.clear();
      while (copies.size > 0) await Promise.allSettled(copies);
      const open = root;
      root = null;
      await open?.close();
    },
  };
}

/** What LMDB itself said inside a commit: the transaction is spoilt, and perhaps the environment. */
const isOfDisk = (error: unknown): boolean =>
  error instanceof Error && /MDB_|No space|Input\/output/i.test(error.message);

/** The value under a key, as bytes of its own. A null snapshot: the commit that runs. */
export function read(table: Table, key: Buffer, snapshot: Snapshot | null): Buffer | undefined {
  return table.db.get(key, snapshot ? { transaction: snapshot.txn } : undefined);
}

const optionsOf = (range: Range, snapshot: Snapshot | null) => ({
  ...(range.start && { start: range.start }),
  ...(range.end && { end: range.end }),
  ...(range.after && { exclusiveStart: true }),
  ...(range.through && { inclusiveEnd: true }),
  ...(range.reverse && { reverse: true }),
  limit: range.limit,
  ...(snapshot && { transaction: snapshot.txn }),
});

/** Keys of a range, in order; for `reverse`, `start` is the upper end. */
export function readKeys(table: Table, range: Range, snapshot: Snapshot | null): Buffer[] {
  return [...table.db.getKeys(optionsOf(range, snapshot))];
}

export function readEntries(
  table: Table,
  range: Range,
  snapshot: Snapshot | null,
): { key: Buffer; value: Buffer }[] {
  return [...table.db.getRange(optionsOf(range, snapshot))];
}

export const write = (table: Table, key: Buffer, value: Buffer): void => void table.db.putSync(key, value);
/** Writes behind all that is there: pages are filled to their ends, and no place is searched for. @returns whether it was behind */
export const append = (table: Table, key: Buffer, value: Buffer): boolean =>
  isPut(table.db.putSync(key, value, { append: true } as PutOptions));
/** @returns whether the key was free */
export const writeNew = (table: Table, key: Buffer, value: Buffer): boolean =>
  isPut(table.db.putSync(key, value, { noOverwrite: true } as PutOptions));
/** lmdb's types do not tell what it answers with. */
const isPut = (answer: unknown): boolean => answer === true;
export const remove = (table: Table, key: Buffer): boolean => table.db.removeSync(key);
export const clear = (table: Table): void => table.db.clearSync();
