import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Document, Double, EJSON, Long } from 'bson';
import mongoose from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { decode } from './embedded/bson/decode.js';
import { Opaque, type Value } from './embedded/bson/types.js';

/**
 * The store as `mongodump` lays it out: `DIR/<database>/<collection>.bson`, documents one after another, and
 * `<collection>.metadata.json` with options and indexes. The way to a MongoDB, and back.
 */

export interface Dumped {
  collection: string;
  documents: number;
  /** SHA-256 over all documents' bytes in the order of their `_id`. */
  checksum: string;
}

const batchDocuments = 1_000;
const batchBytes = 8 * 1024 * 1024;
const largestDocument = 16 * 1024 * 1024 + 16 * 1024;

const database = () => {
  const { db } = mongoose.connection;
  if (!db) throw new AppError('store_unavailable', { problem: 'not connected' });
  return db;
};

/** Writes all collections to a folder that is not there yet, or empty. */
export async function dump(directory: string, progress: (text: string) => void): Promise<Dumped[]> {
  const db = database();
  const folder = join(directory, db.databaseName);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new AppError('bad_request', { field: 'DIR', problem: `${folder} is not empty` });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const done: Dumped[] = [];
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();
  for (const name of names) {
    progress(name);
    done.push(await dumpOne(folder, name, progress));
  }
  return done;
}

async function dumpOne(folder: string, name: string, progress: (text: string) => void): Promise<Dumped> {
  const collection = database().collection(name);
  const [info] = await database().listCollections({ name }).toArray();
  const indexes = await collection.listIndexes().toArray();
  const uuid = (info as { info?: { uuid?: { toString(encoding: string): string } } } | undefined)?.info?.uuid;
  const metadata = {
    options: (info as { options?: Document } | undefined)?.options ?? {},
    indexes,
    uuid: uuid?.toString('hex') ?? '',
    collectionName: name,
    type: 'collection',
  };
  writeFileSync(join(folder, `${name}.metadata.json`), EJSON.stringify(metadata, { relaxed: false }), {
    mode: 0o600,
  });
  const out = createWriteStream(join(folder, `${name}.bson`), { mode: 0o600 });
  const hash = createHash('sha256');
  let documents = 0;
  for await (const row of collection.find({}, { raw: true, sort: { _id: 1 } })) {
    const bytes = row as unknown as Buffer;
    hash.update(bytes);
    documents += 1;
    if (documents % batchDocuments === 0) progress(`${name}: ${documents}`);
    if (!out.write(bytes)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return { collection: name, documents, checksum: hash.digest('hex') };
}

/** Documents of a file, as their bytes. @throws AppError for a file that ends within one */
async function* documentsIn(path: string): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    held = held.length === 0 ? (chunk as Buffer) : Buffer.concat([held, chunk as Buffer]);
    for (;;) {
      if (held.length < 4) break;
      const length = held.readInt32LE(0);
      if (length < 5 || length > largestDocument) throw broken(path, `a document of ${length} bytes`);
      if (held.length < length) break;
      yield held.subarray(0, length);
      held = held.subarray(length);
    }
  }
  if (held.length > 0) throw broken(path, 'it ends within a document');
}

const broken = (path: string, problem: string) => new AppError('bad_request', { field: path, problem });

/** Reads a dump into collections that are not there yet. Options and indexes come before the documents. */
export async function load(directory: string, progress: (text: string) => void): Promise<Dumped[]> {
  const db = database();
  const folder = existsSync(join(directory, db.databaseName)) ? join(directory, db.databaseName) : directory;
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.bson'))
    .map((file) => file.slice(0, -'.bson'.length))
    .sort();
  if (names.length === 0) throw broken(folder, 'no *.bson in it');
  const done: Dumped[] = [];
  for (const name of names) {
    if ((await db.collection(name).estimatedDocumentCount()) > 0)
      throw new AppError('conflict', { problem: `the collection ${name} holds documents already` });
    done.push(await loadOne(folder, name, progress));
  }
  return done;
}

async function loadOne(folder: string, name: string, progress: (text: string) => void): Promise<Dumped> {
  const db = database();
  const metadataFile = join(folder, `${name}.metadata.json`);
  const metadata = existsSync(metadataFile)
    ? (EJSON.parse(readFileSync(metadataFile, 'utf8')) as Document)
    : {};
  const present = await db.listCollections({ name }, { nameOnly: true }).toArray();
  if (present.length === 0) await db.createCollection(name, metadata.options as Document);
  const indexes = ((metadata.indexes ?? []) as Document[]).filter((one) => one.name !== '_id_');
  if (indexes.length > 0)
    await db.command({ createIndexes: name, indexes: indexes.map(({ ns: _, ...index }) => index) });
  const hash = createHash('sha256');
  let documents = 0;
  let batch: Buffer[] = [];
  let bytes = 0;
  const flush = async () => {
    if (batch.length > 0) await insertRaw(name, batch);
    batch = [];
    bytes = 0;
  };
  for await (const one of documentsIn(join(folder, `${name}.bson`))) {
    hash.update(one);
    documents += 1;
    batch.push(one);
    bytes += one.length;
    if (batch.length >= batchDocuments || bytes >= batchBytes) {
      await flush();
      progress(`${name}: ${documents}`);
    }
  }
  await flush();
  return { collection: name, documents, checksum: hash.digest('hex') };
}

/** As the driver writes it back byte for byte: doubles and longs say what they are, and maps keep any order of names. */
function typed(value: Value): unknown {
  if (typeof value === 'number') return new Double(value);
  if (typeof value === 'bigint') return Long.fromBigInt(value);
  if (Array.isArray(value)) return value.map(typed);
  if (value instanceof Map) return new Map([...value].map(([name, one]) => [name, typed(one)]));
  if (value instanceof Opaque)
    throw new AppError('bad_request', {
      field: 'documents',
      problem: `values of BSON's old type ${value.type} cannot be imported`,
    });
  return value;
}

async function insertRaw(name: string, batch: Buffer[]): Promise<void> {
  const documents = batch.map((one) => typed(decode(one)) as Document);
  await database().collection(name).insertMany(documents, { ordered: true, forceServerObjectId: true });
}
