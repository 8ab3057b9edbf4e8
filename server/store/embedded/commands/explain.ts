import { Int32 } from 'bson';
import type { Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import * as read from '../engine/command.js';
import { type Answer, type Context, collateOf, dbOf, variablesOf } from '../engine/context.js';
import { type Counted, isBackward, scan } from '../engine/scan.js';
import { matcherOf, outOfTime, type Query } from '../engine/view.js';
import { StoreError } from '../errors.js';
import type { Plan } from '../query/plan.js';
import { pacer } from '../stages/pace.js';
import { splitPipeline } from '../stages/pipeline.js';
import { turn } from './reading.js';

/** `explain`: what a command reads, by reading it. */

const verbosities = new Set(['queryPlanner', 'executionStats', 'allPlansExecution']);

interface Reading {
  collection: Collection | undefined;
  query: Query;
}

function readingOf(command: Doc, context: Context, db: string): Reading {
  const kind = read.nameOf(command);
  const name = read.text(command, kind);
  const collection = context.database.catalog.collection(db, name);
  const base = {
    collate: collateOf(command, collection),
    variables: variablesOf(command, context),
    hint: command.get('hint'),
    deadline: context.deadline,
  };
  switch (kind) {
    case 'find':
    case 'count':
    case 'distinct':
    case 'findAndModify':
      return {
        collection,
        query: {
          ...base,
          filter: read.doc(command, kind === 'find' ? 'filter' : 'query'),
          sort: read.optionalDoc(command, 'sort'),
          skip: read.count(command, 'skip', 0),
          limit: kind === 'findAndModify' ? 1 : Math.abs(read.number(command, 'limit', 0)),
        },
      };
    case 'update':
    case 'delete': {
      const [first] = read.docs(command, kind === 'update' ? 'updates' : 'deletes');
      const one = first ?? new Map();
      return {
        collection,
        query: {
          ...base,
          hint: one.get('hint'),
          filter: read.doc(one, 'q'),
          limit: kind === 'delete' ? read.number(one, 'limit', 0) : read.flag(one, 'multi') ? 0 : 1,
        },
      };
    }
    case 'aggregate': {
      const { filter, sort, skip, limit } = splitPipeline(read.docs(command, 'pipeline'));
      return {
        collection,
        query: { ...base, filter: filter ?? new Map(), sort, skip: skip ?? 0, limit: limit ?? 0 },
      };
    }
    default:
      throw new StoreError(59, 'CommandNotFound', `Explain failed due to unknown command: ${kind}`);
  }
}

export async function explain(command: Doc, context: Context): Promise<Answer> {
  const inner = read.requiredDoc(command, 'explain');
  const verbosity = read.optionalText(command, 'verbosity') ?? 'allPlansExecution';
  if (!verbosities.has(verbosity))
    throw new StoreError(
      9,
      'FailedToParse',
      "verbosity string must be one of {'queryPlanner', 'executionStats', 'allPlansExecution'}",
    );
  const db = dbOf(command);
  const { collection, query } = readingOf(inner, context, db);
  const namespace = `${db}.${read.text(inner, read.nameOf(inner))}`;
  const shown = await run(context, collection, query, verbosity !== 'queryPlanner');
  return {
    explainVersion: '1',
    queryPlanner: { namespace, parsedQuery: query.filter, winningPlan: shown.plan, rejectedPlans: [] },
    ...(verbosity !== 'queryPlanner' && {
      executionStats: {
        executionSuccess: true,
        nReturned: new Int32(shown.returned),
        executionTimeMillis: new Int32(Math.round(shown.ms)),
        totalKeysExamined: new Int32(shown.keysExamined),
        totalDocsExamined: new Int32(shown.docsExamined),
        executionStages: shown.plan,
      },
    }),
    command: inner,
    ok: 1,
  };
}

/** Plans a reading, and does it where it `isRun`: as `find` does, counted, giving way now and then. */
async function run(context: Context, collection: Collection | undefined, query: Query, isRun: boolean) {
  if (!collection) return { plan: { stage: 'EOF' }, returned: 0, keysExamined: 0, docsExamined: 0, ms: 0 };
  const began = performance.now();
  const matches = matcherOf(query);
  const snapshot = context.database.snapshot();
  try {
    const counted = scan(
      context.database.catalog,
      collection,
      { filter: query.filter, sort: query.sort, hint: query.hint, collate: query.collate },
      { snapshot },
    );
    const wanted = query.limit ? query.limit + (query.skip ?? 0) : 0;
    const needsSort = query.sort !== undefined && query.sort.size > 0 && !counted.plan?.sorted;
    let fitting = 0;
    const isTime = pacer();
    for (const one of isRun ? counted.found : []) {
      if (isTime()) await turn();
      if (query.deadline && performance.now() > query.deadline.at) throw outOfTime();
      if (!matches(one.doc)) continue;
      fitting += 1;
      if (!needsSort && wanted > 0 && fitting >= wanted) break;
    }
    const passed = Math.max(0, fitting - (query.skip ?? 0));
    return {
      plan: planShown(counted, query, needsSort),
      returned: query.limit ? Math.min(query.limit, passed) : passed,
      keysExamined: counted.keysExamined,
      docsExamined: counted.docsExamined,
      ms: performance.now() - began,
    };
  } finally {
    snapshot.done();
  }
}

function planShown({ plan }: Counted, query: Query, needsSort: boolean): Plain {
  const stage: Plain = plan
    ? { stage: 'FETCH', filter: query.filter, inputStage: indexStage(plan) }
    : { stage: 'COLLSCAN', filter: query.filter, direction: isBackward(query) ? 'backward' : 'forward' };
  return needsSort ? { stage: 'SORT', sortPattern: query.sort, inputStage: stage } : stage;
}

const indexStage = (plan: Plan): Plain => ({
  stage: plan.merge ? 'SORT_MERGE' : 'IXSCAN',
  indexName: plan.index.name,
  keyPattern: plan.index.key,
  isMultiKey: plan.index.multikey,
  isUnique: plan.index.unique,
  direction: plan.reverse ? 'backward' : 'forward',
});
