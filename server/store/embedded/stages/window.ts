import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location, typeMismatch } from '../errors.js';
import { constantOf } from '../expressions/expression.js';
import { compileSort } from '../query/sort.js';
import { compare, typeName } from '../values/compare.js';
import { type Assignments, assigned, put } from './assign.js';
import { groupingBy } from './grouping.js';
import { inOrder } from './order.js';
import { pacer } from './pace.js';
import { checkFields, optionalDoc, pathFrom } from './spec.js';
import { expressionOf, gathered, type Maker, type Scope, weighed } from './stage.js';
import { windowFunctions } from './window-functions.js';
import { partitionOf, type SortBy, type WindowFunction } from './window-partition.js';

/** `$setWindowFields`: values computed from the rows around each row. */

interface Output {
  path: string[];
  compute: WindowFunction;
}

function outputFrom(name: string, given: Value, sortBy: SortBy | null, scope: Scope): Output {
  if (!(given instanceof Map))
    throw failedToParse(`The field '${name}' must be a window function object, but found ${typeName(given)}`);
  const operator = [...given.keys()].find((key) => key.startsWith('$'));
  if (operator === undefined) {
    const [first] = given.keys();
    throw failedToParse(`Expected a $-prefixed window function${first === undefined ? '' : `, ${first}`}`);
  }
  const make = windowFunctions.get(operator);
  if (!make) throw failedToParse(`Unrecognized window function, ${operator}`);
  for (const key of given.keys()) {
    if (key === operator || key === 'window') continue;
    throw failedToParse(
      windowFunctions.has(key)
        ? 'Cannot specify two functions in window function spec'
        : `Window function found an unknown argument: ${key}`,
    );
  }
  const compute = make({
    name: operator,
    argument: given.get(operator)!,
    window: given.get('window'),
    sortBy,
    scope,
  });
  return { path: pathFrom(name), compute };
}

/** Paths that are written into, held to not being parts of one another. */
function checkApart(outputs: readonly Output[]): void {
  const paths = outputs.map(({ path }) => `${path.join('.')}.`);
  if (paths.some((one, n) => paths.some((other, m) => n !== m && other.startsWith(one))))
    throw location(6_307_900, "$setWindowFields 'output' specification contains two conflicting paths");
}

function sortByFrom(spec: Doc | undefined, scope: Scope): SortBy | null {
  if (!spec) return null;
  const order = compileSort(spec, scope.context.collate);
  const parts = [...spec].map(([path, direction]) => ({
    isAscending: compare(direction, 0) > 0,
    value: expressionOf(`$${path}`, scope),
  }));
  return { order, parts };
}

const noArrays = () => typeMismatch('An expression used to partition cannot evaluate to value of type array');

export const setWindowFields: Maker = (operand, scope, name) => {
  if (!(operand instanceof Map))
    throw failedToParse(`the ${name} stage specification must be an object, found ${typeName(operand)}`);
  checkFields(operand, name, ['partitionBy', 'sortBy', 'output'], ['output']);
  const given = operand.get('partitionBy');
  const partitionBy = given === undefined ? null : expressionOf(given, scope);
  if (partitionBy && Array.isArray(constantOf(partitionBy)?.value)) throw noArrays();
  const sortBy = sortByFrom(optionalDoc(operand, name, 'sortBy'), scope);
  const outputs = [...optionalDoc(operand, name, 'output')!].map(([field, one]) =>
    outputFrom(field, one, sortBy, scope),
  );
  checkApart(outputs);
  let row: (Value | undefined)[] = [];
  const assignments: Assignments = new Map();
  for (const [n, { path }] of outputs.entries()) put(assignments, path, () => row[n]);
  const { collate } = scope.context;
  return function* (rows, variables) {
    const all = sortBy ? yield* inOrder(weighed(rows, name), sortBy.order) : yield* gathered(rows, name);
    const partitions = groupingBy<{ key: Value; docs: Doc[] }>(collate);
    for (const doc of all) {
      const key = partitionBy?.(doc, variables) ?? null;
      if (Array.isArray(key)) throw noArrays();
      partitions.at(key, () => ({ key, docs: [] })).docs.push(doc);
    }
    const isTime = pacer();
    const ordered = [...partitions.items()].sort((left, right) => compare(left.key, right.key, collate));
    for (const { docs } of ordered) {
      const partition = partitionOf(docs, sortBy, variables);
      const computed = outputs.map(({ compute }) => compute(partition, variables));
      for (const [at, doc] of docs.entries()) {
        if (isTime()) yield null;
        row = computed.map((valueAt) => valueAt(at));
        yield assigned(doc, assignments, doc, variables);
      }
    }
  };
};
