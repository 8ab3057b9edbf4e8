import { Int32 } from 'bson';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import { type Collection, type Index, indexFrom } from '../disk/catalog.js';
import { fillIndex } from '../disk/records.js';
import * as read from '../engine/command.js';
import {
  type Answer,
  type Context,
  collectionForWrite,
  collectionName,
  dbOf,
  findCollection,
  noteChange,
} from '../engine/context.js';
import { listSource } from '../engine/cursors.js';
import { StoreError } from '../errors.js';
import { equals } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { ownerOf } from './reading.js';

/** Indexes: made, dropped, hidden, listed. */

const mostIndexes = 64;
const specFields = new Set([
  'key',
  'name',
  'unique',
  'sparse',
  'partialFilterExpression',
  'expireAfterSeconds',
  'collation',
  'hidden',
  'background',
  'v',
  'ns',
  'prepareUnique',
  'clustered',
  'storageEngine',
]);
const otherKinds = new Set(['text', '2d', '2dsphere', 'hashed', 'geoHaystack', 'columnstore']);

const cannot = (message: string) => new StoreError(67, 'CannotCreateIndex', message);
const invalid = (message: string) => new StoreError(197, 'InvalidIndexSpecificationOption', message);

function checkKey(key: Doc): void {
  if (key.size === 0) throw cannot('Index keys cannot be an empty object');
  for (const [name, direction] of key) {
    if (name === '' || name.startsWith('.') || name.endsWith('.') || name.includes('..'))
      throw cannot('Index keys cannot contain an empty field');
    if (name.includes('$') && !/(^|\.)\$(id|ref|db)$/.test(name))
      throw cannot(`Index key contains an illegal field name: '${name}'`);
    if (typeof direction === 'string')
      throw otherKinds.has(direction)
        ? cannot(`indexes of kind '${direction}' are not supported by this store`)
        : cannot(`Unknown index plugin '${direction}'`);
    if (name === '$**' || name.endsWith('.$**'))
      throw cannot('wildcard indexes are not supported by this store');
    if (!isNumber(direction) || toDouble(direction) === 0 || Number.isNaN(toDouble(direction)))
      throw cannot('Values in v:2 index key pattern cannot be of a type other than a number other than 0');
  }
}

const nameFor = (key: Doc): string =>
  [...key]
    .map(([field, direction]) => `${field}_${isNumber(direction) ? toDouble(direction) : String(direction)}`)
    .join('_');

/** As it is kept and listed. @throws StoreError for what is no index of this store */
function normalised(spec: Doc, collection: Collection): Doc {
  for (const field of spec.keys())
    if (!specFields.has(field))
      throw invalid(`The field '${field}' is not valid for an index specification.`);
  const key = read.requiredDoc(spec, 'key');
  checkKey(key);
  const name = read.optionalText(spec, 'name') ?? nameFor(key);
  if (name === '' || name === '*') throw cannot(`The index name '${name}' is not valid.`);
  const made = new Map<string, Value>([
    ['v', new Int32(2)],
    ['key', key],
    ['name', name],
  ]);
  if (read.flag(spec, 'unique')) made.set('unique', true);
  if (read.flag(spec, 'sparse')) made.set('sparse', true);
  if (read.flag(spec, 'hidden')) made.set('hidden', true);
  const partial = read.optionalDoc(spec, 'partialFilterExpression');
  if (partial) {
    if (made.has('sparse')) throw cannot('cannot mix "partialFilterExpression" and "sparse" options');
    made.set('partialFilterExpression', partial);
  }
  const expiry = read.optionalNumber(spec, 'expireAfterSeconds');
  if (expiry !== undefined) {
    if (!(expiry >= 0 && expiry <= 2_147_483_647) || key.size !== 1 || key.has('_id'))
      throw cannot(
        'TTL indexes are single-field indexes with an expireAfterSeconds between 0 and 2147483647, and not on _id',
      );
    made.set('expireAfterSeconds', spec.get('expireAfterSeconds')!);
  }
  const collation = read.optionalDoc(spec, 'collation') ?? collection.options.get('collation');
  if (collation instanceof Map && collation.get('locale') !== 'simple') made.set('collation', collation);
  return made;
}

const sameOptions = (left: Doc, right: Doc): boolean =>
  equals(
    new Map([...left].filter(([field]) => field !== 'name').sort()),
    new Map([...right].filter(([field]) => field !== 'name').sort()),
  );

/** The index a specification would only repeat. @throws StoreError when it contradicts one */
function presentIndex(collection: Collection, spec: Doc): Index | undefined {
  const name = spec.get('name') as string;
  const sameName = collection.indexes.find((one) => one.name === name);
  if (sameName) {
    if (!equals(sameName.key, spec.get('key')!))
      throw new StoreError(
        86,
        'IndexKeySpecsConflict',
        `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${name}`,
      );
    if (!sameOptions(sameName.spec, spec) && name !== '_id_')
      throw new StoreError(
        86,
        'IndexKeySpecsConflict',
        `An existing index has the same name as the requested index but other options: ${name}`,
      );
    return sameName;
  }
  const sameKey = collection.indexes.find(
    (one) =>
      equals(one.key, spec.get('key')!) &&
      equals(one.spec.get('collation') ?? null, spec.get('collation') ?? null) &&
      equals(one.partial ?? null, spec.get('partialFilterExpression') ?? null),
  );
  if (sameKey && sameKey.name !== '_id_')
    throw new StoreError(
      85,
      'IndexOptionsConflict',
      `Index already exists with a different name: ${sameKey.name}`,
    );
  return sameKey;
}

const createFields = new Set(['indexes', 'commitQuorum', 'ignoreUnknownIndexOptions', 'v']);

export async function createIndexes(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'createIndexes', createFields);
  const specs = read.docs(command, 'indexes');
  if (specs.length === 0) throw new StoreError(2, 'BadValue', 'Must specify at least one index to create');
  const { database, transaction } = context;
  const isNew = findCollection(command, context) === undefined;
  const collection = await collectionForWrite(context, dbOf(command), collectionName(command));
  if (transaction) {
    const before = collection.indexes.length;
    for (const spec of specs.map((one) => normalised(one, collection)))
      if (!presentIndex(collection, spec) && !transaction.addIndex(collection, spec))
        throw new StoreError(
          263,
          'OperationNotSupportedInTransaction',
          `Cannot create new indexes on existing collection ${collection.db}.${collection.name} in a multi-document transaction.`,
        );
    return {
      numIndexesBefore: new Int32(before),
      numIndexesAfter: new Int32(collection.indexes.length),
      createdCollectionAutomatically: isNew,
      ok: 1,
    };
  }
  return database.define(() => {
    const before = collection.indexes.length;
    const wanted = specs.map((spec) => normalised(spec, collection));
    const added: Index[] = [];
    for (const spec of wanted) {
      if (presentIndex(collection, spec)) continue;
      if (collection.indexes.length >= mostIndexes)
        throw new StoreError(
          67,
          'CannotCreateIndex',
          `add index fails, too many indexes for ${collection.db}.${collection.name}`,
        );
      // Tried before it is made: a filter or a collation that is none leaves nothing behind.
      indexFrom(collection.records, spec, false);
      added.push(database.catalog.addIndex(collection, spec));
    }
    for (const one of added) fillIndex(database.catalog, collection, one);
    for (const one of added)
      noteChange(context, {
        kind: 'createIndexes',
        db: collection.db,
        name: collection.name,
        uuid: collection.uuid,
        detail: { indexes: [one.spec] },
      });
    return {
      numIndexesBefore: new Int32(before),
      numIndexesAfter: new Int32(collection.indexes.length),
      createdCollectionAutomatically: isNew,
      ...(added.length === 0 && { note: 'all indexes already exist' }),
      ok: 1,
    };
  });
}

const dropFields = new Set(['index', 'collectionUUID']);

export async function dropIndexes(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'dropIndexes', dropFields);
  const { database } = context;
  return database.define(() => {
    const collection = findCollection(command, context);
    if (!collection)
      throw new StoreError(
        26,
        'NamespaceNotFound',
        `ns not found ${dbOf(command)}.${collectionName(command)}`,
      );
    const before = collection.indexes.length;
    for (const gone of named(collection, command.get('index'))) {
      database.catalog.removeIndex(collection, gone);
      noteChange(context, {
        kind: 'dropIndexes',
        db: collection.db,
        name: collection.name,
        uuid: collection.uuid,
        detail: { indexes: [gone.spec] },
      });
    }
    return { nIndexesWas: new Int32(before), ok: 1 };
  });
}

function named(collection: Collection, wanted: Value | undefined): Index[] {
  if (wanted === '*') return collection.indexes.filter(({ name }) => name !== '_id_');
  if (Array.isArray(wanted)) return wanted.flatMap((one) => named(collection, one));
  const found =
    typeof wanted === 'string'
      ? collection.indexes.find(({ name }) => name === wanted)
      : wanted instanceof Map
        ? collection.indexes.find(({ key }) => equals(key, wanted))
        : undefined;
  if (!found)
    throw new StoreError(
      27,
      'IndexNotFound',
      typeof wanted === 'string' ? `index not found with name [${wanted}]` : "can't find index with key",
    );
  if (found.name === '_id_') throw new StoreError(72, 'InvalidOptions', 'cannot drop _id index');
  return [found];
}

/** `collMod` of an index: hidden or not, and when its documents expire. */
export function changeIndex(collection: Collection, wanted: Doc): Record<string, Value> {
  const found = wanted.has('name')
    ? collection.indexes.find(({ name }) => name === wanted.get('name'))
    : collection.indexes.find(({ key }) => equals(key, wanted.get('keyPattern') ?? null));
  if (!found) throw new StoreError(27, 'IndexNotFound', 'cannot find the index for collMod');
  for (const field of ['unique', 'prepareUnique'])
    if (wanted.has(field))
      throw new StoreError(
        72,
        'InvalidOptions',
        `changing '${field}' of an index is not supported by this store`,
      );
  const changes: Record<string, Value> = {};
  const spec = new Map(found.spec);
  if (wanted.has('hidden')) {
    if (found.name === '_id_') throw new StoreError(2, 'BadValue', "can't hide _id index");
    changes.hidden_old = found.hidden;
    found.hidden = read.flag(wanted, 'hidden');
    changes.hidden_new = found.hidden;
    if (found.hidden) spec.set('hidden', true);
    else spec.delete('hidden');
  }
  if (wanted.has('expireAfterSeconds')) {
    const seconds = read.count(wanted, 'expireAfterSeconds', 0);
    if (found.expireAfterSeconds !== null) changes.expireAfterSeconds_old = BigInt(found.expireAfterSeconds);
    changes.expireAfterSeconds_new = BigInt(seconds);
    found.expireAfterSeconds = seconds;
    spec.set('expireAfterSeconds', new Int32(seconds));
  }
  found.spec = spec;
  return changes;
}

const listFields = new Set(['cursor']);

export function listIndexes(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'listIndexes', listFields);
  const collection = findCollection(command, context);
  const namespace = `${dbOf(command)}.${collectionName(command)}`;
  if (!collection) throw new StoreError(26, 'NamespaceNotFound', `ns does not exist: ${namespace}`);
  const rows = collection.indexes.map(({ spec }) => encode(spec));
  return context.cursors.open(listSource(rows), namespace, {
    batchSize: read.count(read.doc(command, 'cursor'), 'batchSize', Number.MAX_SAFE_INTEGER),
    ...ownerOf(context),
  });
}

/** What only MongoDB's hosted service has, in its own words: drivers look for the name in them. */
export function searchIndexes(): Answer {
  throw new StoreError(
    31082,
    'SearchNotEnabled',
    'Search indexes are a service of Atlas: this store has none, and no $listSearchIndexes stage.',
  );
}
