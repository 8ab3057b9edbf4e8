import { Int32, ObjectId } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import type { Found } from '../disk/records.js';
import * as read from '../engine/command.js';
import { type Context, collectionForWrite, noteChange, whole, writeView } from '../engine/context.js';
import type { View } from '../engine/view.js';
import { duplicateKey, StoreError } from '../errors.js';
import { compilePipeline, type PipelineContext } from '../stages/pipeline.js';
import { replaced } from '../update/replacement.js';
import { checkValid, insertable } from './write.js';

/** The last stage of a pipeline that writes: `$out` replaces a collection, `$merge` writes into one. */
export function writerFor(
  stage: Doc,
  context: Context,
  stages: PipelineContext,
  options: Doc,
): (rows: Doc[]) => Promise<void> {
  return stage.has('$out')
    ? outTo(stage.get('$out')!, context, stages)
    : mergeInto(stage.get('$merge')!, context, stages, options);
}

interface Place {
  db: string;
  name: string;
}

function placeOf(value: Value | undefined, stages: PipelineContext, what: string): Place {
  if (typeof value === 'string') return { db: stages.db, name: value };
  if (!(value instanceof Map)) throw new StoreError(9, 'FailedToParse', `${what} must name a collection`);
  return { db: read.optionalText(value, 'db') ?? stages.db, name: read.text(value, 'coll') };
}

function outTo(value: Value, context: Context, stages: PipelineContext): (rows: Doc[]) => Promise<void> {
  const place = placeOf(value, stages, '$out');
  const { database } = context;
  return async (rows) => {
    await database.define(() => {
      const old = database.catalog.collection(place.db, place.name);
      const indexes = old?.indexes.filter(({ name }) => name !== '_id_').map(({ spec }) => spec) ?? [];
      const options = old?.options ?? new Map();
      if (old) {
        noteChange(context, { kind: 'drop', db: place.db, name: place.name, uuid: old.uuid, detail: {} });
        database.catalog.drop(old);
      }
      const made = database.catalog.create(place.db, place.name, options);
      noteChange(context, { kind: 'create', db: place.db, name: place.name, uuid: made.uuid, detail: {} });
      for (const spec of indexes) database.catalog.addIndex(made, spec);
      const view = writeView(context);
      for (const row of rows) view.insert(made, insertable(context, row));
    });
  };
}

interface Merge {
  on: string[];
  variables: Doc;
  whenMatched: Value;
  whenNotMatched: string;
}

function mergeInto(
  value: Value,
  context: Context,
  stages: PipelineContext,
  options: Doc,
): (rows: Doc[]) => Promise<void> {
  const spec: Doc = value instanceof Map ? value : new Map([['into', value]]);
  const place = placeOf(spec.get('into'), stages, '$merge');
  const on = spec.get('on') ?? '_id';
  const merge: Merge = {
    on: (Array.isArray(on) ? on : [on]).map(String),
    variables: read.doc(spec, 'let'),
    whenMatched: spec.get('whenMatched') ?? 'merge',
    whenNotMatched: read.optionalText(spec, 'whenNotMatched') ?? 'insert',
  };
  if (
    typeof merge.whenMatched === 'string' &&
    !['replace', 'keepExisting', 'merge', 'fail'].includes(merge.whenMatched)
  )
    throw new StoreError(
      2,
      'BadValue',
      `Enumeration value '${merge.whenMatched}' for field 'whenMatched' is not valid.`,
    );
  if (!['insert', 'discard', 'fail'].includes(merge.whenNotMatched))
    throw new StoreError(
      2,
      'BadValue',
      `Enumeration value '${merge.whenNotMatched}' for field 'whenNotMatched' is not valid.`,
    );
  return async (rows) => {
    const collection = await collectionForWrite(context, place.db, place.name);
    checkUnique(collection, merge.on);
    for (let at = 0; at < rows.length; at += slice) {
      const some = rows.slice(at, at + slice);
      await context.database.write(() => {
        const view = writeView(context);
        for (const row of some) mergeOne(context, stages, view, collection, merge, row, options);
      });
    }
  };
}

/** So many rows are merged in one commit: what comes before a row that fails stays. */
const slice = 256;

function checkUnique(collection: Collection, on: string[]): void {
  const wanted = [...on].sort().join('\0');
  const isUnique = collection.indexes.some(
    ({ unique, partial, fields }) =>
      unique &&
      !partial &&
      fields
        .map(({ name }) => name)
        .sort()
        .join('\0') === wanted,
  );
  if (!isUnique)
    throw new StoreError(
      51183,
      'Location51183',
      'Cannot find index to verify that join fields will be unique',
    );
}

function mergeOne(
  context: Context,
  stages: PipelineContext,
  view: View,
  collection: Collection,
  merge: Merge,
  given: Doc,
  options: Doc,
): void {
  const row: Doc =
    merge.on.includes('_id') && !given.has('_id') ? new Map([['_id', new ObjectId()], ...given]) : given;
  const filter: Doc = new Map(merge.on.map((field) => [field, new Map([['$eq', valueAt(row, field)]])]));
  const [found] = [...whole(view.find(collection, { filter, limit: 1 }))];
  if (!found) {
    if (merge.whenNotMatched === 'fail')
      throw new StoreError(
        13113,
        'MergeStageNoMatchingDocument',
        '$merge could not find a matching document in the target collection for at least one document in the source collection',
      );
    if (merge.whenNotMatched === 'insert') put(insertable(context, row), null);
    return;
  }
  if (merge.whenMatched === 'keepExisting') return;
  if (merge.whenMatched === 'fail')
    throw duplicateKey(
      `${collection.db}.${collection.name}`,
      '_id_',
      new Map(merge.on.map((field) => [field, new Int32(1)])),
      new Map(merge.on.map((field) => [field, valueAt(row, field)])),
    );
  put(merged(stages, merge, found.doc, row), found);

  function put(after: Doc, before: Found | null): void {
    checkValid(collection, after, options);
    if (!before) view.insert(collection, after);
    else if (after !== before.doc)
      view.replace(collection, before, after, merge.whenMatched === 'replace' ? null : []);
  }
}

/** @returns the very document that was found when nothing changes. @throws StoreError `ImmutableField` (66) */
function merged(stages: PipelineContext, merge: Merge, found: Doc, row: Doc): Doc {
  if (merge.whenMatched === 'replace') return replaced(found, row);
  if (merge.whenMatched === 'merge') return replaced(found, new Map([...found, ...row]));
  const variables = new Map(stages.variables);
  variables.set('new', row);
  const run = compilePipeline(merge.whenMatched as Doc[], { ...stages, variables });
  return replaced(found, [...run([found])][0] ?? found);
}

function valueAt(doc: Doc, path: string): Value {
  let at: Value | undefined = doc;
  for (const step of path.split('.')) at = at instanceof Map ? at.get(step) : undefined;
  if (at === undefined || at === null || Array.isArray(at))
    throw new StoreError(
      51132,
      'Location51132',
      "$merge write error: 'on' field cannot be missing, null, undefined or an array",
    );
  return at;
}
