import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { compileFilter } from '../query/match.js';
import { valuesAt } from '../values/path.js';
import { docOf, expressionOf, gathered, type Maker, type Rows, variablesOf } from './stage.js';

/** Stages that read other collections, or the same rows several times. */

function textOf(spec: Doc, field: string): string | undefined {
  const value = spec.get(field);
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw location(4570, `$lookup argument '${field}' must be a string`);
  return value;
}

function pipelineOf(value: Value | undefined, name: string): Doc[] | null {
  if (value === undefined) return null;
  if (!Array.isArray(value) || !value.every((one): one is Doc => one instanceof Map))
    throw location(40170, `${name} takes an array of stages`);
  return value;
}

/** Rows of another collection that fit a document: by a field, by a pipeline with variables, or by both. */
export const lookup: Maker = (operand, context, compile) => {
  const spec = docOf(operand, '$lookup');
  const as = textOf(spec, 'as');
  const from = textOf(spec, 'from');
  const [local, foreign] = [textOf(spec, 'localField'), textOf(spec, 'foreignField')];
  const inner = pipelineOf(spec.get('pipeline'), '$lookup');
  if (as === undefined) throw location(9, "must specify 'as' field for a $lookup");
  if ((local === undefined) !== (foreign === undefined) || (local === undefined && !inner))
    throw location(9, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  const given = spec.get('let');
  const variables = [...(given instanceof Map ? given : new Map<string, Value>())].map(
    ([name, value]) => [name, expressionOf(value, context)] as const,
  );
  const asPath = as.split('.');
  return function* (rows) {
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      const bound = new Map(variablesOf(context));
      for (const [name, compute] of variables) bound.set(name, compute(doc));
      let found: Rows = from === undefined ? [] : rowsOf(doc, from);
      if (inner) found = compile(inner, { ...context, variables: bound })(found);
      yield withField(doc, asPath, yield* gathered(found));
    }
  };

  function* rowsOf(doc: Doc, name: string): Rows {
    if (!context.read || context.db === undefined) return;
    if (local === undefined || foreign === undefined) {
      yield* context.read(context.db, name);
      return;
    }
    const filter = joinFilter(doc, local, foreign);
    const matches = compileFilter(filter, { collate: context.collate });
    for (const one of context.read(context.db, name, context.collate ? undefined : filter))
      if (matches(one)) yield one;
  }
};

function joinFilter(doc: Doc, local: string, foreign: string): Doc {
  const values = valuesAt(doc, local.split('.')).flatMap((value) =>
    Array.isArray(value) ? value : [value ?? null],
  );
  return new Map([
    [foreign, new Map([['$in', values.length === 0 ? [null] : values.map((value) => value ?? null)]])],
  ]);
}

function withField(doc: Doc, [name, ...rest]: string[], value: Value): Doc {
  const copy = new Map(doc);
  const inner = copy.get(name!);
  copy.set(
    name!,
    rest.length === 0 ? value : withField(inner instanceof Map ? inner : new Map(), rest, value),
  );
  return copy;
}

export const facet: Maker = (operand, context, compile) => {
  const spec = docOf(operand, '$facet');
  if (spec.size === 0) throw location(40169, 'the $facet specification must be a non-empty object');
  const parts = [...spec].map(
    ([name, value]) => [name, compile(pipelineOf(value, '$facet')!, context)] as const,
  );
  return function* (rows) {
    const all = yield* gathered(rows);
    const made: Doc = new Map();
    for (const [name, run] of parts) made.set(name, yield* gathered(run(all)));
    yield made;
  };
};

export const unionWith: Maker = (operand, context, compile) => {
  const spec: Doc = operand instanceof Map ? operand : new Map([['coll', operand]]);
  const name = textOf(spec, 'coll');
  const run = compile(pipelineOf(spec.get('pipeline'), '$unionWith') ?? [], context);
  return function* (rows) {
    yield* rows;
    yield* run(
      name !== undefined && context.read && context.db !== undefined ? context.read(context.db, name) : [],
    );
  };
};
