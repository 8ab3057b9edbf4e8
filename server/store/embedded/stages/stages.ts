import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import { compileFilter } from '../query/match.js';
import { compileProjection } from '../query/project.js';
import { compileSort } from '../query/sort.js';
import { isNumber, toDouble, toInteger } from '../values/numbers.js';
import { getPath } from '../values/path.js';
import { group, sortByCount } from './group.js';
import { facet, lookup, unionWith } from './join.js';
import { docOf, expressionOf, gathered, type Maker, type PipelineContext, type Stage } from './stage.js';

/** The stages of a pipeline by their names. */

const match: Maker = (operand, context) => {
  const matches = compileFilter(docOf(operand, '$match'), {
    collate: context.collate,
    expression: (expression) => expressionOf(expression, context),
  });
  return function* (rows) {
    for (const doc of rows) if (doc === null || matches(doc)) yield doc;
  };
};

const mapping = (change: (doc: Doc) => Doc): Stage =>
  function* (rows) {
    for (const doc of rows) yield doc === null ? null : change(doc);
  };

const project: Maker = (operand, context) => {
  const spec = docOf(operand, '$project');
  if (spec.size === 0)
    throw location(
      51272,
      'Invalid $project :: caused by :: projection specification must have at least one field',
    );
  return mapping(
    compileProjection(spec, { collate: context.collate, expression: (one) => expressionOf(one, context) }),
  );
};

/** `{a: {b: 1}}` sets `a.b`, as `{'a.b': 1}` does. */
function assignments(
  spec: Doc,
  context: PipelineContext,
  prefix: string[] = [],
): { path: string[]; compute: (doc: Doc) => Value | undefined }[] {
  return [...spec].flatMap(([name, value]) => {
    const path = [...prefix, ...name.split('.')];
    if (path.some((part) => part === '' || part.startsWith('$')))
      throw location(16410, `FieldPath field names may not be empty or start with '$'`);
    const isNested = value instanceof Map && value.size > 0 && !value.keys().next().value!.startsWith('$');
    return isNested ? assignments(value, context, path) : [{ path, compute: expressionOf(value, context) }];
  });
}

function assigned(
  target: Value | undefined,
  path: string[],
  at: number,
  value: Value | undefined,
): Value | undefined {
  if (at === path.length) return value;
  if (Array.isArray(target)) return target.map((one) => assigned(one, path, at, value) ?? null);
  const copy: Doc = new Map(target instanceof Map ? target : []);
  const after = assigned(copy.get(path[at]!), path, at + 1, value);
  if (after === undefined) copy.delete(path[at]!);
  else copy.set(path[at]!, after);
  return copy;
}

const addFields: Maker = (operand, context) => {
  const list = assignments(docOf(operand, '$addFields'), context);
  return mapping((doc) =>
    list.reduce<Doc>((so, { path, compute }) => assigned(so, path, 0, compute(doc)) as Doc, doc),
  );
};

const unset: Maker = (operand) => {
  const names = Array.isArray(operand) ? operand : [operand];
  if (names.length === 0 || !names.every((one): one is string => typeof one === 'string'))
    throw location(31002, '$unset specification must be a string or an array of strings');
  return mapping(
    compileProjection(new Map(names.map((name) => [name, new Int32(0)])), {
      expression: () => () => undefined,
    }),
  );
};

const replaceWith =
  (name: string): Maker =>
  (operand, context) => {
    const compute = expressionOf(operand, context);
    return mapping((doc) => {
      const made = compute(doc);
      if (made instanceof Map) return made;
      throw location(40228, `'${name}' must evaluate to an object`);
    });
  };

const replaceRoot: Maker = (operand, context, compile) => {
  const spec = docOf(operand, '$replaceRoot');
  if (!spec.has('newRoot')) throw location(40231, 'no newRoot specified for the $replaceRoot stage');
  return replaceWith('newRoot expression')(spec.get('newRoot')!, context, compile);
};

const sort: Maker = (operand, context) => {
  const spec = docOf(operand, '$sort');
  if (spec.size === 0) throw location(15976, '$sort stage must have at least one sort key');
  const order = compileSort(spec, context.collate);
  return function* (rows) {
    yield* (yield* gathered(rows)).sort(order);
  };
};

function whole(operand: Value, name: string, least: number, code: number): number {
  const value = isNumber(operand) ? toInteger(operand) : null;
  if (value === null || value < BigInt(least))
    throw location(
      code,
      `invalid argument to ${name} stage: ${isNumber(operand) ? toDouble(operand) : 'not a number'}`,
    );
  return Number(value);
}

const limit: Maker = (operand) => {
  const most = whole(operand, '$limit', 1, 15958);
  return function* (rows) {
    let taken = 0;
    for (const doc of rows) {
      yield doc;
      if (doc !== null) taken += 1;
      if (taken >= most) return;
    }
  };
};

const skip: Maker = (operand) => {
  const count = whole(operand, '$skip', 0, 15956);
  return function* (rows) {
    let passed = 0;
    for (const doc of rows) {
      if (doc !== null) passed += 1;
      if (doc === null || passed > count) yield doc;
    }
  };
};

const count: Maker = (operand) => {
  if (typeof operand !== 'string' || operand === '' || operand.startsWith('$') || operand.includes('.'))
    throw location(40156, 'the count field must be a non-empty string, not begin with $ and hold no dot');
  return function* (rows) {
    let n = 0;
    for (const doc of rows) {
      if (doc === null) yield null;
      else n += 1;
    }
    if (n > 0) yield new Map([[operand, new Int32(n)]]);
  };
};

const unwind: Maker = (operand) => {
  const spec: Doc = operand instanceof Map ? operand : new Map([['path', operand]]);
  const given = spec.get('path');
  if (typeof given !== 'string' || !given.startsWith('$') || given.length < 2)
    throw location(28818, "path option to $unwind stage should be prefixed with a '$'");
  const path = given.slice(1).split('.');
  const index = spec.get('includeArrayIndex');
  const keeps = spec.get('preserveNullAndEmptyArrays') === true;
  const withIndex = (doc: Doc, at: bigint | null): Doc =>
    typeof index === 'string' ? (assigned(doc, index.split('.'), 0, at) as Doc) : doc;
  return function* (rows) {
    for (const doc of rows) {
      if (doc === null) {
        yield null;
        continue;
      }
      const value = getPath(doc, path);
      if (Array.isArray(value) && value.length > 0)
        for (const [at, item] of value.entries())
          yield withIndex(assigned(doc, path, 0, item) as Doc, BigInt(at));
      else if (value === undefined || value === null || Array.isArray(value)) {
        if (keeps)
          yield withIndex(Array.isArray(value) ? (assigned(doc, path, 0, undefined) as Doc) : doc, null);
      } else yield withIndex(doc, null);
    }
  };
};

const sample: Maker = (operand) => {
  const size = whole(docOf(operand, '$sample').get('size') ?? null, '$sample', 1, 28747);
  return function* (rows) {
    const all = yield* gathered(rows);
    for (let at = all.length - 1; at > 0; at -= 1) {
      const other = Math.floor(Math.random() * (at + 1));
      [all[at], all[other]] = [all[other]!, all[at]!];
    }
    yield* all.slice(0, size);
  };
};

const documents: Maker = (operand, context) => {
  const compute = expressionOf(operand, context);
  return function* () {
    const list = compute(new Map());
    if (!Array.isArray(list)) throw location(5858203, 'an array is expected');
    for (const one of list) if (one instanceof Map) yield one;
  };
};

const localSessions: Maker = (_operand, context) =>
  function* () {
    yield* context.localSessions?.() ?? [];
  };

const searchIndexes: Maker = () => {
  throw new StoreError(
    31082,
    'SearchNotEnabled',
    'Search indexes are a service of Atlas: this store has none, and no $listSearchIndexes stage.',
  );
};

export const stageMakers: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['$match', match],
  ['$project', project],
  ['$addFields', addFields],
  ['$set', addFields],
  ['$unset', unset],
  ['$replaceRoot', replaceRoot],
  ['$replaceWith', replaceWith('replacement document')],
  ['$sort', sort],
  ['$limit', limit],
  ['$skip', skip],
  ['$count', count],
  ['$unwind', unwind],
  ['$sample', sample],
  ['$group', group],
  ['$sortByCount', sortByCount],
  ['$lookup', lookup],
  ['$facet', facet],
  ['$unionWith', unionWith],
  ['$documents', documents],
  ['$listLocalSessions', localSessions],
  ['$listSearchIndexes', searchIndexes],
]);
