import { Int32, ObjectId, Timestamp } from 'bson';
import type { Plain } from '../bson/encode.js';
import { type Doc, Sent, type Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import { LooksFar, writeMany, writeOne } from '../engine/apart.js';
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
  writeView,
} from '../engine/context.js';
import { expressionFor } from '../engine/expressions.js';
import type { Query, View } from '../engine/view.js';
import { StoreError } from '../errors.js';
import { compileFilter } from '../query/match.js';
import { hintOf } from './reading.js';

/** `insert` and `delete`, and what all writes share: what is refused of a statement leaves its neighbours alone. */

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

/** An answer to the command as a whole, and none to one of its statements. */
const isOfAll = (error: unknown, isTransaction: boolean): boolean =>
  !(error instanceof StoreError) || error instanceof LooksFar || (isTransaction && error.labels.length > 0);

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
      if (isOfAll(error, view.isTransaction)) throw error;
      errors.push(writeErrorOf(at, error as StoreError));
      if (ordered || view.isTransaction) break;
    }
  }
  return errors;
}

/** The same of statements that are a commit each, or several: none of them belongs to a transaction. */
export async function runApart(
  count: number,
  ordered: boolean,
  run: (at: number) => Promise<void>,
): Promise<WriteError[]> {
  const errors: WriteError[] = [];
  for (let at = 0; at < count; at += 1) {
    try {
      await run(at);
    } catch (error) {
      if (isOfAll(error, false)) throw error;
      errors.push(writeErrorOf(at, error as StoreError));
      if (ordered) break;
    }
  }
  return errors;
}

/** Whether statements run apart from one another: one of them may change more than a commit should. */
export const areApart = (context: Context, isMany: boolean): boolean =>
  isMany && !context.transaction && !context.isRetryable;

export function checkLength(statements: readonly unknown[]): void {
  if (statements.length === 0 || statements.length > mostStatements)
    throw new StoreError(
      16,
      'InvalidLength',
      `Write batch sizes must be between 1 and ${mostStatements}. Got ${statements.length} operations.`,
    );
}

export const idFirst = (doc: Doc): Doc => {
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

export function checkFields(statement: Doc, name: string, known: ReadonlySet<string>): void {
  for (const field of statement.keys())
    if (!known.has(field))
      throw new StoreError(40415, 'Location40415', `BSON field '${name}.${field}' is an unknown field.`);
}

/** `let` and the like of the command stand beside each statement's own options. */
export const withShared = (command: Doc, statement: Doc): Doc =>
  new Map([...statement, ...[...command].filter(([name]) => shared.has(name))]);
const shared = new Set(['let', 'bypassDocumentValidation']);

export interface DeleteStatement {
  filter: Doc;
  limit: number;
  hint: Value | undefined;
  options: Doc;
}

const deletionOf = (context: Context, collection: Collection, statement: DeleteStatement): Query => ({
  filter: statement.filter,
  limit: statement.limit,
  hint: statement.hint,
  collate: collateOf(statement.options, collection),
  variables: variablesOf(statement.options, context),
  deadline: context.deadline,
});

export function runDelete(
  context: Context,
  view: View,
  collection: Collection,
  statement: DeleteStatement,
): number {
  const found = [...whole(view.find(collection, deletionOf(context, collection, statement)))];
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
  const collection = await collectionIfNeeded(context, dbOf(command), collectionName(command), false);
  if (!collection) return { n: new Int32(0), ok: 1 };
  const ordered = read.flag(command, 'ordered', true);
  let n = 0;
  const isMany = statements.some(({ limit }) => limit === 0);
  if (areApart(context, isMany)) {
    const errors = await runApart(statements.length, ordered, async (at) => {
      const statement = statements[at]!;
      const query = deletionOf(context, collection, statement);
      const one = (view: View) => runDelete(context, view, collection, statement);
      const done =
        statement.limit === 0
          ? await writeMany(context, collection, query, one)
          : [await context.database.write(() => one(writeView(context)))];
      for (const removed of done) n += removed;
    });
    return finished({ n: new Int32(n) }, errors);
  }
  const all = (view: View, range: Statements): Answer => {
    n = 0;
    const errors = runStatements(range, ordered, view, (at) => {
      n += runDelete(context, view, collection, statements[at]!);
    });
    return finished({ n: new Int32(n) }, errors);
  };
  if (statements.length > 1 || isMany) return write(context, statements.length, all);
  return writeOne(context, collection, deletionOf(context, collection, statements[0]!), all);
}
