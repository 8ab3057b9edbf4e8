import { randomUUID } from 'node:crypto';
import { Binary, Int32 } from 'bson';
import { decode } from '../bson/decode.js';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import { compileFilter, type Matcher } from '../query/match.js';
import { collationFrom } from '../values/collation.js';
import type { Collate } from '../values/compare.js';
import { toDouble } from '../values/numbers.js';
import { valuesAt } from '../values/path.js';
import { clear, type Environment, read, readEntries, remove, type Table, write } from './environment.js';
import { type Dictionary, prepareDictionary } from './record.js';

/**
 * Which collections and indexes there are, and which table holds what of them. Kept in memory, written with the commit
 * that changes it, read again when a commit fails.
 */

/**
 * Of the file. A newer one is refused; an older one is read as it is, and becomes this one with the first commit.
 * 2: what a commit adds to the oplog lies in blocks.
 */
export const formatVersion = 2;

export interface Index {
  readonly name: string;
  /** As `listIndexes` shows it. */
  spec: Doc;
  readonly key: Doc;
  readonly fields: { name: string; path: string[]; direction: 1 | -1 }[];
  readonly unique: boolean;
  readonly sparse: boolean;
  readonly partial: Doc | undefined;
  readonly collate: Collate | undefined;
  hidden: boolean;
  expireAfterSeconds: number | null;
  /** A document once had an array there: then one range cannot hold two bounds. */
  multikey: boolean;
  /** Whether a document stands in it at all: partial and sparse indexes leave some out. */
  readonly admits: Matcher;
  readonly table: Table;
}

export interface Collection {
  readonly number: number;
  db: string;
  name: string;
  readonly uuid: Buffer;
  options: Doc;
  indexes: Index[];
  readonly records: Table;
  nextRecord: number;
  /** What its documents have in common: they are stored as what differs from it. */
  dictionary: { id: number; prepared: Dictionary } | null;
  isDropped: boolean;
  /** When it, or its latest index, was made: a snapshot from before has no such tables. */
  definedAt: number;
}

export const namespaceOf = (collection: Collection): string => `${collection.db}.${collection.name}`;

const int = (value: Value | undefined): number => (value === undefined ? Number.NaN : toDouble(value));
const tableName = (number: number) => `t${number}`;

/** An index as it works, from what describes it. @throws StoreError when its filter or collation is none */
export function indexFrom(table: Table, spec: Doc, multikey: boolean): Index {
  const key = spec.get('key') as Doc;
  const partial = spec.get('partialFilterExpression') as Doc | undefined;
  const sparse = spec.get('sparse') === true;
  const collate = collationFrom(spec.get('collation') as Doc | undefined);
  const fields = [...key].map(([name, direction]) => ({
    name,
    path: name.split('.'),
    direction: (int(direction) < 0 ? -1 : 1) as 1 | -1,
  }));
  const matchesPartial: Matcher = partial ? compileFilter(partial, { collate }) : () => true;
  const isPresent = (doc: Doc) =>
    fields.some(({ path }) => valuesAt(doc, path).some((value) => value !== undefined));
  const admits: Matcher =
    partial || sparse ? (doc) => matchesPartial(doc) && (!sparse || isPresent(doc)) : () => true;
  const expiry = spec.get('expireAfterSeconds');
  const name = spec.get('name') as string;
  return {
    name,
    spec,
    key,
    fields,
    unique: spec.get('unique') === true || name === '_id_',
    sparse,
    partial,
    collate,
    hidden: spec.get('hidden') === true,
    expireAfterSeconds: expiry === undefined ? null : int(expiry),
    multikey,
    admits,
    table,
  };
}

const idIndexSpec = (collation: Value | undefined): Doc =>
  new Map<string, Value>([
    ['v', new Int32(2)],
    ['key', new Map<string, Value>([['_id', new Int32(1)]])],
    ['name', '_id_'],
    ...(collation === undefined ? [] : [['collation', collation] as const]),
  ]);

/** The table of what is not there yet: it has a name, and nothing to read. */
export const nowhere = (number: number, what: string): Table => ({
  name: `virtual ${number} ${what}`,
  get db(): Table['db'] {
    throw new Error('what a transaction made has no table before the commit');
  },
});

let nextVirtual = -1;

/** A collection that is not there yet: it has a number below zero, and no tables to read. */
export function virtualCollection(db: string, name: string, options: Doc): Collection {
  checkName(db, name);
  const number = nextVirtual;
  nextVirtual -= 1;
  return {
    number,
    db,
    name,
    uuid: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
    options,
    indexes: [indexFrom(nowhere(number, '_id_'), idIndexSpec(options.get('collation')), false)],
    records: nowhere(number, 'records'),
    nextRecord: 1,
    dictionary: null,
    isDropped: false,
    definedAt: 0,
  };
}

export type Catalog = ReturnType<typeof openCatalog>;

export function openCatalog(environment: Environment) {
  const table = environment.table('catalog');
  const dictionaries = environment.table('dictionaries');
  let collections = new Map<string, Collection>();
  let nextNumber = 1;
  /** What the file says of itself; null while it says nothing. */
  let format: number | null = null;
  /** Tables that dropped collections and indexes left empty. */
  let freeTables: number[] = [];
  const prepared = new Map<number, Dictionary>();
  let definitions = 0;

  const keyFor = (number: number) => Buffer.from(`c${String(number).padStart(10, '0')}`);
  const metaKey = Buffer.from('a');

  function dictionary(id: number): Dictionary {
    const known = prepared.get(id);
    if (known) return known;
    const key = Buffer.alloc(4);
    key.writeUInt32BE(id);
    const snapshot = environment.snapshot();
    const bytes = read(dictionaries, key, snapshot);
    snapshot.done();
    if (!bytes) throw new StoreError(5002, 'StoreCorrupt', `store_corrupt: dictionary ${id} is missing`);
    const made = prepareDictionary(Buffer.from(bytes));
    prepared.set(id, made);
    return made;
  }

  function load(): void {
    const before = [...collections.values()];
    collections = new Map();
    nextNumber = 1;
    freeTables = [];
    format = null;
    // A failed commit may have taken a dictionary's number with it.
    prepared.clear();
    const snapshot = environment.snapshot();
    let entries: Doc[];
    try {
      const meta = read(table, metaKey, snapshot);
      if (!meta) return;
      const saved = decode(meta);
      const version = int(saved.get('format'));
      if (version > formatVersion)
        throw new StoreError(
          5001,
          'StoreTooNew',
          `these data were written by a newer release (format ${version}, this one reads up to ${formatVersion})`,
        );
      format = version;
      nextNumber = int(saved.get('next'));
      freeTables = (saved.get('free') as Value[]).map(int);
      entries = readEntries(table, { start: Buffer.from('c'), limit: 100_000 }, snapshot).map(({ value }) =>
        decode(Buffer.from(value)),
      );
    } finally {
      snapshot.done();
    }
    // Whoever holds a collection goes on holding it: it is brought to what is on disk.
    const known = new Map(before.map((one) => [one.number, one]));
    for (const one of before) one.isDropped = true;
    for (const entry of entries) {
      const fresh = collectionFrom(entry);
      const old = known.get(fresh.number);
      const collection = old ? Object.assign(old, fresh, { definedAt: old.definedAt }) : fresh;
      collections.set(namespaceOf(collection), collection);
    }
  }

  function collectionFrom(entry: Doc): Collection {
    const number = int(entry.get('number'));
    const records = environment.table(tableName(int(entry.get('records'))));
    const dictionaryId = int(entry.get('dictionary'));
    const last = lastRecord(environment, records);
    return {
      number,
      db: entry.get('db') as string,
      name: entry.get('name') as string,
      uuid: Buffer.from((entry.get('uuid') as { buffer: Uint8Array }).buffer),
      options: entry.get('options') as Doc,
      indexes: (entry.get('indexes') as Doc[]).map((one) =>
        indexFrom(
          environment.table(tableName(int(one.get('table')))),
          one.get('spec') as Doc,
          one.get('multikey') === true,
        ),
      ),
      records,
      nextRecord: last + 1,
      dictionary: dictionaryId > 0 ? { id: dictionaryId, prepared: dictionary(dictionaryId) } : null,
      isDropped: false,
      definedAt: 0,
    };
  }

  function saveMeta(): void {
    format = formatVersion;
    write(
      table,
      metaKey,
      encode({
        format: new Int32(formatVersion),
        next: new Int32(nextNumber),
        free: freeTables.map((one) => new Int32(one)),
      }),
    );
  }

  const numberOf = (one: Table) => Number(one.name.slice(1));

  function save(collection: Collection): void {
    write(
      table,
      keyFor(collection.number),
      encode({
        number: new Int32(collection.number),
        db: collection.db,
        name: collection.name,
        uuid: new Binary(collection.uuid, 4),
        options: collection.options,
        records: new Int32(numberOf(collection.records)),
        dictionary: new Int32(collection.dictionary?.id ?? 0),
        indexes: collection.indexes.map((one) => ({
          table: new Int32(numberOf(one.table)),
          multikey: one.multikey,
          spec: one.spec,
        })),
      }),
    );
  }

  function defined(): number {
    definitions += 1;
    return definitions;
  }

  function take(): number {
    nextNumber += 1;
    return nextNumber - 1;
  }

  function takeTable(): Table {
    const number = freeTables.pop() ?? take();
    return environment.table(tableName(number));
  }

  function giveBack(one: Table): void {
    clear(one);
    freeTables.push(numberOf(one));
  }

  load();

  return {
    load,
    collection: (db: string, name: string): Collection | undefined => collections.get(`${db}.${name}`),
    collectionsOf: (db: string): Collection[] => [...collections.values()].filter((one) => one.db === db),
    all: (): Collection[] => [...collections.values()],
    byNumber: (number: number): Collection | undefined =>
      [...collections.values()].find((one) => one.number === number),
    databases: (): string[] => [...new Set([...collections.values()].map(({ db }) => db))],
    dictionary,
    /** How many collections and indexes were made since the store was opened. */
    definitions: (): number => definitions,

    /** @throws StoreError for a name that MongoDB does not allow */
    create(db: string, name: string, options: Doc): Collection {
      checkName(db, name);
      const collection: Collection = {
        number: take(),
        db,
        name,
        uuid: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
        options,
        records: takeTable(),
        indexes: [indexFrom(takeTable(), idIndexSpec(options.get('collation')), false)],
        nextRecord: 1,
        dictionary: null,
        isDropped: false,
        definedAt: defined(),
      };
      collections.set(namespaceOf(collection), collection);
      saveMeta();
      save(collection);
      return collection;
    },

    drop(collection: Collection): void {
      collections.delete(namespaceOf(collection));
      collection.isDropped = true;
      giveBack(collection.records);
      for (const one of collection.indexes) giveBack(one.table);
      remove(table, keyFor(collection.number));
      saveMeta();
    },

    rename(collection: Collection, db: string, name: string): void {
      checkName(db, name);
      collections.delete(namespaceOf(collection));
      collection.db = db;
      collection.name = name;
      collections.set(namespaceOf(collection), collection);
      save(collection);
    },

    /** An index without entries yet. */
    addIndex(collection: Collection, spec: Doc): Index {
      const added = indexFrom(takeTable(), spec, false);
      collection.definedAt = defined();
      collection.indexes = [...collection.indexes, added];
      saveMeta();
      save(collection);
      return added;
    },

    removeIndex(collection: Collection, gone: Index): void {
      collection.indexes = collection.indexes.filter((one) => one !== gone);
      giveBack(gone.table);
      saveMeta();
      save(collection);
    },

    /** Writes what was changed of a collection. */
    save,

    /** The first thing a commit does: what it writes, older releases would not understand. */
    claim(): void {
      if (format !== null && format < formatVersion) saveMeta();
    },

    /** Gives a collection the dictionary its later documents are stored with. */
    adopt(collection: Collection, bytes: Buffer): void {
      const id = take();
      const key = Buffer.alloc(4);
      key.writeUInt32BE(id);
      write(dictionaries, key, bytes);
      const made = prepareDictionary(bytes);
      prepared.set(id, made);
      collection.dictionary = { id, prepared: made };
      saveMeta();
      save(collection);
    },
  };
}

function lastRecord(environment: Environment, records: Table): number {
  const snapshot = environment.snapshot();
  const [last] = readEntries(records, { reverse: true, limit: 1 }, snapshot);
  snapshot.done();
  return last ? Buffer.from(last.key).readUIntBE(0, 6) : 0;
}

function checkName(db: string, name: string): void {
  if (db === '' || db.length > 63 || /[/\\. "$*<>:|?\0]/.test(db))
    throw new StoreError(73, 'InvalidNamespace', `Invalid database name: '${db}'`);
  if (name === '' || name.startsWith('.') || name.endsWith('.') || /[$\0]/.test(name))
    throw new StoreError(73, 'InvalidNamespace', `Invalid collection name: ${db}.${name}`);
  if (Buffer.byteLength(`${db}.${name}`) > 255)
    throw new StoreError(73, 'InvalidNamespace', `Fully qualified namespace is too long: ${db}.${name}`);
}
