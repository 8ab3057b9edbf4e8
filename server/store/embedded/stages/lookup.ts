import type { Doc, Value } from '../bson/types.js';
import { failedToParse, StoreError } from '../errors.js';
import type { Expression, Variables } from '../expressions/compile.js';
import { assertBindable } from '../expressions/variables.js';
import { typeName } from '../values/compare.js';
import { show } from '../values/show.js';
import { anyOf, joinValues, noCollection, readingOf } from './foreign.js';
import { type HashJoin, hashed } from './hash-join.js';
import { withValue } from './paths.js';
import { pathFrom, stagesFrom } from './spec.js';
import {
  expressionOf,
  filterOf,
  gathered,
  type Inner,
  type Maker,
  type Rows,
  type Scope,
  type Stage,
} from './stage.js';

/** `$lookup`: rows of another collection that fit a document, by a field, by a pipeline with variables, or by both. */

interface Lookup {
  from: string | null;
  as: string[];
  fields: { local: string; foreign: string } | null;
  variables: (readonly [string, Expression])[];
  pipeline: readonly Doc[] | null;
}

const textNames = ['from', 'as', 'localField', 'foreignField'] as const;

function read(operand: Value, scope: Scope): Lookup {
  if (!(operand instanceof Map))
    throw failedToParse(`the $lookup stage specification must be an object, but found ${typeName(operand)}`);
  const texts = textsFrom(operand);
  const given = operand.get('pipeline');
  const pipeline =
    given === undefined
      ? null
      : stagesFrom(given, (shown) =>
          failedToParse(`$lookup argument 'pipeline' must be an array of stages, found ${shown}`),
        );
  const from = texts.get('from') ?? null;
  if (from === '')
    throw new StoreError(73, 'InvalidNamespace', `invalid $lookup namespace: ${scope.context.db}.`);
  if (from === null && !pipeline?.[0]?.has('$documents')) throw noCollection('$lookup');
  const as = texts.get('as');
  if (!as) throw failedToParse("must specify 'as' field for a $lookup");
  const fields = fieldsFrom(texts, pipeline !== null);
  const bound = operand.get('let');
  if (bound !== undefined && !(bound instanceof Map))
    throw failedToParse(
      `$lookup argument 'let: ${show(bound)}' must be an object, is type ${typeName(bound)}`,
    );
  if (bound && !pipeline) throw failedToParse("$lookup with a 'let' argument must also specify 'pipeline'");
  const variables = [...(bound ?? [])].map(([name, value]) => {
    assertBindable(name);
    return [name, expressionOf(value, scope)] as const;
  });
  return { from, as: pathFrom(as), fields, variables, pipeline };
}

function textsFrom(operand: Doc): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of operand) {
    if (name === 'pipeline' || name === 'let') continue;
    if (name === 'from' && typeof value !== 'string')
      throw failedToParse(`$lookup 'from' field must be a string, but found ${typeName(value)}`);
    if (typeof value !== 'string')
      throw failedToParse(
        `$lookup argument '${name}' must be a string, found ${name}: ${show(value)}: ${typeName(value)}`,
      );
    if (!textNames.some((known) => known === name))
      throw failedToParse(`unknown argument to $lookup: ${name}`);
    texts.set(name, value);
  }
  return texts;
}

function fieldsFrom(texts: Map<string, string>, hasPipeline: boolean): Lookup['fields'] {
  const local = texts.get('localField');
  const foreign = texts.get('foreignField');
  if (!local && !foreign) {
    if (hasPipeline) return null;
    throw failedToParse(
      "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified",
    );
  }
  if (!local || !foreign)
    throw failedToParse(
      "$lookup requires both or neither of 'localField' and 'foreignField' to be specified",
    );
  pathFrom(local);
  pathFrom(foreign);
  return { local, foreign };
}

/** What is not found is null, which a missing field is equal to. */
function wantedOf(doc: Doc, local: string): Value[] {
  const values = joinValues(doc, local);
  return values.length === 0 ? [null] : values;
}

export const lookup: Maker = (operand, scope) => {
  const spec = read(operand, scope);
  const find = finderOf(spec, scope);
  return function* (rows, variables) {
    const found = find();
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      const bound = bind(spec, doc, variables);
      yield withValue(doc, spec.as, yield* gathered(found(doc, bound), '$lookup'));
    }
  };
};

function bind({ variables: list }: Lookup, doc: Doc, variables: Variables): Variables {
  if (list.length === 0) return variables;
  const bound: Variables = new Map(variables);
  for (const [name, compute] of list) bound.set(name, compute(doc, variables));
  return bound;
}

type Find = (doc: Doc, variables: Variables) => Rows;

/** For each run anew: what it has found once may serve again, but not longer. */
function finderOf(spec: Lookup, scope: Scope): () => Find {
  const { from, fields, variables: list, pipeline } = spec;
  const place = { outer: '$lookup', collection: from, names: list.map(([name]) => name) } as const;
  if (from === null) {
    const own = ownDocuments(pipeline!, fields, place, scope);
    return () => own;
  }
  if (fields) {
    const run = pipeline && scope.compile(pipeline, place);
    return () => byFields(from, fields, run, scope);
  }
  const { filters, run, scope: inner } = scope.compileAfterFilters(pipeline!, place);
  const reading = readingOf(from, filters, inner);
  if (list.length > 0 || isRandom(pipeline!))
    return () => (_doc, variables) => run(reading(variables), variables);
  return () => {
    // Nothing of the document is looked at: the rows are the same for all of them.
    let same: Doc[] | null = null;
    return function* (_doc, variables) {
      same ??= yield* gathered(run(reading(variables), variables), '$lookup');
      yield* same;
    };
  };
}

/** Documents that the pipeline itself brings; the fields are compared before its other stages. */
function ownDocuments(pipeline: readonly Doc[], fields: Lookup['fields'], place: Inner, scope: Scope): Find {
  if (!fields) {
    const run = scope.compile(pipeline, place);
    return (_doc, variables) => run([], variables);
  }
  const source = scope.compile(pipeline.slice(0, 1), place);
  const after = scope.compile(pipeline.slice(1), place);
  return (doc, variables) => {
    const matches = filterOf(anyOf(fields.foreign, wantedOf(doc, fields.local)), scope);
    const joined = function* () {
      for (const one of source([], variables)) if (one === null || matches(one, variables)) yield one;
    };
    return after(joined(), variables);
  };
}

function byFields(
  from: string,
  { local, foreign }: { local: string; foreign: string },
  run: Stage | null,
  scope: Scope,
): Find {
  const { collate, db, isIndexed } = scope.context;
  let mayHold = collate !== undefined || isIndexed?.(db, from, foreign) === false;
  let joined = 0;
  let table: HashJoin | null = null;
  return function* (doc, variables) {
    const wanted = wantedOf(doc, local);
    joined += 1;
    // One document is worth a scan, but not the memory; for more of them the collection is read once.
    if (mayHold && joined > 1 && !table) {
      table = yield* hashed(readingOf(from, [], scope)(variables), foreign, collate);
      mayHold = table !== null;
    }
    const found = table ? table.find(wanted) : readingOf(from, [anyOf(foreign, wanted)], scope)(variables);
    yield* run ? run(found, variables) : found;
  };
}

const chancy = new Set(['$sample', '$rand', '$sampleRate']);

function isRandom(value: Value | readonly Value[]): boolean {
  if (Array.isArray(value)) return value.some(isRandom);
  return value instanceof Map && [...value].some(([name, one]) => chancy.has(name) || isRandom(one));
}
