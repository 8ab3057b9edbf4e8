import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import * as read from '../engine/command.js';
import { type Context, collectionNamed, dbOf } from '../engine/context.js';
import { StoreError } from '../errors.js';

/** Views: a name for a pipeline over another collection. What reads one reads that. */

const deepest = 20;

/** The collection under a view and the stages over it; null for what is no view. */
export function viewOf(context: Context, db: string, name: string): { name: string; stages: Doc[] } | null {
  let stages: Doc[] = [];
  let at = name;
  for (let depth = 0; ; depth += 1) {
    const options = collectionNamed(context, db, at)?.options;
    const source = options?.get('viewOn');
    if (typeof source !== 'string') return depth === 0 ? null : { name: at, stages };
    if (depth >= deepest)
      throw new StoreError(155, 'ViewDepthLimitExceeded', `View depth exceeded maximum of ${deepest}`);
    stages = [...((options?.get('pipeline') ?? []) as Doc[]), ...stages];
    at = source;
  }
}

const stage = (name: string, operand: Value): Doc => new Map([[name, operand]]);

/** A `find` as the pipeline that means the same. */
export function findAsPipeline(command: Doc): Doc {
  const stages: Doc[] = [stage('$match', read.doc(command, 'filter'))];
  const sort = read.optionalDoc(command, 'sort');
  if (sort && sort.size > 0) stages.push(stage('$sort', sort));
  const skip = read.count(command, 'skip', 0);
  if (skip > 0) stages.push(stage('$skip', new Int32(skip)));
  const limit = read.number(command, 'limit', 0);
  if (limit > 0) stages.push(stage('$limit', new Int32(limit)));
  const projection = read.optionalDoc(command, 'projection');
  if (projection && projection.size > 0) stages.push(stage('$project', projection));
  return asAggregate(command, stages, command.get('batchSize'));
}

export function asAggregate(command: Doc, stages: Doc[], batchSize: Value | undefined): Doc {
  const kept = ['collation', 'let', 'readConcern', '$db', 'lsid', 'comment', 'maxTimeMS'].flatMap(
    (field): [string, Value][] => (command.has(field) ? [[field, command.get(field)!]] : []),
  );
  return new Map<string, Value>([
    ['aggregate', read.text(command, read.nameOf(command))],
    ['pipeline', stages],
    ['cursor', new Map<string, Value>(batchSize === undefined ? [] : [['batchSize', batchSize]])],
    ...kept,
  ]);
}

export const isView = (context: Context, command: Doc): boolean =>
  viewOf(context, dbOf(command), read.text(command, read.nameOf(command))) !== null;
