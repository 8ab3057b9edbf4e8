import { ObjectId } from 'bson';
import { duplicateKey, writeConflict } from './errors.js';
import { compileFilter } from './match.js';
import { type Found, scan } from './scan.js';
import { type Collection, keysOf, type Storage } from './storage.js';
import { compileSort } from './update.js';
import { type Doc, equals } from './values.js';
import { encode } from './wire.js';

/** What commands read and write through: the store itself, or a transaction laid over it. */
export interface View {
  find(collection: Collection, query: Query): Generator<Found>;
  insert(collection: Collection, doc: Doc): void;
  replace(collection: Collection, found: Found, doc: Doc): void;
  remove(collection: Collection, found: Found): void;
}

export interface Query {
  filter: Doc;
  sort?: Doc | undefined;
  skip?: number;
  limit?: number;
  hint?: unknown;
}

function* window(found: Iterable<Found>, skip = 0, limit = 0): Generator<Found> {
  let passed = 0;
  for (const one of found) {
    passed += 1;
    if (passed <= skip) continue;
    yield one;
    if (limit > 0 && passed - skip >= limit) return;
  }
}

function* matching(found: Iterable<Found>, filter: Doc): Generator<Found> {
  const matches = compileFilter(filter);
  for (const one of found) if (matches(one.doc)) yield one;
}

function sorted(found: Iterable<Found>, sort: Doc): Found[] {
  const order = compileSort(sort);
  return [...found].sort((left, right) => order(left.doc, right.doc));
}

const withId = (doc: Doc): Doc => (doc._id === undefined ? { _id: new ObjectId(), ...doc } : doc);

const clash = (collection: Collection, name: string, key: Doc, doc: Doc) =>
  duplicateKey(
    `${collection.db}.${collection.name}`,
    name,
    key,
    Object.fromEntries(
      Object.keys(key).map((field) => [
        field,
        field.split('.').reduce<unknown>((at, step) => (at as Doc | undefined)?.[step], doc) ?? null,
      ]),
    ),
  );

/** Reads and writes what is committed. Writes stand inside a commit of the caller's. */
export function liveView(storage: Storage): View {
  const checkUnique = (collection: Collection, record: number | null, doc: Doc): void => {
    for (const index of collection.indexes) {
      if (!index.unique) continue;
      for (const key of keysOf(index, doc)) {
        const holder = storage.find(key, undefined);
        if (holder !== undefined && holder !== record) throw clash(collection, index.name, index.key, doc);
      }
    }
  };
  return {
    *find(collection, { filter, sort, skip, limit, hint }) {
      const { found, plan } = scan(storage, collection, filter, sort, hint, undefined);
      const fitting = matching(found, filter);
      const needsSort = sort && Object.keys(sort).length > 0 && !plan?.sorted;
      yield* window(needsSort ? sorted(fitting, sort) : fitting, skip, limit);
    },
    insert(collection, input) {
      const doc = withId(input);
      checkUnique(collection, null, doc);
      storage.put(collection, storage.takeRecord(collection), doc, null);
    },
    replace(collection, found, doc) {
      checkUnique(collection, found.record, doc);
      storage.put(collection, found.record, doc, found.doc);
    },
    remove: (collection, found) => storage.remove(collection, found.record, found.doc),
  };
}

interface Written {
  collection: Collection;
  /** Null while it is new. */
  record: number | null;
  before: Doc | null;
  after: Doc | null;
}

/**
 * A transaction: a snapshot, and what was written over it. Whoever commits first wins; the other is told to try again.
 */
export function transactionView(storage: Storage) {
  const snapshot = storage.snapshot();
  const written: Written[] = [];
  const byRecord = new Map<string, Written>();
  const place = (collection: Collection, record: number) => `${collection.id}:${record}`;
  /** New documents get numbers of their own until the commit. */
  let nextNew = -1;
  const fresh = new Map<number, Written>();

  const overlay = (collection: Collection): Written[] =>
    written.filter((one) => one.collection.id === collection.id);

  const checkUnique = (collection: Collection, self: Written | null, doc: Doc): void => {
    for (const index of collection.indexes) {
      if (!index.unique) continue;
      const keys = keysOf(index, doc);
      for (const other of overlay(collection)) {
        if (other === self || !other.after) continue;
        if (keysOf(index, other.after).some((key) => keys.some((mine) => mine.equals(key))))
          throw clash(collection, index.name, index.key, doc);
      }
      for (const key of keys) {
        const holder = storage.find(key, snapshot.reader);
        if (holder === undefined || holder === self?.record) continue;
        const rewritten = byRecord.get(place(collection, holder));
        if (
          !rewritten ||
          (rewritten.after && keysOf(index, rewritten.after).some((other) => other.equals(key)))
        )
          throw clash(collection, index.name, index.key, doc);
      }
    }
  };

  function write(collection: Collection, found: Found, after: Doc | null): void {
    const known = fresh.get(found.record) ?? byRecord.get(place(collection, found.record));
    if (!known && snapshot.changedSince(collection, found.record)) throw writeConflict();
    const one: Written = known ?? { collection, record: found.record, before: found.doc, after: found.doc };
    if (after) checkUnique(collection, one, after);
    one.after = after;
    if (known) return;
    written.push(one);
    byRecord.set(place(collection, found.record), one);
  }

  const view: View = {
    *find(collection, { filter, sort, skip, limit, hint }) {
      const mine = overlay(collection);
      const { found, plan } = scan(storage, collection, filter, sort, hint, snapshot.reader);
      const untouched = (function* () {
        for (const one of found) if (!byRecord.has(place(collection, one.record))) yield one;
      })();
      const base = matching(untouched, filter);
      const hasSort = sort !== undefined && Object.keys(sort).length > 0;
      if (mine.length === 0)
        return yield* window(hasSort && !plan?.sorted ? sorted(base, sort) : base, skip, limit);
      const changed = mine.flatMap((one): Found[] => {
        if (!one.after) return [];
        const record = one.record ?? [...fresh].find(([, other]) => other === one)![0];
        return [{ record, raw: encode(one.after), doc: one.after }];
      });
      const all = [...base, ...matching(changed, filter)];
      yield* window(hasSort ? sorted(all, sort) : all, skip, limit);
    },
    insert(collection, input) {
      const doc = withId(input);
      checkUnique(collection, null, doc);
      const one: Written = { collection, record: null, before: null, after: doc };
      fresh.set(nextNew, one);
      nextNew -= 1;
      written.push(one);
    },
    replace: (collection, found, doc) => write(collection, found, doc),
    remove: (collection, found) => write(collection, found, null),
  };

  return {
    view,
    hasWrites: () => written.length > 0,
    /** Lays what was written onto the store, inside a commit. @throws StoreError `WriteConflict` when a rival was first */
    apply(live: View): void {
      for (const { collection, record } of written)
        if (record !== null && snapshot.changedSince(collection, record)) throw writeConflict();
      for (const { collection, record, before, after } of written)
        if (record !== null && !after) storage.remove(collection, record, before!);
      for (const { collection, record, before, after } of written) {
        if (!after) continue;
        try {
          if (record === null) live.insert(collection, after);
          else if (!equals(before, after) || before !== after)
            live.replace(collection, { record, doc: before!, raw: Buffer.alloc(0) }, after);
        } catch (error) {
          // A unique key that was free in the snapshot is taken now: tried again, the transaction will see it.
          if ((error as { code?: number }).code === 11_000) throw writeConflict();
          throw error;
        }
      }
    },
    end: () => snapshot.done(),
  };
}

export type OpenTransaction = ReturnType<typeof transactionView>;
