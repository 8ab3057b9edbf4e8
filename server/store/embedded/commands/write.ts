import { Int32, ObjectId, Timestamp } from 'bson';
import type { Plain } from '../bson/encode.js';
import { type Doc, Sent, type Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import type { Found } from '../disk/records.js';
import * as read from '../engine/command.js';
import {
  type Answer,
  type Context,
  collateOf,
  collectionForWrite,
  collectionIfNeeded,
  collectionName,
  dbOf,
  type Statements,
  variablesOf,
  whole,
  write,
} from '../engine/context.js';
import { expressionFor } from '../engine/expressions.js';
import type { Query, View } from '../engine/view.js';
import { StoreError } from '../errors.js';
import { compileFilter, matchPosition } from '../query/match.js';
import { compilePipeline } from '../stages/pipeline.js';

import { type CompiledUpdate, compileUpdate, seed } from '../update/update.js';
import { hintOf, projectionOf } from './reading.js';

/** `insert`, `update`, `delete`, `findAndModify`: what is refused of a statement leaves its neighbours alone. */

const mostStatements = 100_000;

export interface WriteError extends Plain {
  index: Int32;
  code: Int32;
  errmsg: string;
}

export const writeErrorOf = (at: number, error: StoreError): WriteError => ({
  index: new Int32(at),
  code: new Int32(error.code),
  errmsg: error.message,
  ...(error.extra as Plain),
});

/** Runs statements one by one. Inside a transaction the first error is the command's. */
export function runStatements(
  { from, to }: Statements,
  ordered: boolean,
  view: View,
  run: (at: number) => void,
): WriteError[] {
  const errors: WriteError[] = [];
  for (let at = from; at < to; at += 1) {
    try {
      run(at);
    } catch (error) {
      if (!(error instanceof StoreError) || (view.isTransaction && error.labels.length > 0)) throw error;
      errors.push(writeErrorOf(at, error));
      if (ordered || view.isTransaction) break;
    }
  }
  return errors;
}

function checkLength(statements: readonly unknown[]): void {
  if (statements.length === 0 || statements.length > mostStatements)
    throw new StoreError(
      16,
      'InvalidLength',
      `Write batch sizes must be between 1 and ${mostStatements}. Got ${statements.length} operations.`,
    );
}

const idFirst = (doc: Doc): Doc => {
  if (doc.keys().next().value === '_id') return doc;
  return new Map<string, Value>([['_id', doc.has('_id') ? doc.get('_id')! : new ObjectId()], ...doc]);
};

/** A document as it can be stored. @throws StoreError when it cannot */
export function insertable(context: Context, doc: Doc): Doc {
  const whole = idFirst(doc);
  const id = whole.get('_id');
  if (Array.isArray(id) || (id && typeof id === 'object' && 'pattern' in id))
    throw new StoreError(
      53,
      'InvalidIdField',
      `The '_id' value cannot be of type ${Array.isArray(id) ? 'array' : 'regex'}`,
    );
  if (id instanceof Map)
    for (const name of id.keys())
      if (name.startsWith('$'))
        throw new StoreError(
          52,
          'DollarPrefixedFieldName',
          `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`,
        );
  let changed: Doc | null = null;
  for (const [name, value] of whole)
    if (value instanceof Timestamp && value.isZero() && name !== '_id') {
      // MongoDB fills an empty timestamp of the top level in.
      changed ??= new Map(whole);
      changed.set(name, context.database.oplog.lastTimestamp());
    }
  return changed ?? whole;
}

/** @throws StoreError `DocumentValidationFailure` (121) when the collection's own rule is broken */
export function checkValid(collection: Collection, doc: Doc, options: Doc): void {
  const rule = collection.options.get('validator');
  if (!(rule instanceof Map) || rule.size === 0 || read.flag(options, 'bypassDocumentValidation')) return;
  if (
    collection.options.get('validationAction') === 'warn' ||
    collection.options.get('validationLevel') === 'off'
  )
    return;
  if (compileFilter(rule, { expression: expressionFor() })(doc)) return;
  throw new StoreError(121, 'DocumentValidationFailure', 'Document failed validation', {
    errInfo: {
      failingDocumentId: doc.get('_id'),
      details: { operatorName: '$and', consideredRule: rule, reason: 'the document does not fit the rule' },
    },
  });
}

const insertFields = new Set([
  'documents',
  'ordered',
  'bypassDocumentValidation',
  'bypassEmptyTsReplacement',
]);

export async function insert(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'insert', insertFields);
  const documents = read.docs(command, 'documents');
  checkLength(documents);
  const ordered = read.flag(command, 'ordered', true);
  const collection = await collectionForWrite(context, dbOf(command), collectionName(command));
  return write(context, documents.length, (view, range) => {
    let n = 0;
    const errors = runStatements(range, ordered, view, (at) => {
      const made = insertable(context, documents[at]!);
      checkValid(collection, made, command);
      view.insert(collection, made, made instanceof Sent ? made.bytes : undefined);
      n += 1;
    });
    return finished({ n: new Int32(n) }, errors);
  });
}

export const finished = (counts: Plain, errors: readonly WriteError[]): Answer => ({
  ...counts,
  ...(errors.length > 0 && { writeErrors: errors }),
  ok: 1,
});

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

export function runUpdate(
  context: Context,
  view: View,
  collection: Collection,
  statement: UpdateStatement,
): UpdateResult {
  const query = queryFor(context, collection, statement);
  const compiled = compileFor(context, statement, query);
  if (compiled.isReplacement && statement.multi)
    throw new StoreError(9, 'FailedToParse', 'multi update is not supported for replacement-style update');
  if (statement.multi && statement.sort)
    throw new StoreError(9, 'FailedToParse', 'Cannot specify sort with multi=true');
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

function checkFields(statement: Doc, name: string, known: ReadonlySet<string>): void {
  for (const field of statement.keys())
    if (!known.has(field))
      throw new StoreError(40415, 'Location40415', `BSON field '${name}.${field}' is an unknown field.`);
}

function updateOf(value: Value | undefined): Doc | Doc[] {
  if (value instanceof Map) return value;
  if (Array.isArray(value) && value.every((one): one is Doc => one instanceof Map)) return value;
  throw new StoreError(9, 'FailedToParse', 'Update argument must be either an object or an array');
}

/** `let` and the like of the command stand beside each statement's own options. */
export const withShared = (command: Doc, statement: Doc): Doc =>
  new Map([...statement, ...[...command].filter(([name]) => shared.has(name))]);
const shared = new Set(['let', 'bypassDocumentValidation']);

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
  const collection = await collectionIfNeeded(command, context, upserts);
  if (!collection) return { n: new Int32(0), nModified: new Int32(0), ok: 1 };
  return write(context, statements.length, (view, range) => {
    const upserted: Plain[] = [];
    let [n, modified] = [0, 0];
    const errors = runStatements(range, read.flag(command, 'ordered', true), view, (at) => {
      const result = runUpdate(context, view, collection, statements[at]!);
      n += result.upserted ? 1 : result.matched;
      modified += result.modified;
      if (result.upserted) upserted.push({ index: new Int32(at), _id: result.upserted.get('_id') });
    });
    return finished(
      { n: new Int32(n), nModified: new Int32(modified), ...(upserted.length > 0 && { upserted }) },
      errors,
    );
  });
}

export interface DeleteStatement {
  filter: Doc;
  limit: number;
  hint: Value | undefined;
  options: Doc;
}

export function runDelete(
  context: Context,
  view: View,
  collection: Collection,
  statement: DeleteStatement,
): number {
  const found = [
    ...whole(
      view.find(collection, {
        filter: statement.filter,
        limit: statement.limit,
        hint: statement.hint,
        collate: collateOf(statement.options, collection),
        variables: variablesOf(statement.options, context),
        deadline: context.deadline,
      }),
    ),
  ];
  for (const one of found) view.remove(collection, one);
  return found.length;
}

const deleteFields = new Set(['deletes', 'ordered', 'let']);
const deleteStatementFields = new Set(['q', 'limit', 'hint', 'collation', 'sampleId']);

export async function remove(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'delete', deleteFields);
  const list = read.docs(command, 'deletes');
  checkLength(list);
  const statements = list.map((one): DeleteStatement => {
    checkFields(one, 'delete.deletes', deleteStatementFields);
    const limit = read.optionalNumber(one, 'limit');
    if (limit === undefined) throw read.missing('delete.deletes.limit');
    if (limit !== 0 && limit !== 1)
      throw new StoreError(
        9,
        'FailedToParse',
        `The limit field in delete objects must be 0 or 1. Got ${limit}`,
      );
    return {
      filter: read.requiredDoc(one, 'q'),
      limit,
      hint: hintOf(one),
      options: withShared(command, one),
    };
  });
  const collection = await collectionIfNeeded(command, context, false);
  if (!collection) return { n: new Int32(0), ok: 1 };
  return write(context, statements.length, (view, range) => {
    let n = 0;
    const errors = runStatements(range, read.flag(command, 'ordered', true), view, (at) => {
      n += runDelete(context, view, collection, statements[at]!);
    });
    return finished({ n: new Int32(n) }, errors);
  });
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
  const collection = await collectionIfNeeded(command, context, upsert);
  if (!collection)
    return {
      lastErrorObject: { n: new Int32(0), ...(!isRemoval && { updatedExisting: false }) },
      value: null,
      ok: 1,
    };
  const project = projectionOf(command, queryFor(context, collection, statement), 'fields');
  const shown = (doc: Doc | null): Doc | null => (doc && project ? project(doc) : doc);
  return write(context, 1, (view) => {
    if (isRemoval) {
      const [found] = [...whole(view.find(collection, queryFor(context, collection, statement)))];
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
