import { location, StoreError } from '../errors.js';
import { addFields } from './assign.js';
import { bucket } from './bucket.js';
import { bucketAuto } from './bucket-auto.js';
import { densify } from './densify.js';
import { facet } from './facet.js';
import { fill } from './fill.js';
import { graphLookup } from './graph-lookup.js';
import { group, sortByCount } from './group.js';
import { lookup } from './lookup.js';
import { sort } from './order.js';
import { count, limit, match, sample, skip } from './pass.js';
import { redact } from './redact.js';
import { project, replaceRoot, replaceWith, unset } from './shape.js';
import { collStats, currentOp, documents, indexStats, localSessions } from './sources.js';
import type { Maker, Outer } from './stage.js';
import { unionWith } from './union.js';
import { unwind } from './unwind.js';
import { setWindowFields } from './window.js';

/** The stages by their names, and where in a pipeline they may stand. */

const searchIndexes: Maker = () => {
  throw new StoreError(
    31082,
    'SearchNotEnabled',
    'Search indexes are a service of Atlas: this store has none, and no $listSearchIndexes stage.',
  );
};

const makers: ReadonlyMap<string, Maker> = new Map(
  Object.entries({
    $addFields: addFields,
    $bucket: bucket,
    $bucketAuto: bucketAuto,
    $collStats: collStats,
    $count: count,
    $currentOp: currentOp,
    $densify: densify,
    $documents: documents,
    $facet: facet,
    $fill: fill,
    $graphLookup: graphLookup,
    $group: group,
    $indexStats: indexStats,
    $limit: limit,
    $listLocalSessions: localSessions,
    $listSearchIndexes: searchIndexes,
    $lookup: lookup,
    $match: match,
    $project: project,
    $redact: redact,
    $replaceRoot: replaceRoot,
    $replaceWith: replaceWith,
    $sample: sample,
    $set: addFields,
    $setWindowFields: setWindowFields,
    $skip: skip,
    $sort: sort,
    $sortByCount: sortByCount,
    $unionWith: unionWith,
    $unset: unset,
    $unwind: unwind,
  }),
);

/** Stages that the engine takes off a pipeline before it is compiled: what they do is not done to rows. */
const engines = new Set(['$changeStream', '$out', '$merge']);
const writers = new Set(['$out', '$merge']);

/** Stages that bring rows of their own. */
const sources = new Set([
  '$changeStream',
  '$collStats',
  '$currentOp',
  '$documents',
  '$indexStats',
  '$listLocalSessions',
  '$listSearchIndexes',
]);
/** Those of them that belong to no collection. */
const collectionless = new Set(['$currentOp', '$documents', '$listLocalSessions']);

export const isStage = (name: string): boolean => makers.has(name) || engines.has(name);
export const isCollectionless = (name: string): boolean => collectionless.has(name);

const unknownStage = (name: string) => location(40324, `Unrecognized pipeline stage name: '${name}'`);

/** @throws StoreError 40324 for what is no stage */
export function makerOf(name: string): Maker {
  const maker = makers.get(name);
  if (maker) return maker;
  if (engines.has(name)) throw location(40601, `${name} can only be the final stage in the pipeline`);
  throw unknownStage(name);
}

function refusedIn(outer: Outer, name: string): StoreError | null {
  if (outer === '$facet')
    return name === '$facet' || writers.has(name) || sources.has(name)
      ? location(40600, `${name} is not allowed to be used within a $facet stage`)
      : null;
  if (!writers.has(name) && name !== '$changeStream') return null;
  return outer === '$lookup'
    ? location(51047, `${name} is not allowed within a $lookup's sub-pipeline`)
    : location(31441, `${name} is not allowed within a $unionWith's sub-pipeline`);
}

/** Holds the stages of a pipeline to the places they may stand at. */
export function checkPlaces(names: readonly string[], outer: Outer | null): void {
  for (const [at, name] of names.entries()) {
    if (!isStage(name)) throw unknownStage(name);
    const refusal = outer && refusedIn(outer, name);
    if (refusal) throw refusal;
    if (at > 0 && sources.has(name))
      throw location(40602, `${name} is only valid as the first stage in a pipeline`);
    if (at < names.length - 1 && writers.has(name))
      throw location(40601, `${name} can only be the final stage in the pipeline`);
  }
}
