import { Int32 } from 'bson';
import { encode, type Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import * as read from '../engine/command.js';
import { type Answer, type Context, collectionIfNeeded, write } from '../engine/context.js';
import { listSource } from '../engine/cursors.js';
import type { View } from '../engine/view.js';
import { StoreError } from '../errors.js';
import { hintOf, ownerOf } from './reading.js';
import { runUpdate } from './update.js';
import { checkValid, insertable, runDelete, withShared, writeErrorOf } from './write.js';

/** `bulkWrite`: operations on several collections in one command. */

const fields = new Set([
  'ops',
  'nsInfo',
  'ordered',
  'bypassDocumentValidation',
  'errorsOnly',
  'let',
  'cursor',
  'bypassEmptyTsReplacement',
]);

interface Counts {
  nErrors: number;
  nInserted: number;
  nMatched: number;
  nModified: number;
  nUpserted: number;
  nDeleted: number;
}

export async function bulkWrite(command: Doc, context: Context): Promise<Answer> {
  read.allow(command, 'bulkWrite', fields);
  const operations = read.docs(command, 'ops');
  if (operations.length === 0 || operations.length > 100_000)
    throw new StoreError(
      16,
      'InvalidLength',
      `Write batch sizes must be between 1 and 100000. Got ${operations.length} operations.`,
    );
  const namespaces = read.docs(command, 'nsInfo').map((one) => read.text(one, 'ns'));
  const collections: (Collection | null)[] = [];
  for (const [at, namespace] of namespaces.entries()) {
    const dot = namespace.indexOf('.');
    if (dot < 1) throw new StoreError(73, 'InvalidNamespace', `Invalid namespace specified '${namespace}'`);
    const [db, name] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
    const isNeeded = operations.some((one) => mayInsert(one) && placeOf(one) === at);
    collections.push(await collectionIfNeeded(context, db, name, isNeeded));
  }
  const ordered = read.flag(command, 'ordered', true);
  const errorsOnly = read.flag(command, 'errorsOnly');
  let rows: Plain[] = [];
  const answer = await write(context, 1, (view) => {
    rows = [];
    const counts: Counts = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
    for (const [at, operation] of operations.entries()) {
      try {
        const row = runOne(context, view, collections, command, operation, counts);
        if (!errorsOnly) rows.push({ ok: 1, idx: new Int32(at), ...row });
      } catch (error) {
        if (!(error instanceof StoreError) || (view.isTransaction && error.labels.length > 0)) throw error;
        counts.nErrors += 1;
        const { index: _, ...told } = writeErrorOf(at, error);
        rows.push({ ok: 0, idx: new Int32(at), ...told, n: new Int32(0) });
        if (ordered || view.isTransaction) break;
      }
    }
    return {
      cursor: { rows: rows.map((row) => row as Plain) },
      ...Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, new Int32(n)])),
      ok: 1,
    };
  });
  return withCursor(command, context, answer);
}

/** The results as a cursor, in batches as they were asked for. A retry's come out of the note. */
async function withCursor(command: Doc, context: Context, answer: Answer): Promise<Answer> {
  const noted = answer.cursor as Plain | Doc;
  const rows = (noted instanceof Map ? noted.get('rows') : (noted as { rows: Plain[] }).rows) as (
    | Doc
    | Plain
  )[];
  const opened = await context.cursors.open(
    listSource(rows.map((row) => encode(row))),
    'admin.$cmd.bulkWrite',
    {
      batchSize: read.count(read.doc(command, 'cursor'), 'batchSize', Number.MAX_SAFE_INTEGER),
      ...ownerOf(context),
    },
  );
  return { ...answer, cursor: opened.cursor };
}

const placeOf = (operation: Doc): number => read.number(operation, read.nameOf(operation), -1);
const mayInsert = (operation: Doc): boolean => operation.has('insert') || read.flag(operation, 'upsert');

/** Null: there is no such collection, and nothing in it. */
function collectionOf(collections: (Collection | null)[], operation: Doc): Collection | null {
  const found = collections[placeOf(operation)];
  if (found === undefined)
    throw new StoreError(2, 'BadValue', 'BulkWrite ops entry has an invalid nsInfo index.');
  return found;
}

/** What comes of a statement where there is no collection. */
function nothing(kind: string): Plain {
  if (kind === 'delete') return { n: new Int32(0) };
  if (kind === 'update') return { n: new Int32(0), nModified: new Int32(0) };
  throw unknown(kind);
}

const unknown = (kind: string) => new StoreError(9, 'FailedToParse', `unknown bulkWrite operation '${kind}'`);

function runOne(
  context: Context,
  view: View,
  collections: (Collection | null)[],
  command: Doc,
  operation: Doc,
  counts: Counts,
): Plain {
  const kind = read.nameOf(operation);
  const collection = collectionOf(collections, operation);
  if (!collection) return nothing(kind);
  if (kind === 'insert') {
    const made = insertable(context, read.requiredDoc(operation, 'document'));
    checkValid(collection, made, command);
    view.insert(collection, made);
    counts.nInserted += 1;
    return { n: new Int32(1) };
  }
  if (kind === 'delete') {
    const n = runDelete(context, view, collection, {
      filter: read.requiredDoc(operation, 'filter'),
      limit: read.flag(operation, 'multi') ? 0 : 1,
      hint: hintOf(operation),
      options: withShared(command, operation),
    });
    counts.nDeleted += n;
    return { n: new Int32(n) };
  }
  if (kind !== 'update') throw unknown(kind);
  const mods = operation.get('updateMods');
  const result = runUpdate(context, view, collection, {
    filter: read.requiredDoc(operation, 'filter'),
    update: mods instanceof Map ? mods : read.docs(operation, 'updateMods'),
    multi: read.flag(operation, 'multi'),
    upsert: read.flag(operation, 'upsert'),
    arrayFilters: operation.has('arrayFilters') ? read.docs(operation, 'arrayFilters') : undefined,
    sort: read.optionalDoc(operation, 'sort'),
    hint: hintOf(operation),
    options: withShared(command, operation),
    constants: read.optionalDoc(operation, 'constants'),
  });
  counts.nMatched += result.matched;
  counts.nModified += result.modified;
  if (result.upserted) counts.nUpserted += 1;
  return {
    n: new Int32(result.upserted ? 1 : result.matched),
    nModified: new Int32(result.modified),
    ...(result.upserted && { upserted: { _id: result.upserted.get('_id') } }),
  };
}
