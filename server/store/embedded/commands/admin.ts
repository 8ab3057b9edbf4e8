import { existsSync, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { Int32 } from 'bson';
import type { Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import { countOf, keysOf, recordKey, scanIndex, scanRecords } from '../disk/records.js';
import * as read from '../engine/command.js';
import { type Answer, type Context, collectionName, dbOf, findCollection } from '../engine/context.js';
import { StoreError } from '../errors.js';
import { pageBytes, sizeOf } from './collections.js';

/** What drivers and people ask about the store itself. */

export const version = '8.0.0';
const wireVersion = 25;
const largestDocument = 16_777_216;

export function hello(command: Doc, { server, connection, database }: Context): Answer {
  const client = command.get('client');
  const application = client instanceof Map ? client.get('application') : undefined;
  const name = application instanceof Map ? application.get('name') : undefined;
  if (typeof name === 'string') connection.appName = name;
  const isOld = read.nameOf(command).toLowerCase() === 'ismaster';
  const mechanisms =
    command.has('saslSupportedMechs') && server.credentials ? { saslSupportedMechs: ['SCRAM-SHA-256'] } : {};
  return {
    helloOk: true,
    ...(isOld ? { ismaster: true } : { isWritablePrimary: true }),
    secondary: false,
    setName: 'threadline',
    setVersion: new Int32(1),
    hosts: [server.name],
    primary: server.name,
    me: server.name,
    maxBsonObjectSize: new Int32(largestDocument),
    maxMessageSizeBytes: new Int32(48_000_000),
    maxWriteBatchSize: new Int32(100_000),
    localTime: database.now(),
    logicalSessionTimeoutMinutes: new Int32(30),
    connectionId: new Int32(connection.id),
    minWireVersion: new Int32(0),
    maxWireVersion: new Int32(wireVersion),
    readOnly: false,
    ...mechanisms,
    ok: 1,
  };
}

export const ping = (): Answer => ({ ok: 1 });

export const buildInfo = (): Answer => ({
  version,
  gitVersion: 'threadline-store',
  modules: [],
  javascriptEngine: 'none',
  versionArray: version
    .split('.')
    .map((part) => new Int32(Number(part)))
    .concat(new Int32(0)),
  bits: new Int32(64),
  debug: false,
  maxBsonObjectSize: new Int32(largestDocument),
  storageEngines: ['lmdb'],
  ok: 1,
});

export const connectionStatus = (): Answer => ({
  authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] },
  ok: 1,
});

export function serverStatus(_command: Doc, context: Context): Answer {
  const { server, cursors, database } = context;
  const uptime = (database.now().getTime() - server.startedAt) / 1_000;
  return {
    host: server.name,
    version,
    process: 'threadline-store',
    pid: BigInt(process.pid),
    uptime,
    localTime: database.now(),
    connections: { current: new Int32(server.connections()) },
    metrics: { cursor: { open: { total: BigInt(cursors.count()) } } },
    mem: { resident: new Int32(Math.round(process.memoryUsage().rss / 1_048_576)) },
    storageEngine: { name: 'lmdb', persistent: true, supportsCommittedReads: true },
    ok: 1,
  };
}

const parameters: Plain = {
  featureCompatibilityVersion: { version: '8.0' },
  authenticationMechanisms: ['SCRAM-SHA-256'],
  requireApiVersion: false,
  transactionLifetimeLimitSeconds: new Int32(60),
};

export function getParameter(command: Doc, context: Context): Answer {
  const all: Plain = { ...parameters, enableTestCommands: context.failPoints !== null };
  const wanted =
    command.get('getParameter') === '*' ||
    (command.get('getParameter') instanceof Map &&
      read.flag(read.doc(command, 'getParameter'), 'allParameters'));
  if (wanted) return { ...all, ok: 1 };
  const found = Object.entries(all).filter(([name]) => command.has(name));
  if (found.length === 0) throw new StoreError(72, 'InvalidOptions', 'no option found to get');
  return { ...Object.fromEntries(found), ok: 1 };
}

function statsOf(context: Context, collection: Collection) {
  const { environment } = context.database;
  const indexSizes = Object.fromEntries(
    collection.indexes.map(({ name, table }) => [name, new Int32(pageBytes(environment.pagesOf(table)))]),
  );
  const storageSize = pageBytes(environment.pagesOf(collection.records));
  return { count: countOf(collection.records), storageSize, total: sizeOf(context, collection), indexSizes };
}

export function collStats(command: Doc, context: Context): Answer {
  const collection = findCollection(command, context);
  const ns = `${dbOf(command)}.${collectionName(command)}`;
  if (!collection)
    return {
      ns,
      count: new Int32(0),
      size: new Int32(0),
      storageSize: new Int32(0),
      nindexes: new Int32(0),
      ok: 1,
    };
  const { count, storageSize, total, indexSizes } = statsOf(context, collection);
  return {
    ns,
    count: new Int32(count),
    size: storageSize,
    storageSize,
    totalIndexSize: total - storageSize,
    totalSize: total,
    indexSizes,
    nindexes: new Int32(collection.indexes.length),
    capped: false,
    ok: 1,
  };
}

export function dbStats(command: Doc, context: Context): Answer {
  const db = dbOf(command);
  const all = context.database.catalog
    .collectionsOf(db)
    .map((one) => ({ one, stats: statsOf(context, one) }));
  const sum = (of: (entry: (typeof all)[number]) => number) =>
    all.reduce((total, entry) => total + of(entry), 0);
  const storageSize = sum(({ stats }) => stats.storageSize);
  const totalSize = sum(({ stats }) => stats.total);
  return {
    db,
    collections: BigInt(all.length),
    views: 0n,
    objects: BigInt(sum(({ stats }) => stats.count)),
    dataSize: storageSize,
    storageSize,
    indexes: BigInt(sum(({ one }) => one.indexes.length)),
    indexSize: totalSize - storageSize,
    totalSize,
    ok: 1,
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * `validate`: reads every document, and holds every index against its collection. What does not fit is named with the
 * collection, the index or the record, and the page's key.
 */
export async function validate(command: Doc, context: Context): Promise<Answer> {
  const collection = findCollection(command, context);
  const ns = `${dbOf(command)}.${collectionName(command)}`;
  if (!collection)
    throw new StoreError(26, 'NamespaceNotFound', `Collection '${ns}' does not exist to validate.`);
  const { database } = context;
  const snapshot = database.snapshot();
  const errors: string[] = [];
  const expected = new Map(collection.indexes.map((one) => [one.name, 0]));
  let records = 0;
  try {
    const documents = scanRecords(database.catalog, collection, { snapshot });
    for (;;) {
      const problem = await step(() => {
        const next = documents.next();
        if (next.done) return true;
        records += 1;
        const { doc } = next.value;
        for (const index of collection.indexes)
          expected.set(index.name, expected.get(index.name)! + keysOf(index, doc).length);
        return false;
      });
      if (problem === true) break;
      if (problem) {
        errors.push(problem);
        break;
      }
      if (records % 1_000 === 0) await turn();
    }
    for (const index of collection.indexes) {
      let entries = 0;
      for (const { key, record } of scanIndex(index, { start: Buffer.alloc(0), end: null }, false, {
        snapshot,
      })) {
        entries += 1;
        if (entries % 1_000 === 0) await turn();
        const stored = collection.records.db.get(recordKey(record), { transaction: snapshot.txn });
        if (!stored)
          errors.push(
            `${ns}, index ${index.name}: key ${key.toString('hex')} leads to record ${record}, which is not there`,
          );
        if (errors.length > 20) break;
      }
      if (entries !== expected.get(index.name))
        errors.push(`${ns}, index ${index.name}: ${entries} entries instead of ${expected.get(index.name)}`);
    }
  } finally {
    snapshot.done();
  }
  return {
    ns,
    nInvalidDocuments: new Int32(0),
    nrecords: new Int32(records),
    nIndexes: new Int32(collection.indexes.length),
    keysPerIndex: Object.fromEntries([...expected].map(([name, n]) => [name, new Int32(n)])),
    valid: errors.length === 0,
    repaired: false,
    warnings: [],
    errors,
    ok: 1,
  };
}

/** One step that may find the store corrupt: then its message. */
async function step(work: () => boolean): Promise<boolean | string> {
  try {
    return work();
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
}

export function configureFailPoint(command: Doc, { failPoints }: Context): Answer {
  if (!failPoints) throw new StoreError(59, 'CommandNotFound', "no such command: 'configureFailPoint'");
  failPoints.configure(command);
  return { ok: 1 };
}

export function endSessions(command: Doc, { sessions }: Context): Answer {
  sessions.end(command);
  return { ok: 1 };
}

/** Ends the transactions of all sessions: what tests of drivers begin with. */
export function killAllSessions(_command: Doc, { sessions }: Context): Answer {
  sessions.abortAll();
  return { ok: 1 };
}

export function refreshSessions(command: Doc, { sessions }: Context): Answer {
  for (const one of read.docs(command, read.nameOf(command))) {
    const session = sessions.enter(one);
    if (session) sessions.leave(session);
  }
  return { ok: 1 };
}

export const whatsMyUri = (_command: Doc, { connection }: Context): Answer => ({
  you: `local:${connection.id}`,
  ok: 1,
});

/** Asks this store to write all it has: it always has. */
export const fsync = (): Answer => ({ numFiles: new Int32(1), ok: 1 });

/** A consistent copy of the whole file, under a path of this machine that is not there yet. */
export async function copyStore(command: Doc, { database }: Context): Promise<Answer> {
  const path = read.text(command, 'copyStore');
  if (dbOf(command) !== 'admin')
    throw new StoreError(13, 'Unauthorized', 'copyStore may only be run against the admin database.');
  if (!isAbsolute(path)) throw new StoreError(2, 'BadValue', 'copyStore takes an absolute path');
  if (existsSync(path)) throw new StoreError(2, 'BadValue', `${path} exists already`);
  await database.environment.copyTo(path);
  return { bytes: BigInt(statSync(path).size), ok: 1 };
}
