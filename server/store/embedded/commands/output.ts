import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import * as read from '../engine/command.js';
import { type Context, collectionForWrite, noteChange, whole, writeView } from '../engine/context.js';
import type { View } from '../engine/view.js';
import { duplicateKey, StoreError } from '../errors.js';
import { compilePipeline, type PipelineContext } from '../stages/pipeline.js';
import { insertable } from './write.js';

/** The last stage of a pipeline that writes: `$out` replaces a collection, `$merge` writes into one. */
export function writerFor(
  stage: Doc,
  context: Context,
  stages: PipelineContext,
): (rows: Doc[]) => Promise<void> {
  return stage.has('$out')
    ? outTo(stage.get('$out')!, context, stages)
    : mergeInto(stage.get('$merge')!, context, stages);
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

function mergeInto(value: Value, context: Context, stages: PipelineContext): (rows: Doc[]) => Promise<void> {
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
    await context.database.write(() => {
      const view = writeView(context);
      for (const row of rows) mergeOne(context, stages, view, collection, merge, row);
    });
  };
}

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
  row: Doc,
): void {
  const filter: Doc = new Map(merge.on.map((field) => [field, valueAt(row, field)]));
  const [found] = [...whole(view.find(collection, { filter, limit: 1 }))];
  if (!found) {
    if (merge.whenNotMatched === 'fail')
      throw new StoreError(
        13113,
        'MergeStageNoMatchingDocument',
        '$merge could not find a matching document in the target collection for at least one document in the source collection',
      );
    if (merge.whenNotMatched === 'insert') view.insert(collection, insertable(context, row));
    return;
  }
  if (merge.whenMatched === 'keepExisting') return;
  if (merge.whenMatched === 'fail')
    throw duplicateKey(
      `${collection.db}.${collection.name}`,
      '_id_',
      new Map(merge.on.map((field) => [field, new Int32(1)])),
      filter,
    );
  view.replace(
    collection,
    found,
    merged(stages, merge, found.doc, row),
    merge.whenMatched === 'replace' ? null : [],
  );
}

function merged(stages: PipelineContext, merge: Merge, found: Doc, row: Doc): Doc {
  if (merge.whenMatched === 'replace')
    return new Map<string, Value>([['_id', found.get('_id')!], ...without(row, '_id')]);
  if (merge.whenMatched === 'merge') return new Map([...found, ...without(row, '_id')]);
  const variables = new Map(stages.variables);
  variables.set('new', row);
  const run = compilePipeline(merge.whenMatched as Doc[], { ...stages, variables });
  return [...run([found])][0] ?? found;
}

function without(doc: Doc, field: string): Doc {
  const rest = new Map(doc);
  rest.delete(field);
  return rest;
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
