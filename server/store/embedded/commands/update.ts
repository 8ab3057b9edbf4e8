import { Int32 } from 'bson';
import type { Plain } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import type { Found } from '../disk/records.js';
import { writeMany, writeOne } from '../engine/apart.js';
import * as read from '../engine/command.js';
import {
  type Answer,
  type Context,
  collateOf,
  collectionIfNeeded,
  collectionName,
  dbOf,
  type Statements,
  variablesOf,
  whole,
  write,
  writeView,
} from '../engine/context.js';
import { expressionFor } from '../engine/expressions.js';
import type { Query, View } from '../engine/view.js';
import { StoreError } from '../errors.js';
import { matchPosition } from '../query/match.js';
import { compilePipeline } from '../stages/pipeline.js';
import { type CompiledUpdate, compileUpdate, seed } from '../update/update.js';
import { hintOf, projectionOf } from './reading.js';
import {
  areApart,
  checkFields,
  checkLength,
  checkValid,
  finished,
  idFirst,
  insertable,
  runApart,
  runStatements,
  withShared,
} from './write.js';

/** `update` and `findAndModify`. */

export interface UpdateStatement {
  filter: Doc;
  update: Doc | Doc[];
  multi: boolean;
  upsert: boolean;
  arrayFilters: Doc[] | undefined;
  sort: Doc | undefined;
  hint: Value | undefined;
  /** Where its collation and variables stand. */
  options: Doc;
  /** Of a pipeline: `c` of its statement. */
  constants: Doc | undefined;
}

export interface UpdateResult {
  matched: number;
  modified: number;
  upserted: Doc | null;
  before: Doc | null;
  after: Doc | null;
}

export function compileFor(context: Context, statement: UpdateStatement, query: Query): CompiledUpdate {
  const variables = new Map(query.variables);
  if (statement.constants) {
    if (!Array.isArray(statement.update))
      throw new StoreError(
        51198,
        'Location51198',
        'Constant values may only be specified for pipeline updates',
      );
    for (const [name, value] of statement.constants) variables.set(name, expressionFor()(value)(new Map()));
  }
  return compileUpdate(statement.update, {
    arrayFilters: statement.arrayFilters,
    collate: query.collate,
    now: () => context.database.now(),
    timestamp: () => context.database.oplog.lastTimestamp(),
    pipeline: (stages) => {
      const run = compilePipeline(stages, {
        collate: query.collate,
        variables,
        db: '',
        now: context.database.now(),
      });
      return (doc) => [...run([doc])][0] ?? new Map();
    },
  });
}

export function queryFor(context: Context, collection: Collection, statement: UpdateStatement): Query {
  return {
    filter: statement.filter,
    sort: statement.sort,
    limit: statement.multi ? 0 : 1,
    hint: statement.hint,
    collate: collateOf(statement.options, collection),
    variables: variablesOf(statement.options, context),
    deadline: context.deadline,
  };
}

function checkUpdate({ multi, sort }: UpdateStatement, { isReplacement }: CompiledUpdate): void {
  if (isReplacement && multi)
    throw new StoreError(9, 'FailedToParse', 'multi update is not supported for replacement-style update');
  if (multi && sort) throw new StoreError(9, 'FailedToParse', 'Cannot specify sort with multi=true');
}

export function runUpdate(
  context: Context,
  view: View,
  collection: Collection,
  statement: UpdateStatement,
): UpdateResult {
  const query = queryFor(context, collection, statement);
  const compiled = compileFor(context, statement, query);
  checkUpdate(statement, compiled);
  const found: Found[] = [...whole(view.find(collection, query))];
  const result: UpdateResult = {
    matched: found.length,
    modified: 0,
    upserted: null,
    before: null,
    after: null,
  };
  for (const one of found) {
    const position = matchPosition(statement.filter, one.doc, { collate: query.collate });
    const touched: string[][] = [];
    const after = compiled.apply(one.doc, { isInsert: false, position, touched });
    result.before = one.doc;
    result.after = after;
    if (after === one.doc) continue;
    checkValid(collection, after, statement.options);
    view.replace(collection, one, after, compiled.isReplacement ? null : touched);
    result.modified += 1;
  }
  if (found.length > 0 || !statement.upsert) return result;
  const made = idFirst(
    compiled.apply(seed(statement.filter, compiled.isReplacement), { isInsert: true, position: null }),
  );
  const stored = insertable(context, made);
  checkValid(collection, stored, statement.options);
  view.insert(collection, stored);
  return { ...result, upserted: stored, after: stored };
}

const updateFields = new Set([
  'updates',
  'ordered',
  'bypassDocumentValidation',
  'bypassEmptyTsReplacement',
  'let',
]);
const updateStatementFields = new Set([
  'q',
  'u',
  'c',
  'multi',
  'upsert',
  'arrayFilters',
  'hint',
  'collation',
  'sort',
  'upsertSupplied',
  'sampleId',
]);

function updateOf(value: Value | undefined): Doc | Doc[] {
  if (value instanceof Map) return value;
  if (Array.isArray(value) && value.every((one): one is Doc => one instanceof Map)) return value;
  throw new StoreError(9, 'FailedToParse', 'Update argument must be either an object or an array');
}

export async function update(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'update', updateFields);
  const list = read.docs(command, 'updates');
  checkLength(list);
  const statements = list.map((one): UpdateStatement => {
    checkFields(one, 'update.updates', updateStatementFields);
    const filters = one.has('arrayFilters') ? read.docs(one, 'arrayFilters') : undefined;
    return {
      filter: read.requiredDoc(one, 'q'),
      update: updateOf(one.get('u')),
      multi: read.flag(one, 'multi'),
      upsert: read.flag(one, 'upsert'),
      arrayFilters: filters,
      sort: read.optionalDoc(one, 'sort'),
      hint: hintOf(one),
      options: withShared(command, one),
      constants: read.optionalDoc(one, 'c'),
    };
  });
  const upserts = statements.some((one) => one.upsert);
  const collection = await collectionIfNeeded(context, dbOf(command), collectionName(command), upserts);
  if (!collection) return { n: new Int32(0), nModified: new Int32(0), ok: 1 };
  const ordered = read.flag(command, 'ordered', true);
  const total = tally();
  if (
    areApart(
      context,
      statements.some(({ multi }) => multi),
    )
  ) {
    const errors = await runApart(statements.length, ordered, async (at) =>
      total.add(at, await updateApart(context, collection, statements[at]!)),
    );
    return finished(total.counts(), errors);
  }
  const all = (view: View, range: Statements): Answer => {
    total.clear();
    const errors = runStatements(range, ordered, view, (at) => {
      total.add(at, runUpdate(context, view, collection, statements[at]!));
    });
    return finished(total.counts(), errors);
  };
  const [only] = statements;
  if (statements.length > 1 || only!.multi) return write(context, statements.length, all);
  return writeOne(context, collection, queryFor(context, collection, only!), all);
}

/** What statements came to, together. */
function tally() {
  let upserted: Plain[] = [];
  let [n, modified] = [0, 0];
  return {
    // A commit that is undone runs again from its beginning.
    clear(): void {
      upserted = [];
      [n, modified] = [0, 0];
    },
    add(at: number, result: UpdateResult): void {
      n += result.upserted ? 1 : result.matched;
      modified += result.modified;
      if (result.upserted) upserted.push({ index: new Int32(at), _id: result.upserted.get('_id') });
    },
    counts: (): Plain => ({
      n: new Int32(n),
      nModified: new Int32(modified),
      ...(upserted.length > 0 && { upserted }),
    }),
  };
}

/** One statement, outside of transactions, in as many commits as it takes. */
async function updateApart(
  context: Context,
  collection: Collection,
  statement: UpdateStatement,
): Promise<UpdateResult> {
  const { database } = context;
  const run = (view: View) => runUpdate(context, view, collection, statement);
  if (!statement.multi) return database.write(() => run(writeView(context)));
  checkUpdate(statement, compileFor(context, statement, queryFor(context, collection, statement)));
  const changes = { ...statement, upsert: false };
  const query = queryFor(context, collection, changes);
  const done = await writeMany(context, collection, query, (view) =>
    runUpdate(context, view, collection, changes),
  );
  if (done.length === 0 && statement.upsert) return database.write(() => run(writeView(context)));
  const sum = (of: (result: UpdateResult) => number) => done.reduce((so, one) => so + of(one), 0);
  return {
    matched: sum(({ matched }) => matched),
    modified: sum(({ modified }) => modified),
    upserted: null,
    before: null,
    after: null,
  };
}

const modifyFields = new Set([
  'query',
  'sort',
  'remove',
  'update',
  'new',
  'fields',
  'upsert',
  'bypassDocumentValidation',
  'bypassEmptyTsReplacement',
  'arrayFilters',
  'hint',
  'collation',
  'let',
]);

export async function findAndModify(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'findAndModify', modifyFields);
  const isRemoval = read.flag(command, 'remove');
  const shows = read.flag(command, 'new');
  const upsert = read.flag(command, 'upsert');
  if (isRemoval === command.has('update'))
    throw new StoreError(
      9,
      'FailedToParse',
      isRemoval
        ? 'Cannot specify both an update and remove=true'
        : 'Either an update or remove=true must be specified',
    );
  if (isRemoval && (shows || upsert))
    throw new StoreError(
      9,
      'FailedToParse',
      `Cannot specify both ${shows ? 'new' : 'upsert'}=true and remove=true`,
    );
  const statement: UpdateStatement = {
    filter: read.doc(command, 'query'),
    update: isRemoval ? new Map() : updateOf(command.get('update')),
    multi: false,
    upsert,
    arrayFilters: command.has('arrayFilters') ? read.docs(command, 'arrayFilters') : undefined,
    sort: read.optionalDoc(command, 'sort'),
    hint: hintOf(command),
    options: command,
    constants: undefined,
  };
  const collection = await collectionIfNeeded(context, dbOf(command), collectionName(command), upsert);
  if (!collection)
    return {
      lastErrorObject: { n: new Int32(0), ...(!isRemoval && { updatedExisting: false }) },
      value: null,
      ok: 1,
    };
  const query = queryFor(context, collection, statement);
  const project = projectionOf(command, query, 'fields');
  const shown = (doc: Doc | null): Doc | null => (doc && project ? project(doc) : doc);
  return writeOne(context, collection, query, (view) => {
    if (isRemoval) {
      const [found] = [...whole(view.find(collection, query))];
      if (found) view.remove(collection, found);
      return { lastErrorObject: { n: new Int32(found ? 1 : 0) }, value: shown(found?.doc ?? null), ok: 1 };
    }
    const result = runUpdate(context, view, collection, statement);
    return {
      lastErrorObject: {
        n: new Int32(result.matched > 0 || result.upserted ? 1 : 0),
        updatedExisting: result.matched > 0,
        ...(result.upserted && { upserted: result.upserted.get('_id') }),
      },
      value: shown(shows ? result.after : result.upserted ? null : result.before),
      ok: 1,
    };
  });
}
