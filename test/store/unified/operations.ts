import { strict as assert } from 'node:assert';
import type {
  AbstractCursor,
  ChangeStream,
  ClientSession,
  Collection,
  Db,
  Document,
  GridFSBucket,
  MongoClient,
} from 'mongodb';
import { DriverLacks, type EntityMap } from './entities.js';
import type { Operation } from './format.js';
import { match } from './match.js';

interface Context {
  entities: EntityMap;
  /** The runner's own client: fail points, looking at collections. */
  internal: MongoClient;
  failPoints: Set<string>;
  run(operation: Operation, isInCallback?: boolean): Promise<void>;
}

type Args = Document & { session?: ClientSession };
type Handler = (object: never, args: Args, context: Context) => Promise<unknown>;
const handlers = new Map<string, Handler>();
const on = <T>(names: string, handler: (object: T, args: Args, context: Context) => Promise<unknown>) => {
  for (const name of names.split(' ')) handlers.set(name, handler as unknown as Handler);
};

/** `{filter, update, ...options}` -> the rest, named as the driver names it. */
function optionsWithout(args: Args, ...names: string[]): Document {
  const options: Document = { ...args };
  for (const name of names) delete options[name];
  if (typeof options.returnDocument === 'string')
    options.returnDocument = options.returnDocument.toLowerCase();
  return options;
}

// ---- collections
on<Collection | Db>('aggregate', (target, args) =>
  target.aggregate(args.pipeline, optionsWithout(args, 'pipeline')).toArray(),
);
on<Collection>('bulkWrite', async (target, args) => {
  const inserted = (args.requests as Document[]).flatMap(({ insertOne }) =>
    insertOne ? [insertOne.document] : [],
  );
  const result = await target.bulkWrite(args.requests.map(collectionModel), {
    ...keepingNull(inserted),
    ...optionsWithout(args, 'requests'),
  });
  return {
    deletedCount: result.deletedCount,
    insertedCount: result.insertedCount,
    insertedIds: result.insertedIds,
    matchedCount: result.matchedCount,
    modifiedCount: result.modifiedCount,
    upsertedCount: result.upsertedCount,
    upsertedIds: result.upsertedIds,
  };
});
const collectionModel = (request: Document) => request as never;
on<Collection>('count', (target, args) => target.count(args.filter, optionsWithout(args, 'filter')));
on<Collection>('countDocuments', (target, args) =>
  target.countDocuments(args.filter, optionsWithout(args, 'filter')),
);
on<Collection>('estimatedDocumentCount', (target, args) => target.estimatedDocumentCount(args));
on<Collection>('distinct', (target, args) =>
  target.distinct(args.fieldName, args.filter, optionsWithout(args, 'fieldName', 'filter')),
);
on<Collection>('find', (target, args) => target.find(args.filter, optionsWithout(args, 'filter')).toArray());
on<Collection>('findOne', (target, args) => target.findOne(args.filter, optionsWithout(args, 'filter')));
on<Collection>('createFindCursor', async (target, args) => {
  const cursor = target.find(args.filter, optionsWithout(args, 'filter'));
  await cursor.hasNext(); // the format wants the command sent now
  return cursor;
});
on<Collection>('findOneAndDelete', (target, args) =>
  target.findOneAndDelete(args.filter, optionsWithout(args, 'filter')),
);
on<Collection>('findOneAndReplace', (target, args) =>
  target.findOneAndReplace(args.filter, args.replacement, optionsWithout(args, 'filter', 'replacement')),
);
on<Collection>('findOneAndUpdate', (target, args) =>
  target.findOneAndUpdate(args.filter, args.update, optionsWithout(args, 'filter', 'update')),
);
/** Unless told not to, the driver gives a document an id of its own when its `_id` is null. */
const keepingNull = (documents: Document[]) =>
  documents.some((one) => one?._id === null) ? { forceServerObjectId: true } : {};
on<Collection>('insertOne', (target, args) =>
  target.insertOne(args.document, { ...keepingNull([args.document]), ...optionsWithout(args, 'document') }),
);
on<Collection>('insertMany', (target, args) =>
  target.insertMany(args.documents, {
    ...keepingNull(args.documents),
    ...optionsWithout(args, 'documents'),
  }),
);
on<Collection>('updateOne', (target, args) =>
  target.updateOne(args.filter, args.update, optionsWithout(args, 'filter', 'update')),
);
on<Collection>('updateMany', (target, args) =>
  target.updateMany(args.filter, args.update, optionsWithout(args, 'filter', 'update')),
);
on<Collection>('replaceOne', (target, args) =>
  target.replaceOne(args.filter, args.replacement, optionsWithout(args, 'filter', 'replacement')),
);
on<Collection>('deleteOne', (target, args) => target.deleteOne(args.filter, optionsWithout(args, 'filter')));
on<Collection>('deleteMany', (target, args) =>
  target.deleteMany(args.filter, optionsWithout(args, 'filter')),
);
on<Collection>('createIndex', (target, args) => target.createIndex(args.keys, optionsWithout(args, 'keys')));
on<Collection>('dropIndex', (target, args) => target.dropIndex(args.name, optionsWithout(args, 'name')));
on<Collection>('dropIndexes', (target, args) => target.dropIndexes(args));
on<Collection>('listIndexes', (target, args) => target.listIndexes(args).toArray());
on<Collection>('listIndexNames', async (target, args) =>
  (await target.listIndexes(args).toArray()).map(({ name }) => name),
);
on<Collection>('rename', (target, args) => target.rename(args.to, optionsWithout(args, 'to')));
on<Collection>('createSearchIndex', (target, args) => target.createSearchIndex(args.model));
on<Collection>('createSearchIndexes', (target, args) => target.createSearchIndexes(args.models));
on<Collection>('dropSearchIndex', (target, args) => target.dropSearchIndex(args.name));
on<Collection>('updateSearchIndex', (target, args) => target.updateSearchIndex(args.name, args.definition));
on<Collection>('listSearchIndexes', (target, args) =>
  (args.name
    ? target.listSearchIndexes(args.name, args.aggregationOptions)
    : target.listSearchIndexes(args.aggregationOptions)
  ).toArray(),
);

// ---- buckets of files
on<GridFSBucket>('download', (target, args) => bytesOf(target.openDownloadStream(args.id)));
on<GridFSBucket>('downloadByName', (target, args) =>
  bytesOf(target.openDownloadStreamByName(args.filename, optionsWithout(args, 'filename'))),
);
async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

// ---- databases
on<Db>('createCollection', (target, args) =>
  target.createCollection(args.collection, optionsWithout(args, 'collection')),
);
on<Db>('dropCollection', (target, args) =>
  target.dropCollection(args.collection, optionsWithout(args, 'collection')),
);
on<Db>('modifyCollection', (target, args) =>
  target.command({ collMod: args.collection, ...optionsWithout(args, 'collection') }),
);
on<Db>('listCollections listCollectionObjects', (target, args) =>
  target.listCollections(args.filter ?? {}, optionsWithout(args, 'filter')).toArray(),
);
on<Db>('listCollectionNames', async (target, args) =>
  (
    await target
      .listCollections(args.filter ?? {}, { ...optionsWithout(args, 'filter'), nameOnly: true })
      .toArray()
  ).map(({ name }) => name),
);
on<Db>('runCommand', (target, args) =>
  target.command(args.command, optionsWithout(args, 'command', 'commandName')),
);
const commandCursor = (target: Db, args: Args) =>
  target
    .runCursorCommand(
      args.command,
      optionsWithout(
        args,
        'command',
        'commandName',
        'batchSize',
        'maxTimeMS',
        'comment',
        'cursorType',
        'timeoutMode',
      ),
    )
    .setBatchSize(args.batchSize ?? 0);
function cursorOf(target: Db, args: Args) {
  let cursor =
    args.batchSize === undefined
      ? target.runCursorCommand(
          args.command,
          optionsWithout(args, 'command', 'commandName', 'maxTimeMS', 'comment'),
        )
      : commandCursor(target, args);
  if (args.comment !== undefined) cursor = cursor.setComment(args.comment);
  if (args.maxTimeMS !== undefined) cursor = cursor.setMaxTimeMS(args.maxTimeMS);
  return cursor;
}
on<Db>('runCursorCommand', (target, args) => cursorOf(target, args).toArray());
on<Db>('createCommandCursor', async (target, args) => {
  const cursor = cursorOf(target, args);
  await cursor.hasNext();
  return cursor;
});

// ---- clients
on<MongoClient>(
  'listDatabases listDatabaseObjects',
  async (target, args) => (await target.db('admin').admin().listDatabases(args)).databases,
);
on<MongoClient>('listDatabaseNames', async (target, args) =>
  (
    await target
      .db('admin')
      .admin()
      .listDatabases({ ...args, nameOnly: true })
  ).databases.map(({ name }) => name),
);
on<MongoClient>('clientBulkWrite', async (target, args) => {
  const models = (args.models as Document[]).map((model) => {
    const [name, body] = Object.entries(model)[0] as [string, Document];
    return { name, ...body } as never;
  });
  const result = await target.bulkWrite(models, optionsWithout(args, 'models'));
  // The driver says of each update whether it made a document, which the format reads from `upsertedId`.
  const asResults = (map: unknown) =>
    map instanceof Map
      ? Object.fromEntries([...map].map(([at, { didUpsert: _, ...rest }]) => [at, rest]))
      : map;
  const asObject = (map: unknown) => (map instanceof Map ? Object.fromEntries(map) : map);
  return {
    ...result,
    insertResults: asObject(result.insertResults),
    updateResults: asResults(result.updateResults),
    deleteResults: asObject(result.deleteResults),
  };
});
on<Collection | Db | MongoClient>('createChangeStream', async (target, args) => {
  const stream = target.watch(args.pipeline, optionsWithout(args, 'pipeline'));
  await openStream(stream);
  return stream;
});
/** The format wants the aggregate sent at once; the driver opens a stream with its first read. */
const openStream = (stream: ChangeStream) =>
  (stream as unknown as { cursor: { cursorInit(): Promise<void> } }).cursor.cursorInit();

// ---- cursors and sessions
on<AbstractCursor | ChangeStream>('iterateUntilDocumentOrError', async (target) => {
  for (;;) {
    const next = await target.next();
    if (next !== null) return next;
    if (target.closed) throw new Error('the cursor is exhausted');
  }
});
on<AbstractCursor | ChangeStream>('iterateOnce', (target) => target.tryNext());
on<AbstractCursor | ChangeStream | MongoClient>('close', (target) => target.close());
on<ClientSession>('startTransaction', async (target, args) => target.startTransaction(args));
on<ClientSession>('commitTransaction', (target, args) => target.commitTransaction(optionsWithout(args)));
on<ClientSession>('abortTransaction', (target, args) => target.abortTransaction(optionsWithout(args)));
on<ClientSession>('endSession', (target) => target.endSession());
on<ClientSession>(
  'getSnapshotTime',
  async (target) => (target as unknown as { snapshotTime: unknown }).snapshotTime,
);
on<ClientSession>('withTransaction', (target, args, context) =>
  target.withTransaction(
    async () => {
      for (const operation of args.callback as Operation[]) await context.run(operation, true);
    },
    optionsWithout(args, 'callback'),
  ),
);

// ---- the runner's own operations (object: testRunner)
on<null>('failPoint', async (_, args, { entities, failPoints }) => {
  failPoints.add(args.failPoint.configureFailPoint);
  return (entities.get(args.client) as MongoClient).db('admin').command(args.failPoint);
});
on<null>('targetedFailPoint', async (_, args, { internal, failPoints }) => {
  failPoints.add(args.failPoint.configureFailPoint);
  return internal.db('admin').command(args.failPoint);
});
on<null>('createEntities', (_, args, { entities }) => entities.create(args.entities));
on<null>('assertCollectionExists assertCollectionNotExists', async (_, args, { internal }) => {
  const found = await internal.db(args.databaseName).listCollections({ name: args.collectionName }).toArray();
  return found.length > 0;
});
on<null>('assertIndexExists assertIndexNotExists', async (_, args, { internal }) => {
  const indexes = await internal
    .db(args.databaseName)
    .collection(args.collectionName)
    .listIndexes()
    .toArray()
    .catch(() => []);
  return indexes.some(({ name }) => name === args.indexName);
});
on<null>('assertSessionTransactionState', async (_, args) => {
  const states: Record<string, string> = {
    none: 'NO_TRANSACTION',
    starting: 'STARTING_TRANSACTION',
    in_progress: 'TRANSACTION_IN_PROGRESS',
    committed: 'TRANSACTION_COMMITTED',
    aborted: 'TRANSACTION_ABORTED',
  };
  assert.equal(
    (args.session as unknown as { transaction: { state: string } }).transaction.state,
    states[args.state],
  );
});
on<null>('assertSessionPinned', async (_, args) =>
  assert.equal((args.session as unknown as { isPinned: boolean }).isPinned, true),
);
on<null>('assertSessionUnpinned', async (_, args) =>
  assert.equal((args.session as unknown as { isPinned: boolean }).isPinned, false),
);
on<null>('assertSessionDirty', async (_, args) =>
  assert.equal(
    (args.session as unknown as { serverSession: { isDirty: boolean } }).serverSession.isDirty,
    true,
  ),
);
on<null>('assertSessionNotDirty', async (_, args) =>
  assert.equal(
    (args.session as unknown as { serverSession: { isDirty: boolean } }).serverSession.isDirty,
    false,
  ),
);
const lastTwoLsids = (args: Args, { entities }: Context) => {
  const started = entities.client(args.client).events.filter(({ name }) => name === 'commandStartedEvent');
  const [first, second] = started.slice(-2).map(({ event }) => event.command.lsid);
  assert.ok(first && second, 'two commands with an lsid');
  return [first, second] as const;
};
on<null>('assertSameLsidOnLastTwoCommands', async (_, args, context) => {
  const [first, second] = lastTwoLsids(args, context);
  assert.deepEqual(first.id.buffer, second.id.buffer);
});
on<null>('assertDifferentLsidOnLastTwoCommands', async (_, args, context) => {
  const [first, second] = lastTwoLsids(args, context);
  assert.notDeepEqual(first.id.buffer, second.id.buffer);
});
on<null>('assertNumberConnectionsCheckedOut', async (_, args, { entities }) =>
  assert.equal(entities.client(args.client).checkedOut, args.connections),
);
const countEvents = (args: Args, { entities }: Context) => {
  const [name, expected] = Object.entries(args.event)[0] as [string, Document];
  return entities.client(args.client).events.filter((seen) => {
    if (seen.name !== name) return false;
    try {
      match(expected, eventView(seen.name, seen.event), entities);
      return true;
    } catch {
      return false;
    }
  }).length;
};
on<null>('assertEventCount', async (_, args, context) =>
  assert.equal(countEvents(args, context), args.count),
);
on<null>('waitForEvent', async (_, args, context) => {
  const until = performance.now() + 10_000;
  while (countEvents(args, context) < args.count) {
    assert.ok(performance.now() < until, `waited in vain for ${JSON.stringify(args.event)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

/** What a server description event shows, by the format's names. */
export function eventView(name: string, event: Document): Document {
  if (name === 'topologyDescriptionChangedEvent') {
    const view = (description: Document) => ({ type: description?.type });
    return {
      previousDescription: view(event.previousDescription),
      newDescription: view(event.newDescription),
    };
  }
  return event;
}

function withSession(args: Document, entities: EntityMap): Args {
  const { session, ...rest } = args;
  if (typeof session === 'string') return { ...rest, session: entities.get(session) as ClientSession };
  return args as Args;
}

/** What the format wants sent and this driver does not send, or wants refused and this driver lets pass. */
function lacksOption({ name, arguments: given = {} }: Operation): string | null {
  if (JSON.stringify(given).includes('"document":{"_id":null') && name === 'clientBulkWrite')
    return '`_id: null` of its own';
  if (given.bypassDocumentValidation === false) return '`bypassDocumentValidation: false` on the wire';
  if (name === 'clientBulkWrite' && given.writeConcern && given.session)
    return "check of a client bulk write's write concern in a transaction";
  return null;
}

/** @throws DriverLacks, or whatever the operation throws */
export async function perform(operation: Operation, context: Context): Promise<unknown> {
  const handler = handlers.get(operation.name);
  if (!handler) throw new DriverLacks(operation.name);
  const object = operation.object === 'testRunner' ? null : context.entities.get(operation.object);
  const args = withSession({ ...operation.arguments }, context.entities);
  const method = { mapReduce: 'mapReduce' }[operation.name];
  if (method && typeof (object as Document)[method] !== 'function') throw new DriverLacks(operation.name);
  const lacking = lacksOption(operation);
  if (lacking) throw new DriverLacks(lacking);
  const result = await handler(object as never, args, context);
  if (operation.name.endsWith('NotExists')) assert.equal(result, false, operation.name);
  else if (/^assert\w+Exists$/.test(operation.name)) assert.equal(result, true, operation.name);
  return result;
}
