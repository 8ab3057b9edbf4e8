import { Int32 } from 'bson';
import { decode } from '../bson/decode.js';
import { sizeOf } from '../bson/size.js';
import type { Doc, Raw } from '../bson/types.js';
import { countOf } from '../disk/records.js';
import * as read from '../engine/command.js';
import {
  type Answer,
  type Context,
  collectionName,
  dbOf,
  findCollection,
  HangUp,
} from '../engine/context.js';
import type { View } from '../engine/view.js';
import { location, StoreError } from '../errors.js';
import { valueSet } from '../stages/grouping.js';
import { distinctValuesAt } from '../values/path.js';
import { aggregate } from './aggregate.js';
import { each, ownerOf, projectionOf, queryOf, rowsOf, sourceOf, timeField } from './reading.js';
import { asAggregate, findAsPipeline, isView } from './views.js';

/** `find` and its kin: `getMore`, `killCursors`, `count`, `distinct`. */

const findFields = new Set([
  'filter',
  'sort',
  'projection',
  'hint',
  'skip',
  'limit',
  'batchSize',
  'singleBatch',
  'allowDiskUse',
  'let',
  'collation',
  'returnKey',
  'showRecordId',
  'min',
  'max',
  'tailable',
  'awaitData',
  'noCursorTimeout',
  'oplogReplay',
  'allowPartialResults',
  'ntoreturn',
  'term',
  'readOnce',
  'includeQueryStatsMetrics',
]);
const unsupported = ['min', 'max', 'returnKey', 'showRecordId', 'tailable', 'awaitData'];

const refused = (field: string) =>
  new StoreError(72, 'InvalidOptions', `the option '${field}' is not supported by this store`);

export function find(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'find', findFields);
  for (const field of unsupported) {
    const value = command.get(field);
    if (value !== undefined && value !== false) throw refused(field);
  }
  const name = collectionName(command);
  if (isView(context, command)) return aggregate(findAsPipeline(command), context);
  const collection = findCollection(command, context);
  const query = queryOf(command, collection, context);
  const project = projectionOf(command, query);
  const limit = read.number(command, 'limit', 0);
  if (limit < 0)
    throw new StoreError(
      51024,
      'Location51024',
      `BSON field 'limit' value must be >= 0, actual value '${limit}'`,
    );
  const batchSize = read.count(command, 'batchSize', 101);
  // What would fail for a document fails for a collection that is not there, too.
  const rows = (view: View): Generator<Buffer | null> =>
    rowsOf(collection ? view.find(collection, query) : [], project);
  const source = sourceOf(context, rows, limit);
  return context.cursors.open({ ...source, extra: () => timeField(context) }, `${dbOf(command)}.${name}`, {
    batchSize,
    isSingle: read.flag(command, 'singleBatch'),
    noTimeout: read.flag(command, 'noCursorTimeout'),
    ...ownerOf(context),
  });
}

const getMoreFields = new Set(['collection', 'batchSize', 'term', 'lastKnownCommittedOpTime']);

export function getMore(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'getMore', getMoreFields);
  const struck = context.failPoints?.take('failGetMoreAfterCursorCheckout');
  if (struck) {
    if (read.flag(struck, 'closeConnection')) throw new HangUp();
    const code = read.number(struck, 'errorCode', 0);
    throw new StoreError(code, `Location${code}`, "Failing by 'failGetMoreAfterCursorCheckout'");
  }
  const batchSize = read.count(command, 'batchSize', 0);
  return context.cursors.more(
    read.long(command, 'getMore'),
    `${dbOf(command)}.${read.text(command, 'collection')}`,
    {
      batchSize: batchSize === 0 ? Number.POSITIVE_INFINITY : batchSize,
      waitMs: read.number(command, 'maxTimeMS', 1_000),
      gone: context.connection.gone,
      ...ownerOf(context),
    },
  );
}

export function killCursors(command: Doc, { cursors }: Context): Answer {
  const ids = read.list(command, 'cursors').map((one) => {
    if (typeof one === 'bigint') return one;
    throw new StoreError(14, 'TypeMismatch', "BSON field 'killCursors.cursors' holds what is no cursor's id");
  });
  const killed = ids.filter((id) => cursors.remove(id));
  return {
    cursorsKilled: killed,
    cursorsNotFound: ids.filter((id) => !killed.includes(id)),
    cursorsAlive: [],
    cursorsUnknown: [],
    ok: 1,
  };
}

const countFields = new Set(['query', 'limit', 'skip', 'hint', 'collation', 'fields', 'maxTimeMS']);

export async function count(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'count', countFields);
  if (isView(context, command)) return countOfView(command, context);
  const collection = findCollection(command, context);
  const query = queryOf(command, collection, context, 'query');
  let n = 0;
  if (collection && query.filter.size === 0 && !query.skip && !query.limit && !context.at)
    n = countOf(collection.records);
  else for await (const _ of each(context, collection, query)) n += 1;
  return { n: new Int32(n), ok: 1 };
}

async function countOfView(command: Doc, context: Context): Promise<Answer> {
  const stages: Doc[] = [new Map([['$match', read.doc(command, 'query')]]), new Map([['$count', 'n']])];
  const answer = await aggregate(asAggregate(command, stages, undefined), context);
  const [row] = (answer.cursor as { firstBatch: Raw[] }).firstBatch;
  return { n: row ? (decode(row.bytes).get('n') ?? new Int32(0)) : new Int32(0), ok: 1 };
}

const largestAnswer = 16 * 1024 * 1024;
const distinctFields = new Set(['key', 'query', 'collation', 'hint']);

export async function distinct(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'distinct', distinctFields);
  const collection = findCollection(command, context);
  const path = read.text(command, 'key').split('.');
  const query = queryOf(command, collection, context, 'query');
  const values = valueSet(query.collate);
  let bytes = 0;
  for await (const one of each(context, collection, query))
    for (const value of distinctValuesAt(one.doc, path)) {
      if (!values.add(value)) continue;
      bytes += sizeOf(value);
      if (bytes > largestAnswer) throw location(17217, 'distinct too big, 16mb cap');
    }
  return { values: values.values(), ...timeField(context), ok: 1 };
}
