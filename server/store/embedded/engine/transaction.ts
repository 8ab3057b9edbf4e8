import { encode } from '../bson/encode.js';
import { sizeOf } from '../bson/size.js';
import type { Doc, Value } from '../bson/types.js';
import { type Collection, type Index, indexFrom, nowhere, virtualCollection } from '../disk/catalog.js';
import type { Snapshot } from '../disk/environment.js';
import {
  clash,
  Found,
  holderOf,
  insertRecord,
  isUntouched,
  keysOf,
  removeRecord,
  replaceRecord,
  takeRecord,
} from '../disk/records.js';
import { StoreError, snapshotUnavailable, transactionEnded, writeConflict } from '../errors.js';
import type { Change } from './changes.js';
import { type Database, Undo } from './database.js';
import { liveView, matcherOf, orderFound, type View } from './view.js';

/** What a transaction changes is held in memory until its commit, which writes it without a break. */
const mostHeldBytes = 64 * 1024 * 1024;

interface Written {
  readonly collection: Collection;
  /** Null while it is new. */
  readonly record: number | null;
  /** Its record, or, while it is new, a number of the transaction's own below zero. */
  readonly place: number;
  readonly before: Doc | null;
  after: Doc | null;
  /** The bytes of `after`, where they are known. */
  raw: Buffer | undefined;
}

interface UniqueKey {
  index: Index;
  key: Buffer;
}

/** Which transaction wrote a record or holds a unique key, and has not ended: whoever comes second tries again later. */
export type Claims = Map<string, OpenTransaction>;

export interface OpenTransaction {
  readonly view: View;
  readonly snapshot: Snapshot;
  /** In milliseconds, by the store's clock. */
  readonly begunAt: number;
  /** A collection that this transaction made. */
  collection(db: string, name: string): Collection | undefined;
  /** Makes a collection that others see when the transaction is committed. */
  create(db: string, name: string, options: Doc): Collection;
  /** Gives a collection that this transaction made an index. @returns false when it made no such collection */
  addIndex(collection: Collection, spec: Doc): boolean;
  hasWrites(): boolean;
  /** Whether its commit makes collections. */
  defines(): boolean;
  /**
   * Lays what was written onto the store, inside a commit.
   *
   * @returns what happened, in the order it was asked for
   * @throws StoreError `WriteConflict` when a rival was first, before anything is written; `Undo` when it shows later
   */
  apply(): Change[];
  end(): void;
}

/**
 * A transaction: a snapshot, and what was written over it. Whoever writes a document first has it; a write outside of
 * transactions that comes between makes the commit fail.
 */
export function beginTransaction(database: Database, claims: Claims): OpenTransaction {
  const snapshot = database.snapshot();
  const release = database.hold();
  const sequence = database.sequence();
  const definitions = database.catalog.definitions();
  const changes: Change[] = [];
  const written: Written[] = [];
  const byPlace = new Map<string, Written>();
  const byId = new Map<string, Written>();
  /** Who holds which unique key by what was written here. */
  const taken = new Map<string, Written>();
  const claimed: string[] = [];
  let isOver = false;
  let heldBytes = 0;
  const base = liveView(database, { snapshot }, () => undefined);
  let nextNew = -1;
  /** Made here: without tables until the commit. */
  const made = new Map<string, Collection>();

  const isMade = (collection: Collection) => collection.number < 0;
  const placeOf = (collection: Collection, place: number) => `${collection.number}:${place}`;
  const keyName = (index: Index, key: Buffer) => `${index.table.name}:${key.toString('latin1')}`;
  const idName = (collection: Collection, id: Value) =>
    typeof id === 'string'
      ? `${collection.number}'${id}`
      : `${collection.number}:${encode({ id }).toString('latin1')}`;
  const idOf = (doc: Doc): Value => doc.get('_id') ?? null;

  function claim(name: string): void {
    if (isOver) throw transactionEnded();
    const holder = claims.get(name);
    if (holder === self) return;
    if (holder) throw writeConflict();
    claims.set(name, self);
    claimed.push(name);
  }

  /** The unique keys of a document, without those that it has in common with `other`, field by field. */
  function uniqueKeys(collection: Collection, doc: Doc | null, other: Doc | null): UniqueKey[] {
    const found: UniqueKey[] = [];
    if (!doc) return found;
    for (const index of collection.indexes) {
      if (!index.unique || (other && isUntouched(index, other, doc))) continue;
      for (const key of keysOf(index, doc)) found.push({ index, key });
    }
    return found;
  }

  /** A collection or an index that is younger than the snapshot: run again, the transaction will have it. */
  function checkAge(collection: Collection): void {
    if (collection.definedAt > definitions) throw snapshotUnavailable();
  }

  /** Writes `after` over what is known, unless a unique key is another's. */
  function take(one: Written, after: Doc | null, raw?: Buffer): void {
    const { collection } = one;
    // What it held before the transaction and holds still is its own as it stands; once rewritten, `taken` has it all.
    const keys = uniqueKeys(collection, after, one.after ? null : one.before).map(({ index, key }) => ({
      index,
      key,
      name: keyName(index, key),
    }));
    for (const { index, key, name } of keys) {
      const holder = taken.get(name);
      if (holder && holder !== one) throw clash(collection, index, after!);
      if (holder) continue;
      const record = isMade(collection) ? undefined : holderOf(index, key, snapshot);
      if (record !== undefined && record !== one.record && !isGivenUp(collection, record, index))
        throw clash(collection, index, after!);
    }
    if (after) heldBytes += raw?.length ?? sizeOf(after);
    if (heldBytes > mostHeldBytes)
      throw new StoreError(
        388,
        'TransactionTooLargeForCache',
        `the transaction holds more than ${mostHeldBytes} bytes of changes: do it in smaller ones`,
      );
    for (const { name } of keys) claim(`k${name}`);
    for (const { index, key } of uniqueKeys(collection, one.after, null)) {
      const name = keyName(index, key);
      if (taken.get(name) === one) taken.delete(name);
    }
    for (const { name } of keys) taken.set(name, one);
    one.after = after;
    one.raw = raw;
  }

  /** Whether a document that was rewritten here has let go of the keys that it had in an index. */
  function isGivenUp(collection: Collection, record: number, index: Index): boolean {
    const holder = byPlace.get(placeOf(collection, record));
    if (!holder) return false;
    return holder.after === null || !isUntouched(index, holder.before!, holder.after);
  }

  function keep(one: Written): void {
    written.push(one);
    byPlace.set(placeOf(one.collection, one.place), one);
    byId.set(idName(one.collection, idOf((one.after ?? one.before)!)), one);
  }

  function write(collection: Collection, found: Found, after: Doc | null, raw?: Buffer): void {
    const known = byPlace.get(placeOf(collection, found.record));
    if (known) return take(known, after, raw);
    if (database.changedSince(collection, found.record, sequence)) throw writeConflict();
    claim(`r${placeOf(collection, found.record)}`);
    const one: Written = {
      collection,
      record: found.record,
      place: found.record,
      before: found.doc,
      after: null,
      raw: undefined,
    };
    take(one, after, raw);
    keep(one);
  }

  /** What was written to a collection; for a filter that names ids, only those. */
  function overlay(collection: Collection, filter: Doc): Written[] {
    const ids = idsIn(filter);
    if (!ids) return written.filter((one) => one.collection === collection);
    return ids.flatMap((id) => byId.get(idName(collection, id)) ?? []);
  }

  const view: View = {
    isTransaction: true,
    *find(collection, query) {
      checkAge(collection);
      const mine = overlay(collection, query.filter);
      if (isMade(collection)) {
        const matches = matcherOf(query);
        const all = mine.flatMap(({ place, after }) =>
          after && matches(after) ? [new Found(place, null, after)] : [],
        );
        yield* orderFound(all, query, false);
        return;
      }
      if (mine.length === 0) {
        yield* base.find(collection, query);
        return;
      }
      const matches = matcherOf(query);
      const untouched = base.find(collection, { ...query, sort: undefined, skip: 0, limit: 0 });
      const all = (function* () {
        for (const one of untouched)
          if (one === null || !byPlace.has(placeOf(collection, one.record))) yield one;
        for (const { place, after } of mine) if (after && matches(after)) yield new Found(place, null, after);
      })();
      yield* orderFound(all, query, false);
    },
    insert(collection, doc, raw = encode(doc)) {
      checkAge(collection);
      const one: Written = {
        collection,
        record: null,
        place: nextNew,
        before: null,
        after: null,
        raw: undefined,
      };
      take(one, doc, raw);
      nextNew -= 1;
      keep(one);
      changes.push({ kind: 'insert', collection, after: doc, raw });
    },
    replace(collection, found, doc, touched) {
      // Once, for the record and for the oplog; what operators changed the oplog does not hold whole.
      const raw = touched ? undefined : encode(doc);
      write(collection, found, doc, raw);
      changes.push({
        kind: touched ? 'update' : 'replace',
        collection,
        before: found.doc,
        after: doc,
        raw,
        touched: touched ?? [],
      });
    },
    remove(collection, found) {
      write(collection, found, null);
      changes.push({ kind: 'delete', collection, before: found.doc });
    },
  };

  function end(): void {
    isOver = true;
    for (const name of claimed) if (claims.get(name) === self) claims.delete(name);
    claimed.length = 0;
    snapshot.done();
    release();
  }

  const self: OpenTransaction = {
    view,
    snapshot,
    begunAt: database.now().getTime(),
    collection: (db, name) => made.get(`${db}.${name}`),
    create(db, name, options) {
      claim(`n${db}.${name}`);
      const collection = virtualCollection(db, name, options);
      made.set(`${db}.${name}`, collection);
      return collection;
    },
    addIndex(collection, spec) {
      if (!isMade(collection)) return false;
      collection.indexes = [
        ...collection.indexes,
        indexFrom(nowhere(collection.number, String(collection.indexes.length)), spec, false),
      ];
      return true;
    },
    hasWrites: () => written.length > 0 || made.size > 0,
    defines: () => made.size > 0,
    apply() {
      const real = makeCollections();
      for (const { collection, record } of written)
        if (collection.isDropped || (record !== null && database.changedSince(collection, record, sequence)))
          throw writeConflict();
      // What goes away first gives its unique keys to what comes.
      for (const one of written) if (givesUpKeys(one)) removeRecord(one.collection, one.record!, one.before!);
      try {
        for (const one of written) place(one, real.get(one.collection) ?? one.collection);
      } catch (error) {
        // A unique key that was free in the snapshot is taken now: tried again, the transaction will see it.
        if (error instanceof StoreError) throw new Undo(writeConflict());
        throw error;
      }
      return changes.map((change) =>
        'collection' in change
          ? { ...change, collection: real.get(change.collection) ?? change.collection }
          : change,
      );
    },
    end,
  };

  /** Makes what was made here, for all to see. @throws Undo when another was first */
  function makeCollections(): Map<Collection, Collection> {
    const real = new Map<Collection, Collection>();
    for (const one of made.values()) {
      if (database.catalog.collection(one.db, one.name)) throw new Undo(writeConflict());
      const collection = database.catalog.create(one.db, one.name, one.options);
      for (const { spec, name } of one.indexes)
        if (name !== '_id_') database.catalog.addIndex(collection, spec);
      changes.unshift({
        kind: 'create',
        db: one.db,
        name: one.name,
        uuid: collection.uuid,
        detail: { idIndex: collection.indexes[0]!.spec },
      });
      real.set(one, collection);
    }
    return real;
  }

  function place({ record, before, after, raw }: Written, collection: Collection): void {
    if (record !== null) database.mark(collection, record);
    if (!after) return;
    const { catalog } = database;
    if (record !== null && !givesUpKeys({ collection, record, before, after }))
      replaceRecord(catalog, collection, record, after, before!, raw);
    else insertRecord(catalog, collection, record ?? takeRecord(collection), after, raw);
  }

  /** Whether a document goes away, or changes a unique key that another may want. */
  function givesUpKeys({
    collection,
    record,
    before,
    after,
  }: Pick<Written, 'collection' | 'record' | 'before' | 'after'>): boolean {
    if (record === null) return false;
    if (!after) return true;
    const changed = uniqueKeys(collection, before, after);
    if (changed.length === 0) return false;
    const keep = new Set(uniqueKeys(collection, after, before).map(({ index, key }) => keyName(index, key)));
    return changed.some(({ index, key }) => !keep.has(keyName(index, key)));
  }

  return self;
}

/** The ids a filter names, when it names them exactly; null when it may hold for any. */
function idsIn(filter: Doc): Value[] | null {
  const wanted = filter.get('_id');
  if (typeof wanted === 'string') return [wanted];
  const list = wanted instanceof Map ? wanted.get('$in') : undefined;
  return wanted instanceof Map &&
    wanted.size === 1 &&
    Array.isArray(list) &&
    list.every((id) => typeof id === 'string')
    ? list
    : null;
}
