import type { Doc, Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import { sortParts } from '../query/sort.js';
import { isNumber, toInteger } from '../values/numbers.js';
import { checkPlaces, isCollectionless, makerOf } from './registry.js';
import {
  type Inner,
  type Outer,
  type PipelineContext,
  type Rows,
  type Scope,
  type Stage,
  variablesOf,
} from './stage.js';

/** Aggregation pipelines: stages compiled once, rows streamed through them. */

export { isStage } from './registry.js';
export type { PipelineContext, Rows } from './stage.js';

const mostStages = 1_000;
const deepest = 20;

function nameOf(stage: Doc): string {
  if (stage.size !== 1)
    throw location(40323, 'A pipeline stage specification object must contain exactly one field.');
  return stage.keys().next().value!;
}

interface Place {
  context: PipelineContext;
  names: ReadonlySet<string>;
  outer: Outer | null;
  depth: number;
}

/**
 * Compiles the stages of an aggregation. `$changeStream`, `$out` and `$merge` are not among them: whoever offers these
 * takes them off first.
 *
 * @throws StoreError 40323, 40324, and what each stage finds wrong with what it is given; what depends on a document is
 *   thrown while rows are read
 */
export function compilePipeline(pipeline: readonly Doc[], context: PipelineContext): (rows: Rows) => Rows {
  const variables = variablesOf(context);
  const place: Place = { context, names: new Set(variables.keys()), outer: null, depth: 0 };
  checkPipeline(pipeline, place);
  const run = compiled(pipeline, scopeOf(place));
  return (rows) => run(rows, variables);
}

function scopeOf(place: Place): Scope {
  const within = (pipeline: readonly Doc[], { outer, collection, names }: Inner): Scope => {
    const inner: Place = {
      context: { ...place.context, collection },
      names: names ? new Set([...place.names, ...names]) : place.names,
      outer,
      depth: place.depth + 1,
    };
    checkPipeline(pipeline, inner);
    return scopeOf(inner);
  };
  return {
    context: place.context,
    names: place.names,
    compile: (pipeline, inner) => compiled(pipeline, within(pipeline, inner)),
    compileAfterFilters(pipeline, inner) {
      const scope = within(pipeline, inner);
      const filters = leadingFilters(pipeline);
      return { filters, run: compiled(pipeline.slice(filters.length), scope), scope };
    },
  };
}

function checkPipeline(pipeline: readonly Doc[], { context, outer, depth }: Place): void {
  if (pipeline.length > mostStages)
    throw location(7_749_501, `Pipeline length must be no longer than ${mostStages} stages.`);
  if (depth > deepest)
    throw new StoreError(
      232,
      'MaxSubPipelineDepthExceeded',
      `Maximum number of nested sub-pipelines exceeded. Limit is ${deepest}`,
    );
  const names = pipeline.map(nameOf);
  checkPlaces(names, outer);
  if (typeof context.collection === 'string' && isCollectionless(names[0] ?? ''))
    throw new StoreError(
      73,
      'InvalidNamespace',
      `${names[0]} must be run against the database with {aggregate: 1}, not a collection`,
    );
}

function compiled(pipeline: readonly Doc[], scope: Scope): Stage {
  const stages = pipeline.map((stage, at) => {
    const [[name, operand]] = [...stage] as [[string, Value]];
    return makerOf(name)(operand, scope, name, wantedAfter(pipeline, at));
  });
  return (rows, variables) => stages.reduce((so, stage) => stage(so, variables), rows);
}

function leadingFilters(pipeline: readonly Doc[]): Doc[] {
  const filters: Doc[] = [];
  for (const stage of pipeline) {
    const filter = stage.get('$match');
    if (!(filter instanceof Map)) break;
    filters.push(filter);
  }
  return filters;
}

/** Stages that hand on as many rows as they are given, in the same order. */
const oneToOne = new Set([
  '$addFields',
  '$graphLookup',
  '$lookup',
  '$project',
  '$replaceRoot',
  '$replaceWith',
  '$set',
  '$unset',
]);

/** How many rows of a stage are looked at by those after it; undefined when it may be all. */
function wantedAfter(pipeline: readonly Doc[], at: number): number | undefined {
  let skipped = 0;
  for (const stage of pipeline.slice(at + 1)) {
    const [[name, operand]] = [...stage] as [[string, Value]];
    const number = wholeNumber(operand);
    if (name === '$skip' && number !== null) skipped += number;
    else if (name === '$limit' && number !== null && number > 0) return skipped + number;
    else if (!oneToOne.has(name)) return undefined;
  }
  return undefined;
}

function wholeNumber(value: Value | undefined): number | null {
  const whole = isNumber(value) ? toInteger(value) : null;
  return whole !== null && whole >= 0n && whole < 2n ** 53n ? Number(whole) : null;
}

export interface Split {
  filter: Doc | undefined;
  sort: Doc | undefined;
  skip: number | undefined;
  limit: number | undefined;
  /** What is left to do. */
  rest: Doc[];
}

/**
 * The first stages that a reading of the collection answers by itself: filter, order, part.
 *
 * @throws StoreError when a stage stands where it must not, or an order is none
 */
export function splitPipeline(pipeline: readonly Doc[]): Split {
  checkPlaces(pipeline.map(nameOf), null);
  let at = 0;
  const taken = <Taken>(name: string, take: (operand: Value) => Taken | null): Taken | undefined => {
    const operand = pipeline[at]?.get(name);
    const result = operand === undefined ? null : take(operand);
    if (result === null) return undefined;
    at += 1;
    return result;
  };
  const filters: Doc[] = [];
  const takeFilters = () => {
    const more = leadingFilters(pipeline.slice(at));
    at += more.length;
    filters.push(...more);
  };
  takeFilters();
  const sort = taken('$sort', orderFrom);
  // What is left out changes nothing in the order of the others.
  if (sort) takeFilters();
  const skip = taken('$skip', wholeNumber);
  const limit = taken('$limit', (operand) => wholeNumber(operand) || null);
  return { filter: joined(filters), sort, skip, limit, rest: pipeline.slice(at) };
}

function orderFrom(operand: Value): Doc | null {
  if (!(operand instanceof Map) || operand.size === 0) return null;
  sortParts(operand);
  return operand;
}

function joined(filters: Doc[]): Doc | undefined {
  return filters.length > 1 ? new Map([['$and', filters]]) : filters[0];
}
