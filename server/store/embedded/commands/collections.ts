import { Binary, Int32 } from 'bson';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import * as read from '../engine/command.js';
import {
  type Answer,
  type Context,
  collectionName,
  collectionNamed,
  dbOf,
  findCollection,
  noteChange,
} from '../engine/context.js';
import { listSource } from '../engine/cursors.js';
import { expressionFor } from '../engine/expressions.js';
import { StoreError } from '../errors.js';
import { compileFilter } from '../query/match.js';
import { collationFrom } from '../values/collation.js';
import { equals } from '../values/compare.js';
import { changeIndex } from './indexes.js';
import { ownerOf } from './reading.js';

/** Collections: made, dropped, renamed, changed, listed. */

const createFields = new Set([
  'capped',
  'size',
  'max',
  'autoIndexId',
  'idIndex',
  'storageEngine',
  'validator',
  'validationLevel',
  'validationAction',
  'indexOptionDefaults',
  'viewOn',
  'pipeline',
  'collation',
  'recordPreImages',
  'changeStreamPreAndPostImages',
  'timeseries',
  'clusteredIndex',
  'expireAfterSeconds',
  'encryptedFields',
  'temp',
  'flags',
]);
const refusedOptions = ['capped', 'clusteredIndex', 'timeseries', 'encryptedFields', 'expireAfterSeconds'];
const keptOptions = [
  'viewOn',
  'pipeline',
  'collation',
  'validator',
  'validationLevel',
  'validationAction',
  'changeStreamPreAndPostImages',
];

export async function create(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'create', createFields);
  const [db, name] = [dbOf(command), collectionName(command)];
  for (const field of refusedOptions) {
    const value = command.get(field);
    if (value !== undefined && value !== false && !(value instanceof Map && value.size === 0))
      throw new StoreError(
        72,
        'InvalidOptions',
        `the option '${field}' of collections is not supported by this store`,
      );
  }
  collationFrom(read.optionalDoc(command, 'collation'));
  compileFilter(read.doc(command, 'validator'), { expression: expressionFor() });
  const options: Doc = new Map(
    keptOptions.flatMap((field): [string, Value][] =>
      command.has(field) ? [[field, command.get(field)!]] : [],
    ),
  );
  const { database, transaction } = context;
  if (transaction) {
    if (collectionNamed(context, db, name))
      throw new StoreError(48, 'NamespaceExists', `Collection ${db}.${name} already exists.`);
    transaction.create(db, name, options);
    return { ok: 1 };
  }
  await database.define(() => {
    const present = database.catalog.collection(db, name);
    if (present) {
      if (equals(present.options, options)) return;
      throw new StoreError(48, 'NamespaceExists', `Collection ${db}.${name} already exists.`);
    }
    const made = database.catalog.create(db, name, options);
    noteChange(context, {
      kind: 'create',
      db,
      name,
      uuid: made.uuid,
      detail: { idIndex: made.indexes[0]!.spec, ...Object.fromEntries(options) },
    });
  });
  return { ok: 1 };
}

function dropOne(context: Context, collection: Collection): void {
  noteChange(context, {
    kind: 'drop',
    db: collection.db,
    name: collection.name,
    uuid: collection.uuid,
    detail: {},
  });
  context.database.catalog.drop(collection);
}

export async function drop(command: Doc, context: Context): Promise<Answer> {
  const [db, name] = [dbOf(command), collectionName(command)];
  const { database } = context;
  const indexes = await database.define(() => {
    const collection = database.catalog.collection(db, name);
    if (!collection) return null;
    dropOne(context, collection);
    return collection.indexes.length;
  });
  // Since 7.0 dropping what is not there is no error.
  return indexes === null ? { ok: 1 } : { nIndexesWas: new Int32(indexes), ns: `${db}.${name}`, ok: 1 };
}

export async function dropDatabase(command: Doc, context: Context): Promise<Answer> {
  const db = dbOf(command);
  const { database } = context;
  await database.define(() => {
    const collections = database.catalog.collectionsOf(db);
    if (collections.length === 0) return;
    for (const one of collections) dropOne(context, one);
    noteChange(context, { kind: 'dropDatabase', db, name: '', uuid: null, detail: {} });
  });
  return { dropped: db, ok: 1 };
}

const split = (namespace: string): [string, string] => {
  const dot = namespace.indexOf('.');
  if (dot < 1) throw new StoreError(73, 'InvalidNamespace', `Invalid namespace specified '${namespace}'`);
  return [namespace.slice(0, dot), namespace.slice(dot + 1)];
};

const renameFields = new Set(['to', 'dropTarget', 'stayTemp', 'collectionUUID']);

export async function renameCollection(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'renameCollection', renameFields);
  if (dbOf(command) !== 'admin')
    throw new StoreError(13, 'Unauthorized', 'renameCollection may only be run against the admin database.');
  const [fromDb, fromName] = split(read.text(command, 'renameCollection'));
  const [db, name] = split(read.text(command, 'to'));
  const { database } = context;
  await database.define(() => {
    const collection = database.catalog.collection(fromDb, fromName);
    if (!collection)
      throw new StoreError(26, 'NamespaceNotFound', `Source collection ${fromDb}.${fromName} does not exist`);
    const target = database.catalog.collection(db, name);
    if (target === collection)
      throw new StoreError(20, 'IllegalOperation', "Can't rename a collection to itself");
    if (target && !read.flag(command, 'dropTarget'))
      throw new StoreError(48, 'NamespaceExists', 'target namespace exists');
    const dropped = target ? { dropTarget: new Binary(target.uuid, 4) } : {};
    if (target) database.catalog.drop(target);
    noteChange(context, {
      kind: 'rename',
      db: fromDb,
      name: fromName,
      uuid: collection.uuid,
      detail: { to: { db, coll: name }, ...dropped },
    });
    database.catalog.rename(collection, db, name);
  });
  return { ok: 1 };
}

const modFields = new Set([
  'index',
  'changeStreamPreAndPostImages',
  'validator',
  'validationLevel',
  'validationAction',
  'dryRun',
  'recordPreImages',
  'cappedSize',
  'cappedMax',
  'viewOn',
  'pipeline',
  'expireAfterSeconds',
  'timeseries',
]);

const changeable = new Set([
  'index',
  'changeStreamPreAndPostImages',
  'dryRun',
  'validator',
  'validationLevel',
  'validationAction',
]);

export async function collMod(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'collMod', modFields);
  for (const field of modFields)
    if (!changeable.has(field) && command.has(field))
      throw new StoreError(
        72,
        'InvalidOptions',
        `the option '${field}' of collections is not supported by this store`,
      );
  const { database } = context;
  return database.define(() => {
    const collection = findCollection(command, context);
    if (!collection)
      throw new StoreError(
        26,
        'NamespaceNotFound',
        `ns does not exist: ${dbOf(command)}.${collectionName(command)}`,
      );
    const changed = command.has('index') ? changeIndex(collection, read.requiredDoc(command, 'index')) : {};
    compileFilter(read.doc(command, 'validator'), { expression: expressionFor() });
    for (const field of changeable)
      if (field !== 'index' && field !== 'dryRun' && command.has(field))
        collection.options = new Map([...collection.options, [field, command.get(field)!]]);
    database.catalog.save(collection);
    noteChange(context, {
      kind: 'modify',
      db: collection.db,
      name: collection.name,
      uuid: collection.uuid,
      detail: { ...Object.fromEntries([...command].filter(([field]) => modFields.has(field))) },
    });
    return { ...changed, ok: 1 };
  });
}

const listFields = new Set(['filter', 'nameOnly', 'authorizedCollections', 'cursor']);

export function listCollections(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'listCollections', listFields);
  const db = dbOf(command);
  const matches = compileFilter(read.doc(command, 'filter'));
  const nameOnly = read.flag(command, 'nameOnly');
  const rows = context.database.catalog
    .collectionsOf(db)
    .map((one) => infoOf(one, nameOnly))
    .filter(matches)
    .map((one) => encode(one));
  return context.cursors.open(listSource(rows), `${db}.$cmd.listCollections`, {
    batchSize: read.count(read.doc(command, 'cursor'), 'batchSize', Number.MAX_SAFE_INTEGER),
    ...ownerOf(context),
  });
}

function infoOf(collection: Collection, nameOnly: boolean): Doc {
  const isView = collection.options.has('viewOn');
  const head: [string, Value][] = [
    ['name', collection.name],
    ['type', isView ? 'view' : 'collection'],
  ];
  if (nameOnly) return new Map(head);
  return new Map<string, Value>([
    ...head,
    ['options', collection.options],
    [
      'info',
      new Map<string, Value>([
        ['readOnly', isView],
        ['uuid', new Binary(collection.uuid, 4)],
      ]),
    ],
    ...(isView ? [] : [['idIndex', collection.indexes[0]!.spec] as const]),
  ]);
}

const databaseFields = new Set(['filter', 'nameOnly', 'authorizedDatabases']);

export function listDatabases(command: Doc, context: Context): Answer {
  read.allow(command, 'listDatabases', databaseFields);
  if (dbOf(command) !== 'admin')
    throw new StoreError(13, 'Unauthorized', 'listDatabases may only be run against the admin database.');
  const nameOnly = read.flag(command, 'nameOnly');
  const matches = compileFilter(read.doc(command, 'filter'));
  const all = context.database.catalog.databases().map((name): Doc => {
    const size = context.database.catalog
      .collectionsOf(name)
      .reduce((sum, one) => sum + sizeOf(context, one), 0);
    return new Map<string, Value>(
      nameOnly
        ? [['name', name]]
        : [
            ['name', name],
            ['sizeOnDisk', BigInt(size)],
            ['empty', size === 0],
          ],
    );
  });
  const databases = all.filter(matches);
  return {
    databases,
    ...(!nameOnly && {
      totalSize: databases.reduce((sum, one) => sum + (one.get('sizeOnDisk') as bigint), 0n),
      totalSizeMb: 0n,
    }),
    ok: 1,
  };
}

/** Bytes of the pages that a collection and its indexes lie on. */
export function sizeOf({ database }: Context, collection: Collection): number {
  return [collection.records, ...collection.indexes.map(({ table }) => table)].reduce(
    (sum, table) => sum + pageBytes(database.environment.pagesOf(table)),
    0,
  );
}

export const pageBytes = ({
  branch,
  leaf,
  overflow,
}: {
  branch: number;
  leaf: number;
  overflow: number;
}): number => (branch + leaf + overflow) * 4_096;
