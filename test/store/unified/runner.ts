import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { EJSON } from 'bson';
import {
  type Document,
  MongoBulkWriteError,
  type MongoClient,
  MongoClientBulkWriteError,
  MongoError,
  MongoServerError,
} from 'mongodb';
import { createEntityMap, DriverLacks, type EntityMap } from './entities.js';
import type { CollectionData, ExpectedEvents, Operation, SpecFile, SpecTest } from './format.js';
import { match } from './match.js';
import { eventView, perform } from './operations.js';

export { DriverLacks };

/** Extended JSON keeps its types where they matter; plain numbers compare by value. */
export const readSpec = (path: string): SpecFile =>
  EJSON.parse(readFileSync(path, 'utf8'), { relaxed: true }) as SpecFile;

async function load(internal: MongoClient, data: CollectionData[]): Promise<void> {
  for (const { databaseName, collectionName, createOptions, documents } of data) {
    const database = internal.db(databaseName, { writeConcern: { w: 'majority' } });
    await database.dropCollection(collectionName).catch((error: unknown) => {
      if (!(error instanceof MongoServerError && error.code === 26)) throw error;
    });
    if (documents.length === 0 || createOptions)
      await database.createCollection(collectionName, createOptions);
    if (documents.length > 0) await database.collection(collectionName).insertMany(documents);
  }
}

function checkError(error: unknown, expected: Document, entities: EntityMap): void {
  assert.ok(error instanceof Error, 'an error');
  const { cause } = error as { cause?: unknown };
  const labels = (name: string) =>
    [error, cause].some((one) => one instanceof MongoError && one.hasErrorLabel(name));
  const server = error instanceof MongoServerError ? error : null;
  const response = (
    cause instanceof MongoServerError ? cause : error instanceof MongoServerError ? error : null
  ) as MongoServerError | null;
  if (expected.isClientError !== undefined) {
    // Errors of the network count as the client's, too.
    assert.equal(
      !(error instanceof MongoServerError),
      expected.isClientError,
      `isClientError: ${error.name} ${error.message}`,
    );
  }
  if (expected.errorContains !== undefined) {
    assert.ok(
      error.message.toLowerCase().includes(String(expected.errorContains).toLowerCase()),
      `"${error.message}" lacks "${expected.errorContains}"`,
    );
  }
  const shown = response ?? (server as MongoServerError | null);
  if (expected.errorCode !== undefined)
    assert.equal(shown?.code, expected.errorCode, `code of ${error.message}`);
  if (expected.errorCodeName !== undefined)
    assert.equal((shown as Document | null)?.codeName, expected.errorCodeName, 'codeName');
  for (const label of expected.errorLabelsContain ?? [])
    assert.ok(labels(label), `label ${label} missing on ${error.message}`);
  for (const label of expected.errorLabelsOmit ?? [])
    assert.ok(!labels(label), `label ${label} must not be there`);
  if (expected.errorResponse !== undefined)
    match(expected.errorResponse, (shown as Document | null)?.errorResponse ?? shown, entities);
  if (expected.expectResult !== undefined && error instanceof MongoBulkWriteError) {
    match(
      expected.expectResult,
      {
        ...error.result,
        deletedCount: error.deletedCount,
        insertedCount: error.insertedCount,
        matchedCount: error.matchedCount,
        modifiedCount: error.modifiedCount,
        upsertedCount: error.upsertedCount,
        upsertedIds: error.upsertedIds,
        // The driver names the ids of all that were to be inserted, whether they were or not.
        insertedIds: error.insertedCount === 0 ? {} : error.insertedIds,
      },
      entities,
    );
  }
  if (
    expected.expectResult !== undefined &&
    error instanceof MongoClientBulkWriteError &&
    error.partialResult
  ) {
    // The driver's partial result of a bulk write of which nothing succeeded has only zeros: the format calls it unset.
    const counts = error.partialResult;
    const succeeded =
      counts.insertedCount + counts.upsertedCount + counts.matchedCount + counts.deletedCount > 0;
    if (!succeeded && '$$unsetOrMatches' in expected.expectResult) return;
    const asObject = (map: unknown) => (map instanceof Map ? Object.fromEntries(map) : map);
    const partial = error.partialResult;
    match(
      expected.expectResult,
      {
        ...partial,
        insertResults: asObject(partial.insertResults),
        updateResults: asObject(partial.updateResults),
        deleteResults: asObject(partial.deleteResults),
      },
      entities,
    );
  }
  if (expected.writeErrors && error instanceof MongoClientBulkWriteError) {
    for (const [index, value] of Object.entries(expected.writeErrors))
      match(value, error.writeErrors.get(Number(index)), entities);
  }
  if (expected.writeConcernErrors && error instanceof MongoClientBulkWriteError)
    match(expected.writeConcernErrors, error.writeConcernErrors, entities);
}

function checkEvents(expectation: ExpectedEvents, entities: EntityMap): void {
  const type = expectation.eventType ?? 'command';
  const seen = entities.client(expectation.client).events.filter((event) => event.type === type);
  const names = seen.map(({ name, event }) => `${name}(${event.commandName ?? ''})`).join(', ');
  if (!expectation.ignoreExtraEvents || seen.length < expectation.events.length) {
    assert.equal(seen.length, expectation.events.length, `events of ${expectation.client}: ${names}`);
  }
  expectation.events.forEach((entry, index) => {
    const [name, expected] = Object.entries(entry)[0] as [string, Document];
    const actual = seen[index];
    assert.equal(actual?.name, name, `event ${index} of: ${names}`);
    const { command, commandName, databaseName, reply, hasServiceId, hasServerConnectionId, ...rest } =
      expected;
    const event = eventView(name, actual.event);
    if (command !== undefined) match(command, event.command, entities, `event ${index} ${event.commandName}`);
    if (commandName !== undefined) assert.equal(event.commandName, commandName);
    if (databaseName !== undefined) assert.equal(event.databaseName ?? event.command?.$db, databaseName);
    if (reply !== undefined) match(reply, event.reply, entities, `event ${index} reply`);
    if (hasServiceId !== undefined)
      assert.equal(event.serviceId !== null && event.serviceId !== undefined, hasServiceId);
    if (hasServerConnectionId !== undefined)
      assert.equal(typeof event.serverConnectionId === 'bigint', hasServerConnectionId);
    match(rest, event, entities, `event ${index} ${name}`);
  });
}

async function checkOutcome(
  internal: MongoClient,
  outcome: CollectionData[],
  entities: EntityMap,
): Promise<void> {
  for (const { databaseName, collectionName, documents } of outcome) {
    const found = await internal
      .db(databaseName)
      .collection(collectionName)
      .find({}, { sort: { _id: 1 }, readConcern: { level: 'local' } })
      .toArray();
    assert.equal(found.length, documents.length, `${collectionName} holds ${JSON.stringify(found)}`);
    for (const [index, expected] of documents.entries()) {
      match(expected, found[index], entities, `outcome[${index}]`, false);
    }
  }
}

/**
 * Runs one test against the server at `uri`.
 * @throws what did not hold; `DriverLacks` when the driver has no such operation
 */
export async function runTest(
  uri: string,
  internal: MongoClient,
  file: SpecFile,
  test: SpecTest,
): Promise<void> {
  const entities = createEntityMap(uri);
  const failPoints = new Set<string>();
  /** `isInCallback`: of a transaction, whose driver must see each error to act on it. */
  const run = async (operation: Operation, isInCallback = false): Promise<void> => {
    let result: unknown;
    try {
      result = await perform(operation, context);
    } catch (error) {
      if (error instanceof DriverLacks || operation.object === 'testRunner') throw error;
      if (operation.ignoreResultAndError && !isInCallback) return;
      if (!operation.expectError) throw error;
      checkError(error, operation.expectError, entities);
      if (isInCallback) throw error;
      return;
    }
    if (operation.ignoreResultAndError) return;
    assert.ok(
      !operation.expectError,
      `${operation.name} succeeded; expected ${JSON.stringify(operation.expectError)}`,
    );
    if (operation.expectResult !== undefined) match(operation.expectResult, result, entities, operation.name);
    if (operation.saveResultAsEntity) entities.set(operation.saveResultAsEntity, result);
  };
  const context = { entities, internal, failPoints, run };
  try {
    if (file.initialData) await load(internal, file.initialData);
    if (file.createEntities) await entities.create(file.createEntities);
    for (const operation of test.operations) await run(operation);
    for (const expectation of test.expectEvents ?? []) checkEvents(expectation, entities);
    await entities.endSessions();
    if (test.outcome) await checkOutcome(internal, test.outcome, entities);
  } finally {
    for (const name of failPoints)
      await internal.db('admin').command({ configureFailPoint: name, mode: 'off' });
    await entities.close();
    await internal
      .db('admin')
      .command({ killAllSessions: [] })
      .catch(() => undefined);
  }
}
