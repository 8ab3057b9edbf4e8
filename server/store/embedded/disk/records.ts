import { Int32 } from 'bson';
import { decode } from '../bson/decode.js';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import { duplicateKey, StoreError } from '../errors.js';
import { type DocumentKeys, keysOf as documentKeys, type KeyedIndex } from '../index/keys.js';
import { pathOf } from '../values/path.js';
import { type Catalog, type Collection, type Index, namespaceOf } from './catalog.js';
import {
  append,
  read,
  readEntries,
  readKeys,
  remove,
  type Snapshot,
  type Table,
  write,
  writeNew,
} from './environment.js';
import { ChecksumError, dictionaryOf, pack, unpack } from './record.js';

/**
 * Documents and their index entries. A document lies under its record's number; an index entry is the key's bytes,
 * followed by the record's number where several documents may share a key, else with it as the value.
 */

const numberBytes = 6;
const empty = Buffer.alloc(0);
/** So many documents tell what a collection's documents have in common. */
const dictionaryAfter = 64;
const chunk = 256;
const largestDocument = 16 * 1024 * 1024;

export function recordKey(record: number): Buffer {
  const key = Buffer.allocUnsafe(numberBytes);
  key.writeUIntBE(record, 0, numberBytes);
  return key;
}

const numberAtEnd = (bytes: Buffer): number => bytes.readUIntBE(bytes.length - numberBytes, numberBytes);

/** A document as it was found; decoded when somebody looks into it. */
export class Found {
  #doc: Doc | null;
  #raw: Buffer | null;
  constructor(
    readonly record: number,
    raw: Buffer | null,
    doc: Doc | null = null,
  ) {
    this.#raw = raw;
    this.#doc = doc;
  }
  get raw(): Buffer {
    this.#raw ??= encode(this.#doc!);
    return this.#raw;
  }
  get doc(): Doc {
    this.#doc ??= decode(this.#raw!);
    return this.#doc;
  }
}

function open(catalog: Catalog, collection: Collection, record: number, stored: Buffer): Buffer {
  try {
    return unpack(stored, {
      get: (id) =>
        collection.dictionary?.id === id ? collection.dictionary.prepared : catalog.dictionary(id),
    });
  } catch (error) {
    if (!(error instanceof ChecksumError || error instanceof StoreError || error instanceof Error))
      throw error;
    throw new StoreError(
      5002,
      'StoreCorrupt',
      `store_corrupt: ${namespaceOf(collection)}, record ${record}: ${error.message}`,
    );
  }
}

/** @throws StoreError `StoreCorrupt` when what lies there is not what was written */
export function readRecord(
  catalog: Catalog,
  collection: Collection,
  record: number,
  snapshot: Snapshot | null,
): Found | null {
  const stored = read(collection.records, recordKey(record), snapshot);
  return stored ? new Found(record, open(catalog, collection, record, stored)) : null;
}

/** Where a long reading stands: its snapshot may be another after a pause. */
export interface Reader {
  readonly snapshot: Snapshot | null;
}

/** All documents, in the order they were first written, or against it. */
export function* scanRecords(
  catalog: Catalog,
  collection: Collection,
  reader: Reader,
  reverse = false,
): Generator<Found> {
  let last: Buffer | null = null;
  let limit = 16;
  for (;;) {
    const entries = readEntries(
      collection.records,
      { ...(last && { start: last, after: true }), reverse, limit },
      reader.snapshot,
    );
    for (const { key, value } of entries) {
      const record = numberAtEnd(key);
      yield new Found(record, open(catalog, collection, record, value));
    }
    if (entries.length < limit) return;
    last = Buffer.from(entries.at(-1)!.key);
    limit = chunk;
  }
}

export interface KeyRange {
  start: Buffer;
  /** Left out; null: to the end. */
  end: Buffer | null;
  /** `start` is a whole key: in a unique index one document has it, or none. */
  isKey?: boolean;
}

export interface Entry {
  key: Buffer;
  record: number;
}

function entriesOf(index: Index, range: Parameters<typeof readKeys>[1], snapshot: Snapshot | null): Entry[] {
  if (index.unique)
    return readEntries(index.table, range, snapshot).map(({ key, value }) => ({
      key,
      record: numberAtEnd(value),
    }));
  return readKeys(index.table, range, snapshot).map((key) => ({
    key: key.subarray(0, key.length - numberBytes),
    record: numberAtEnd(key),
  }));
}

/** The entries of a range in the index's order, or against it. */
export function* scanIndex(
  index: Index,
  range: KeyRange,
  reverse: boolean,
  reader: Reader,
): Generator<Entry> {
  if (index.unique && range.isKey) {
    const record = holderOf(index, range.start, reader.snapshot);
    if (record !== undefined) yield { key: range.start, record };
    return;
  }
  let bounds = reverse
    ? {
        ...(range.end && { start: range.end, after: true }),
        ...(range.start.length > 0 && { end: range.start, through: true }),
        reverse: true,
      }
    : { ...(range.start.length > 0 && { start: range.start }), ...(range.end && { end: range.end }) };
  let limit = 16;
  for (;;) {
    const entries = entriesOf(index, { ...bounds, limit }, reader.snapshot);
    yield* entries;
    if (entries.length < limit) return;
    const { key, record } = entries.at(-1)!;
    const last = index.unique ? key : Buffer.concat([key, recordKey(record)]);
    bounds = { ...bounds, start: Buffer.from(last), after: true };
    limit = chunk;
  }
}

const none: DocumentKeys = { keys: [], isScattered: false };
const shapes = new WeakMap<Index, KeyedIndex>();

function shapeOf(index: Index): KeyedIndex {
  const known = shapes.get(index);
  if (known) return known;
  const { fields, collate } = index;
  const shape = { fields, collate, paths: fields.map(({ name }) => pathOf(name)) };
  shapes.set(index, shape);
  return shape;
}

const entriesFor = (index: Index, doc: Doc): DocumentKeys =>
  index.admits(doc) ? documentKeys(shapeOf(index), doc) : none;

/** The keys under which a document stands in an index: one, or one an element of an array. */
export const keysOf = (index: Index, doc: Doc): Buffer[] => entriesFor(index, doc).keys;

/** Whether an update left everything alone that an index reads: then its entries stand as they are. */
export const isUntouched = (index: Index, before: Doc, after: Doc): boolean =>
  !index.partial && index.fields.every(({ path }) => isSame(before.get(path[0]!), after.get(path[0]!)));

/** Whether two values are surely one: what it takes to compare others may cost more than their keys. */
const isSame = (left: Value | undefined, right: Value | undefined): boolean =>
  left === right ||
  (left instanceof Date && right instanceof Date && left.getTime() === right.getTime()) ||
  (left instanceof Int32 && right instanceof Int32 && left.value === right.value);

/** The record that holds a unique key. */
export function holderOf(index: Index, key: Buffer, snapshot: Snapshot | null): number | undefined {
  const value = read(index.table, key, snapshot);
  return value ? numberAtEnd(value) : undefined;
}

export const clash = (collection: Collection, index: Index, doc: Doc): StoreError =>
  duplicateKey(
    namespaceOf(collection),
    index.name,
    index.key,
    new Map(index.fields.map(({ name, path }) => [name, valueFor(doc, path)])),
    index.collate !== undefined,
  );

function valueFor(doc: Doc, path: string[]): Value {
  let at: Value | undefined = doc;
  for (const step of path) {
    at = at instanceof Map ? at.get(step) : undefined;
    if (at === undefined) return null;
  }
  return at ?? null;
}

function checkSize(raw: Buffer): void {
  if (raw.length > largestDocument)
    throw new StoreError(
      10334,
      'BSONObjectTooLarge',
      `object to insert too large. size in bytes: ${raw.length}, max size: ${largestDocument}`,
    );
}

/**
 * Writes a document in the place of `before`, and its index entries, inside a commit; nothing is written when a unique
 * key is another's.
 *
 * @throws StoreError `DuplicateKey` (11000)
 */
export function replaceRecord(
  catalog: Catalog,
  collection: Collection,
  record: number,
  doc: Doc,
  before: Doc,
  raw: Buffer = encode(doc),
): void {
  checkSize(raw);
  const changes: { index: Index; now: Buffer[]; old: Buffer[]; isScattered: boolean }[] = [];
  for (const index of collection.indexes) {
    if (isUntouched(index, before, doc)) continue;
    const { keys: now, isScattered } = entriesFor(index, doc);
    const old = keysOf(index, before);
    if (index.unique)
      for (const key of now) {
        const holder = holderOf(index, key, null);
        if (holder !== undefined && holder !== record) throw clash(collection, index, doc);
      }
    changes.push({ index, now, old, isScattered });
  }
  write(collection.records, recordKey(record), pack(raw, collection.dictionary ?? undefined));
  let isChanged = false;
  for (const { index, now, old, isScattered } of changes) {
    if (isScattered) isChanged = scatter(index) || isChanged;
    moveEntries(index, record, now, old);
  }
  if (isChanged) catalog.save(collection);
}

/**
 * Writes a new document and its index entries, inside a commit; nothing is written when a unique key is another's.
 *
 * @throws StoreError `DuplicateKey` (11000)
 */
export function insertRecord(
  catalog: Catalog,
  collection: Collection,
  record: number,
  doc: Doc,
  raw: Buffer = encode(doc),
): void {
  checkSize(raw);
  const { indexes, records } = collection;
  const number = recordKey(record);
  const entries = indexes.map((index) => entriesFor(index, doc));
  takeKeys(collection, entries, doc, number);
  let isChanged = false;
  for (let n = 0; n < indexes.length; n += 1) {
    const index = indexes[n]!;
    const { keys, isScattered } = entries[n]!;
    if (!index.unique) for (const key of keys) write(index.table, Buffer.concat([key, number]), empty);
    if (isScattered) isChanged = scatter(index) || isChanged;
  }
  const { dictionary } = collection;
  const stored = pack(raw, dictionary ?? undefined);
  if (!append(records, number, stored)) write(records, number, stored);
  if (isChanged) catalog.save(collection);
  if (!dictionary && record >= dictionaryAfter) adoptDictionary(catalog, collection);
}

/** Writes the keys of unique indexes; of a document that cannot have all of its own, none. */
function takeKeys(collection: Collection, entries: readonly DocumentKeys[], doc: Doc, number: Buffer): void {
  const { indexes } = collection;
  for (let n = 0; n < indexes.length; n += 1) {
    const index = indexes[n]!;
    if (!index.unique) continue;
    const { keys } = entries[n]!;
    for (let at = 0; at < keys.length; at += 1) {
      if (writeNew(index.table, keys[at]!, number)) continue;
      for (const key of keys.slice(0, at)) remove(index.table, key);
      for (let m = 0; m < n; m += 1)
        if (indexes[m]!.unique) for (const key of entries[m]!.keys) remove(indexes[m]!.table, key);
      throw clash(collection, index, doc);
    }
  }
}

/** @returns whether this is new */
function scatter(index: Index): boolean {
  const isNew = !index.multikey;
  index.multikey = true;
  return isNew;
}

function moveEntries(index: Index, record: number, now: Buffer[], old: Buffer[]): void {
  const number = recordKey(record);
  for (const key of old) {
    if (now.some((one) => one.equals(key))) continue;
    remove(index.table, index.unique ? key : Buffer.concat([key, number]));
  }
  for (const key of now) {
    if (old.some((one) => one.equals(key))) continue;
    if (index.unique) write(index.table, key, number);
    else write(index.table, Buffer.concat([key, number]), empty);
  }
}

function adoptDictionary(catalog: Catalog, collection: Collection): void {
  const samples = readEntries(collection.records, { reverse: true, limit: 24 }, null).map(({ key, value }) =>
    Buffer.from(open(catalog, collection, numberAtEnd(key), value)),
  );
  const bytes = dictionaryOf(samples);
  if (bytes.length > 0) catalog.adopt(collection, bytes);
}

export function removeRecord(collection: Collection, record: number, doc: Doc): void {
  remove(collection.records, recordKey(record));
  for (const index of collection.indexes) moveEntries(index, record, [], keysOf(index, doc));
}

export function takeRecord(collection: Collection): number {
  collection.nextRecord += 1;
  return collection.nextRecord - 1;
}

/** Fills a new index from what its collection holds, inside a commit. @throws StoreError `DuplicateKey` */
export function fillIndex(catalog: Catalog, collection: Collection, index: Index): void {
  for (const { record, doc } of scanRecords(catalog, collection, { snapshot: null })) {
    const { keys, isScattered } = entriesFor(index, doc);
    if (index.unique)
      for (const key of keys) {
        const holder = holderOf(index, key, null);
        if (holder !== undefined && holder !== record) throw clash(collection, index, doc);
      }
    if (isScattered) index.multikey = true;
    moveEntries(index, record, keys, []);
  }
  catalog.save(collection);
}

/** How many entries a table has, as of the last commit. */
export const countOf = (table: Table): number =>
  (table.db.getStats() as { entryCount?: number }).entryCount ?? 0;
