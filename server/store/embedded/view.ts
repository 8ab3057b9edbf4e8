import { ObjectId } from 'bson';
import { duplicateKey, writeConflict } from './errors.js';
import { compileFilter } from './match.js';
import { type Found, scan } from './scan.js';
import { type Collection, type Index, isUntouched, keysOf, type Storage } from './storage.js';
import { compileSort } from './update.js';
import type { Doc } from './values.js';
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
  const checkUnique = (collection: Collection, record: number | null, doc: Doc, before?: Doc): void => {
    for (const index of collection.indexes) {
      if (!index.unique || (before && isUntouched(index, before, doc))) continue;
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
      checkUnique(collection, found.record, doc, found.doc);
      storage.put(collection, found.record, doc, found.doc);
    },
    remove: (collection, found) => storage.remove(collection, found.record, found.doc),
  };
}

interface Written {
  collection: Collection;
  /** Null while it is new. */
  record: number | null;
  /** Its record, or the number it has until the commit. */
  place: number;
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
  const byCollection = new Map<number, Written[]>();
  const byId = new Map<string, Written>();
  /** Who holds which unique key by what was written here. */
  const taken = new Map<string, Written>();
  const place = (collection: Collection, record: number) => `${collection.id}:${record}`;
  /** New documents get numbers of their own until the commit. */
  let nextNew = -1;
  const fresh = new Map<number, Written>();

  /** What was written to a collection; with a filter on string ids, only those. */
  function overlay(collection: Collection, filter: Doc): Written[] {
    const ids = idsIn(filter);
    if (!ids) return byCollection.get(collection.id) ?? [];
    return ids.flatMap((id) => byId.get(`${collection.id}:${id}`) ?? []);
  }

  const uniqueKeys = (collection: Collection, doc: Doc): { index: Index; keys: Buffer[] }[] =>
    collection.indexes.filter(({ unique }) => unique).map((index) => ({ index, keys: keysOf(index, doc) }));

  /** Writes `after` into the overlay, unless a unique key is another's. */
  function take(one: Written, after: Doc | null): void {
    const { collection } = one;
    for (const { index, keys } of after ? uniqueKeys(collection, after) : []) {
      for (const key of keys) {
        const holder = taken.get(key.toString('latin1'));
        if (holder && holder !== one) throw clash(collection, index.name, index.key, after!);
        if (holder) continue;
        const record = storage.find(key, snapshot.reader);
        // A document rewritten here holds what `taken` says, and no longer what it held before.
        if (record !== undefined && record !== one.record && !byRecord.has(place(collection, record)))
          throw clash(collection, index.name, index.key, after!);
      }
    }
    if (one.after)
      for (const { keys } of uniqueKeys(collection, one.after))
        for (const key of keys) taken.delete(key.toString('latin1'));
    if (after)
      for (const { keys } of uniqueKeys(collection, after))
        for (const key of keys) taken.set(key.toString('latin1'), one);
    one.after = after;
  }

  function keep(one: Written, record: number): void {
    written.push(one);
    const list = byCollection.get(one.collection.id);
    if (list) list.push(one);
    else byCollection.set(one.collection.id, [one]);
    const id = (one.after ?? one.before)?._id;
    if (typeof id === 'string') byId.set(`${one.collection.id}:${id}`, one);
    if (record < 0) fresh.set(record, one);
    else byRecord.set(place(one.collection, record), one);
  }

  function write(collection: Collection, found: Found, after: Doc | null): void {
    const known = fresh.get(found.record) ?? byRecord.get(place(collection, found.record));
    if (known) return take(known, after);
    if (snapshot.changedSince(collection, found.record)) throw writeConflict();
    const one: Written = {
      collection,
      record: found.record,
      place: found.record,
      before: found.doc,
      after: null,
    };
    take(one, after);
    keep(one, found.record);
  }

  const view: View = {
    *find(collection, { filter, sort, skip, limit, hint }) {
      const mine = overlay(collection, filter);
      const { found, plan } = scan(storage, collection, filter, sort, hint, snapshot.reader);
      const untouched = (function* () {
        for (const one of found) if (!byRecord.has(place(collection, one.record))) yield one;
      })();
      const base = matching(untouched, filter);
      const hasSort = sort !== undefined && Object.keys(sort).length > 0;
      if (mine.length === 0) {
        yield* window(hasSort && !plan?.sorted ? sorted(base, sort) : base, skip, limit);
        return;
      }
      const matches = compileFilter(filter);
      const changed = mine.flatMap((one): Found[] => {
        if (!one.after || !matches(one.after)) return [];
        return [{ record: one.place, raw: encode(one.after), doc: one.after }];
      });
      const all = [...base, ...changed];
      yield* window(hasSort ? sorted(all, sort) : all, skip, limit);
    },
    insert(collection, input) {
      const one: Written = { collection, record: null, place: nextNew, before: null, after: null };
      take(one, withId(input));
      keep(one, nextNew);
      nextNew -= 1;
    },
    replace: (collection, found, doc) => write(collection, found, doc),
    remove: (collection, found) => write(collection, found, null),
  };

  return {
    view,
    hasWrites: () => written.length > 0,
    /** Lays what was written onto the store, inside a commit. @throws StoreError `WriteConflict` when a rival was first */
    apply(live: View): void {
      // A commit that failed since has read the catalogue anew: what this transaction was given counts records no more.
      const current = ({ db, name, id }: Collection): Collection => {
        const found = storage.collection(db, name);
        if (found?.id !== id) throw writeConflict();
        return found;
      };
      for (const { collection, record } of written)
        if (record !== null && snapshot.changedSince(collection, record)) throw writeConflict();
      for (const { collection, record, before, after } of written)
        if (record !== null && !after) storage.remove(current(collection), record, before!);
      for (const { collection: given, record, before, after } of written) {
        if (!after) continue;
        const collection = current(given);
        try {
          if (record === null) live.insert(collection, after);
          else live.replace(collection, { record, doc: before!, raw: Buffer.alloc(0) }, after);
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

/** The ids a filter names, when it names nothing but strings; null when it may hold for any. */
function idsIn(filter: Doc): string[] | null {
  const wanted = filter._id;
  if (typeof wanted === 'string') return [wanted];
  const list = (wanted as Doc | null | undefined)?.$in;
  return Array.isArray(list) && list.every((id) => typeof id === 'string') ? list : null;
}

export type OpenTransaction = ReturnType<typeof transactionView>;
