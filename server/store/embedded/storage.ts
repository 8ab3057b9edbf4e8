import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Database, open, type RootDatabase, type Transaction } from 'lmdb';
import { StoreError } from './errors.js';
import { after, directedKey } from './key.js';
import { compileFilter, type Matcher, valuesAt } from './match.js';
import { type Doc, isNumber, numeric } from './values.js';
import { decode, encode } from './wire.js';

/**
 * What is on disk. LMDB is the log: copy-on-write pages, a commit that is synced before it returns. Three tables:
 * `catalog` (one document), `docs` ([collection][record] -> checksum + BSON), `index` ([index][key][record] -> nothing).
 */

export interface Index {
  id: number;
  name: string;
  key: Doc;
  fields: { path: string[]; direction: number }[];
  unique: boolean;
  sparse: boolean;
  partial?: Doc;
  /** A document once had an array there: then one range cannot hold two bounds. */
  multikey: boolean;
  admits: Matcher;
  /** The first bytes of each of its keys. */
  prefix: Buffer;
}

export interface Collection {
  id: number;
  db: string;
  name: string;
  uuid: string;
  options: Doc;
  indexes: Index[];
  nextRecord: number;
}

export type Reader = Transaction | undefined;

const formatVersion = 1;
const empty = Buffer.alloc(0);

const docKey = (collection: number, record: number): Buffer => {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(collection, 0);
  key.writeUIntBE(0, 4, 2);
  key.writeUIntBE(record, 6, 6);
  return key;
};
const recordOf = (key: Buffer): number => key.readUIntBE(key.length - 6, 6);
const recordSuffix = (record: number): Buffer => {
  const suffix = Buffer.alloc(8);
  suffix.writeUIntBE(record, 2, 6);
  return suffix;
};
const prefixOf = (id: number): Buffer => {
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(id);
  return prefix;
};

const number = (value: unknown) => (isNumber(value) ? Number(numeric(value)) : Number.NaN);

function indexFrom(id: number, spec: Doc, multikey = false): Index {
  const partial = spec.partialFilterExpression as Doc | undefined;
  const fields = Object.entries(spec.key as Doc).map(([field, direction]) => ({
    path: field.split('.'),
    direction: number(direction) < 0 ? -1 : 1,
  }));
  const sparse = spec.sparse === true;
  const matchesPartial = partial ? compileFilter(partial) : () => true;
  const isPresent = (doc: Doc) =>
    !sparse || fields.some(({ path }) => valuesAt(doc, path).some((value) => value !== undefined));
  return {
    id,
    name: String(spec.name),
    key: spec.key as Doc,
    fields,
    unique: spec.unique === true,
    sparse,
    ...(partial && { partial }),
    multikey,
    admits: partial || sparse ? (doc) => matchesPartial(doc) && isPresent(doc) : () => true,
    prefix: prefixOf(id),
  };
}

/** What a path reaches: the field itself, without the walk, where the path is one step long. */
function reach(doc: Doc, path: string[]): unknown[] {
  const only = path.length === 1 ? path[0] : undefined;
  if (only === undefined) return valuesAt(doc, path);
  return [Object.hasOwn(doc, only) ? doc[only] : undefined];
}

/** The keys under which a document stands in an index: one, or one an element of an array. */
export function keysOf(index: Index, doc: Doc): Buffer[] {
  if (!index.admits(doc)) return [];
  let keys: Buffer[][] = [[index.prefix]];
  for (const { path, direction } of index.fields) {
    const reached = reach(doc, path);
    const values = reached.flatMap((value) =>
      Array.isArray(value) ? (value.length === 0 ? [undefined] : value) : [value],
    );
    const parts =
      values.length === 1
        ? [directedKey(values[0], direction)]
        : distinct(values.map((value) => directedKey(value, direction)));
    keys =
      parts.length === 1
        ? keys.map((key) => [...key, parts[0]!])
        : keys.flatMap((key) => parts.map((part) => [...key, part]));
  }
  return keys.map((parts) => Buffer.concat(parts));
}

/** Whether an update left everything alone that an index reads: then its entries stand as they are. */
export const isUntouched = (index: Index, before: Doc, after: Doc): boolean =>
  !index.partial && index.fields.every(({ path }) => before[path[0]!] === after[path[0]!]);

function distinct(keys: Buffer[]): Buffer[] {
  const seen = new Map(keys.map((key) => [key.toString('latin1'), key]));
  return [...seen.values()];
}

const isArrayIn = (index: Index, doc: Doc): boolean =>
  index.fields.some(({ path }) =>
    path.length === 1
      ? Array.isArray(doc[path[0]!])
      : path.some((_, at) => valuesAt(doc, path.slice(0, at + 1)).some(Array.isArray)),
  );

export function openStorage(directory: string) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'threadline.lmdb');
  let root: RootDatabase;
  let docs: Database<Buffer, Buffer>;
  let index: Database<Buffer, Buffer>;
  let catalog: Database<Buffer, string>;
  let collections = new Map<string, Collection>();
  let nextId = 1;
  /** Grows with each commit; and when each document was last changed, kept while a transaction is open. */
  let sequence = 0;
  const changedAt = new Map<string, number>();
  let openTransactions = 0;

  function start(): void {
    // A commit is synced before it returns: no overlapping, no delayed sync.
    root = open({
      path,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: 4,
      overlappingSync: false,
      noMemInit: true,
      pageSize: 4096,
      maxReaders: 512,
    });
    docs = root.openDB({ name: 'docs', encoding: 'binary', keyEncoding: 'binary' });
    index = root.openDB({ name: 'index', encoding: 'binary', keyEncoding: 'binary' });
    catalog = root.openDB({ name: 'catalog', encoding: 'binary', keyEncoding: 'ordered-binary' });
    load();
  }

  function load(): void {
    const bytes = catalog.get('catalog');
    collections = new Map();
    nextId = 1;
    if (!bytes) return;
    const saved = decode(bytes);
    if (number(saved.version) > formatVersion)
      throw new StoreError(
        5001,
        'StoreTooNew',
        `this data was written by a newer release (format ${number(saved.version)})`,
      );
    nextId = number(saved.nextId);
    for (const entry of saved.collections as Doc[]) {
      const id = number(entry.id);
      const last = [
        ...docs.getKeys({ start: docKey(id + 1, 0), end: docKey(id, 0), reverse: true, limit: 1 }),
      ][0];
      const indexes = (entry.indexes as Doc[]).map((spec) =>
        indexFrom(number(spec.id), spec, spec.multikey === true),
      );
      const collection: Collection = {
        id,
        db: String(entry.db),
        name: String(entry.name),
        uuid: String(entry.uuid),
        options: entry.options as Doc,
        indexes,
        nextRecord: last && last.readUInt32BE(0) === id ? recordOf(last) + 1 : 1,
      };
      collections.set(`${collection.db}.${collection.name}`, collection);
    }
  }

  function save(): void {
    const entries = [...collections.values()].map(({ id, db, name, uuid, options, indexes }) => ({
      id,
      db,
      name,
      uuid,
      options,
      indexes: indexes.map((one) => ({
        id: one.id,
        name: one.name,
        key: one.key,
        unique: one.unique,
        sparse: one.sparse,
        multikey: one.multikey,
        ...(one.partial && { partialFilterExpression: one.partial }),
      })),
    }));
    catalog.putSync('catalog', encode({ version: formatVersion, nextId, collections: entries }));
  }

  start();

  const mark = (key: Buffer) => {
    if (openTransactions > 0) changedAt.set(key.toString('latin1'), sequence + 1);
  };

  return {
    /**
     * Runs writes as one durable commit. Whatever `work` throws undoes all of it.
     * @throws StoreError `OutOfDiskSpace` when it could not be written: nothing was
     */
    commit<T>(work: () => T): T {
      try {
        const result = root.transactionSync(work) as T;
        sequence += 1;
        return result;
      } catch (error) {
        load();
        throw error;
      }
    },

    collection: (db: string, name: string): Collection | undefined => collections.get(`${db}.${name}`),
    collectionsOf: (db: string): Collection[] => [...collections.values()].filter((one) => one.db === db),
    databases: (): string[] => [...new Set([...collections.values()].map(({ db }) => db))],

    create(db: string, name: string, options: Doc, uuid: string): Collection {
      const id = nextId;
      nextId += 2;
      const collection: Collection = {
        id,
        db,
        name,
        uuid,
        options,
        indexes: [indexFrom(id + 1, { name: '_id_', key: { _id: 1 }, unique: true })],
        nextRecord: 1,
      };
      collections.set(`${db}.${name}`, collection);
      save();
      return collection;
    },

    drop(collection: Collection): void {
      collections.delete(`${collection.db}.${collection.name}`);
      for (const key of docs.getKeys({ start: docKey(collection.id, 0), end: docKey(collection.id + 1, 0) }))
        docs.removeSync(Buffer.from(key));
      for (const one of collection.indexes) removeIndexEntries(one);
      save();
    },

    addIndex(collection: Collection, spec: Doc): Index {
      const added = indexFrom(nextId, spec);
      nextId += 1;
      for (const { record, doc } of this.scanAll(collection, undefined)) {
        if (isArrayIn(added, doc)) added.multikey = true;
        for (const key of keysOf(added, doc)) {
          const rival = added.unique ? this.find(key, undefined) : undefined;
          if (rival !== undefined && rival !== record)
            throw new StoreError(
              11000,
              'DuplicateKey',
              `E11000 duplicate key error collection: ${collection.db}.${collection.name} index: ${added.name}`,
              { keyPattern: added.key },
            );
          index.putSync(Buffer.concat([key, recordSuffix(record)]), empty);
        }
      }
      collection.indexes.push(added);
      save();
      return added;
    },

    removeIndex(collection: Collection, name: string): void {
      const gone = collection.indexes.find((one) => one.name === name);
      if (!gone) return;
      removeIndexEntries(gone);
      collection.indexes = collection.indexes.filter((one) => one !== gone);
      save();
    },

    read(collection: Collection, record: number, reader: Reader): { raw: Buffer; doc: Doc } | null {
      const bytes = docs.get(docKey(collection.id, record), reader ? { transaction: reader } : undefined);
      return bytes ? unpack(collection, record, bytes) : null;
    },

    *scanAll(collection: Collection, reader: Reader): Generator<{ record: number; raw: Buffer; doc: Doc }> {
      const range = docs.getRange({
        start: docKey(collection.id, 0),
        end: docKey(collection.id + 1, 0),
        ...(reader && { transaction: reader }),
      });
      for (const { key, value } of range) {
        const record = recordOf(Buffer.from(key));
        yield { record, ...unpack(collection, record, Buffer.from(value)) };
      }
    },

    /** The index keys in a range, in order; `end` is left out. */
    *scanKeys(
      start: Buffer,
      end: Buffer | null,
      reverse: boolean,
      reader: Reader,
    ): Generator<{ key: Buffer; record: number }> {
      const limit = end ?? Buffer.alloc(64, 0xff);
      // LMDB walks down from `start`, which it takes in, to `end`, which it leaves out: swap, and skip what lies outside.
      const bounds = reverse ? { start: limit, end: start, reverse: true } : { start, end: limit };
      for (const found of index.getKeys({ ...bounds, ...(reader && { transaction: reader }) })) {
        const key = Buffer.from(found);
        if (reverse && Buffer.compare(key, limit) >= 0) continue;
        yield { key, record: recordOf(key) };
      }
      if (!reverse) return;
      for (const found of index.getKeys({ start, limit: 1, ...(reader && { transaction: reader }) })) {
        if (Buffer.compare(Buffer.from(found), start) === 0)
          yield { key: Buffer.from(found), record: recordOf(Buffer.from(found)) };
      }
    },

    /** The record that holds exactly this key, if any. */
    find(key: Buffer, reader: Reader): number | undefined {
      for (const found of index.getKeys({
        start: key,
        end: after(key) ?? Buffer.alloc(64, 0xff),
        limit: 1,
        ...(reader && { transaction: reader }),
      })) {
        const bytes = Buffer.from(found);
        if (bytes.length === key.length + 8) return recordOf(bytes);
      }
      return undefined;
    },

    /** Writes a document and its index entries, inside a commit. Unique keys were checked before. */
    put(collection: Collection, record: number, doc: Doc, before: Doc | null): void {
      const key = docKey(collection.id, record);
      const raw = encode(doc);
      const bytes = Buffer.allocUnsafe(raw.length + 4);
      bytes.writeUInt32BE(crc32(raw), 0);
      raw.copy(bytes, 4);
      docs.putSync(key, bytes);
      mark(key);
      for (const one of collection.indexes) {
        if (before && isUntouched(one, before, doc)) continue;
        const now = keysOf(one, doc);
        if (!one.multikey && isArrayIn(one, doc)) {
          one.multikey = true;
          save();
        }
        const old = before ? keysOf(one, before) : [];
        const suffix = recordSuffix(record);
        const same = (left: Buffer) => (right: Buffer) => left.equals(right);
        for (const entry of old) if (!now.some(same(entry))) index.removeSync(Buffer.concat([entry, suffix]));
        for (const entry of now)
          if (!old.some(same(entry))) index.putSync(Buffer.concat([entry, suffix]), empty);
      }
    },

    remove(collection: Collection, record: number, doc: Doc): void {
      const key = docKey(collection.id, record);
      docs.removeSync(key);
      mark(key);
      const suffix = recordSuffix(record);
      for (const one of collection.indexes)
        for (const entry of keysOf(one, doc)) index.removeSync(Buffer.concat([entry, suffix]));
    },

    takeRecord(collection: Collection): number {
      collection.nextRecord += 1;
      return collection.nextRecord - 1;
    },

    /** A view that stays as it is now, until `done`. */
    snapshot() {
      openTransactions += 1;
      const reader = root.useReadTransaction();
      const at = sequence;
      return {
        reader,
        changedSince: (collection: Collection, record: number) =>
          (changedAt.get(docKey(collection.id, record).toString('latin1')) ?? 0) > at,
        done() {
          reader.done();
          openTransactions -= 1;
          if (openTransactions === 0) changedAt.clear();
        },
      };
    },

    note: {
      get: (key: string): Doc | null => {
        const bytes = catalog.get(key);
        return bytes ? decode(bytes) : null;
      },
      put: (key: string, doc: Doc): void => void catalog.putSync(key, encode(doc)),
    },

    stats: (): Doc => root.getStats() as Doc,
    backup: (to: string): Promise<void> => root.backup(to, false),
    close: (): Promise<void> => root.close(),
  };

  function removeIndexEntries(gone: Index): void {
    const start = gone.prefix;
    for (const key of index.getKeys({ start, end: after(start)! })) index.removeSync(Buffer.from(key));
  }

  function unpack(collection: Collection, record: number, bytes: Buffer): { raw: Buffer; doc: Doc } {
    const raw = bytes.subarray(4);
    if (crc32(raw) !== bytes.readUInt32BE(0))
      throw new StoreError(
        5002,
        'StoreCorrupt',
        `store_corrupt: ${collection.db}.${collection.name}, record ${record}: the checksum does not fit`,
      );
    return { raw, doc: decode(raw) };
  }
}

export type Storage = ReturnType<typeof openStorage>;
