import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import { countOf } from '../disk/records.js';
import { toTimestamp } from '../engine/clock.js';
import * as read from '../engine/command.js';
import {
  type Answer,
  type Context,
  collateOf,
  collectionNamed,
  dbOf,
  readView,
  variablesOf,
} from '../engine/context.js';
import { openStream } from '../engine/stream.js';
import { type Query, reading } from '../engine/view.js';
import { StoreError } from '../errors.js';
import { balanceFor } from '../stages/memory.js';
import { compilePipeline, type PipelineContext, type Rows, splitPipeline } from '../stages/pipeline.js';
import { writerFor } from './output.js';
import { hintOf, ownerOf, sourceOf, timeField, turn } from './reading.js';
import { viewOf } from './views.js';

const aggregateFields = new Set([
  'pipeline',
  'cursor',
  'explain',
  'allowDiskUse',
  'bypassDocumentValidation',
  'hint',
  'collation',
  'let',
  'needsMerge',
  'fromMongos',
  'fromRouter',
  'exchange',
  'isMapReduceCommand',
  'collectionUUID',
  'includeQueryStatsMetrics',
]);

const stageName = (stage: Doc | undefined): string => stage?.keys().next().value ?? '';

interface Target {
  db: string;
  /** Null: `aggregate: 1`, of the database as a whole. */
  name: string | null;
}

function targetOf(command: Doc): Target {
  const value = command.get('aggregate');
  if (typeof value === 'string') return { db: dbOf(command), name: value };
  if (read.number(command, 'aggregate', 0) !== 1)
    throw new StoreError(
      9,
      'FailedToParse',
      'Invalid command format: the aggregate field must specify a collection name or 1',
    );
  return { db: dbOf(command), name: null };
}

/** What stages may reach beside their input. */
export function pipelineContext(
  command: Doc,
  context: Context,
  collection: Collection | undefined,
): PipelineContext {
  const variables = variablesOf(command, context);
  const { database } = context;
  return {
    collate: collateOf(command, collection),
    variables,
    db: dbOf(command),
    now: database.now(),
    *read(db: string, name: string, filter?: Doc) {
      const other = collectionNamed(context, db, name);
      if (!other) return;
      const snapshot = context.transaction || context.at ? null : database.snapshot();
      try {
        const view = readView(context, { snapshot });
        const { deadline } = context;
        for (const one of view.find(other, { filter: filter ?? new Map(), variables, deadline }))
          yield one?.doc ?? null;
      } finally {
        snapshot?.done();
      }
    },
    isIndexed(db: string, name: string, field: string) {
      const other = collectionNamed(context, db, name);
      if (!other) return true;
      return other.indexes.some(({ fields, hidden, partial, sparse, collate }) => {
        const isWhole = !hidden && !partial && !sparse && !collate;
        return isWhole && fields[0]!.name === field;
      });
    },
    *localSessions() {
      for (const session of context.sessions.all())
        yield new Map<string, Value>([
          ['_id', new Map<string, Value>([['id', session.id]])],
          ['lastUse', new Date(session.usedAt)],
        ]);
    },
    count: (db: string, name: string) => {
      const other = database.catalog.collection(db, name);
      return other ? countOf(other.records) : null;
    },
  };
}

export async function aggregate(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'aggregate', aggregateFields);
  const target = targetOf(command);
  const { db } = target;
  const given = read.docs(command, 'pipeline');
  const view = target.name === null ? null : viewOf(context, db, target.name);
  const name = view?.name ?? target.name;
  const pipeline = view ? [...view.stages, ...given] : given;
  if (!command.has('cursor') && !read.flag(command, 'explain'))
    throw new StoreError(
      9,
      'FailedToParse',
      "The 'cursor' option is required, except for aggregate with the explain argument",
    );
  const batchSize = read.count(read.doc(command, 'cursor'), 'batchSize', 101);
  const collection = name === null ? undefined : collectionNamed(context, db, name);
  const stages = pipelineContext(command, context, collection);
  const namespace = `${db}.${target.name ?? '$cmd.aggregate'}`;
  if (stageName(pipeline[0]) === '$changeStream')
    return watch(context, { db, name }, pipeline, stages, batchSize, namespace);
  if (pipeline.slice(1).some((stage) => stageName(stage) === '$changeStream'))
    throw new StoreError(
      40602,
      'Location40602',
      '$changeStream is only valid as the first stage in a pipeline',
    );
  const last = stageName(pipeline.at(-1));
  if (last === '$out' || last === '$merge') {
    if (context.transaction)
      throw new StoreError(
        263,
        'OperationNotSupportedInTransaction',
        `${last} cannot be used in a transaction`,
      );
    const concern = read.optionalDoc(command, 'readConcern');
    if (concern?.get('level') === 'linearizable')
      throw new StoreError(
        72,
        'InvalidOptions',
        `${last} cannot be used with a 'linearizable' read concern level`,
      );
    return output(command, context, collection, pipeline, stages, namespace);
  }
  const rows = rowsFor(command, context, collection, pipeline, stages);
  return context.cursors.open({ ...sourceOf(context, rows), extra: () => timeField(context) }, namespace, {
    batchSize,
    ...ownerOf(context),
  });
}

/** The pipeline over a collection: its first stages are the planner's. */
function rowsFor(
  command: Doc,
  context: Context,
  collection: Collection | undefined,
  pipeline: Doc[],
  stages: PipelineContext,
) {
  const { query, rest } = queryOf(command, context, pipeline, stages);
  const run = compilePipeline(rest, stages);
  return function* (view: ReturnType<typeof readView>): Generator<Buffer | null> {
    const input = function* () {
      if (collection) for (const one of view.find(collection, query)) yield one?.doc ?? null;
    };
    for (const row of run(input())) yield row && rowBytes(row);
  };
}

/** @throws StoreError `BSONObjectTooLarge` (10334) */
function rowBytes(row: Doc): Buffer {
  const bytes = encode(row);
  if (bytes.length <= largestRow) return bytes;
  throw new StoreError(
    10334,
    'BSONObjectTooLarge',
    `BSONObj size: ${bytes.length} is invalid. Size must be between 0 and ${largestRow}`,
  );
}
const largestRow = 16 * 1024 * 1024 + 16 * 1024;

function queryOf(
  command: Doc,
  context: Context,
  pipeline: Doc[],
  stages: PipelineContext,
): { query: Query; rest: Doc[] } {
  const { filter, sort, skip, limit, rest } = splitPipeline(pipeline);
  return {
    query: {
      filter: filter ?? new Map(),
      sort,
      skip: skip ?? 0,
      limit: limit ?? 0,
      hint: hintOf(command),
      collate: stages.collate,
      variables: stages.variables,
      deadline: context.deadline,
    },
    rest,
  };
}

/** All rows, giving way now and then. @throws StoreError `QueryExceededMemoryLimitNoDiskUseAllowed` (292) */
async function gathered(rows: Rows): Promise<Doc[]> {
  const held = balanceFor('What is to be written');
  const all: Doc[] = [];
  for (const row of rows) {
    if (row === null) {
      await turn();
      continue;
    }
    held.add(row);
    all.push(row);
  }
  return all;
}

/** `$out` and `$merge`: what comes out of the pipeline is written, and nothing is answered with. */
async function output(
  command: Doc,
  context: Context,
  collection: Collection | undefined,
  pipeline: Doc[],
  stages: PipelineContext,
  namespace: string,
): Promise<Answer> {
  const last = pipeline.at(-1)!;
  const finish = writerFor(last, context, stages, command);
  const { query, rest } = queryOf(command, context, pipeline.slice(0, -1), stages);
  const run = compilePipeline(rest, stages);
  const snapshot = context.database.snapshot();
  let result: Doc[];
  try {
    const view = readView(context, reading(snapshot));
    const input = function* () {
      if (collection) for (const one of view.find(collection, query)) yield one?.doc ?? null;
    };
    result = await gathered(run(input()));
  } finally {
    snapshot.done();
  }
  await finish(result);
  return { cursor: { firstBatch: [], id: 0n, ns: namespace }, ok: 1 };
}

async function watch(
  context: Context,
  { db, name }: Target,
  pipeline: Doc[],
  stages: PipelineContext,
  batchSize: number,
  namespace: string,
): Promise<Answer> {
  const { database } = context;
  const spec = read.doc(pipeline[0]!, '$changeStream');
  const all = read.flag(spec, 'allChangesForCluster');
  if (all && (db !== 'admin' || name !== null))
    throw new StoreError(
      72,
      'InvalidOptions',
      'A $changeStream with allChangesForCluster:true may only be opened on the admin database',
    );
  if (context.transaction)
    throw new StoreError(
      263,
      'OperationNotSupportedInTransaction',
      '$changeStream cannot be used in a transaction',
    );
  if (!all && ['admin', 'local', 'config'].includes(db))
    throw new StoreError(
      73,
      'InvalidNamespace',
      `$changeStream may not be opened on the internal ${db} database`,
    );
  const source = openStream({
    database,
    scope: all ? { db: null, collection: null } : { db, collection: name },
    spec,
    pipeline: pipeline.slice(1),
    context: stages,
    lookup(inDb, inCollection, id, snapshot) {
      const collection = database.catalog.collection(inDb, inCollection);
      if (!collection) return null;
      const view = readView({ ...context, transaction: null, at: null }, { snapshot });
      for (const one of view.find(collection, { filter: new Map([['_id', id]]), limit: 1 }))
        if (one) return one.doc;
      return null;
    },
  });
  const answer = await context.cursors.open(source, namespace, {
    batchSize,
    session: context.session?.key ?? null,
  });
  return { ...answer, operationTime: toTimestamp(database.oplog.durable()) };
}
