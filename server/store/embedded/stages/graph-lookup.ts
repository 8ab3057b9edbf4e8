import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location } from '../errors.js';
import type { Expression, Variables } from '../expressions/compile.js';
import { typeName } from '../values/compare.js';
import { isNumber, toInteger } from '../values/numbers.js';
import { show } from '../values/show.js';
import { anyOf, joinValues, readingOf } from './foreign.js';
import { groupingBy, valueSet } from './grouping.js';
import { balanceFor } from './memory.js';
import { withValue } from './paths.js';
import { pathFrom, within } from './spec.js';
import { expressionOf, filterOf, type Maker, type Scope } from './stage.js';

/** `$graphLookup`: rows of another collection that are reached from a document, step by step. */

interface Graph {
  from: string;
  as: string[];
  startWith: Expression;
  connectFrom: string;
  connectTo: string;
  depth: string[] | null;
  mostDepth: number;
  restrict: Doc | null;
}

const names = ['from', 'as', 'connectFromField', 'connectToField', 'depthField'];

function read(operand: Value, scope: Scope): Graph {
  if (!(operand instanceof Map))
    throw failedToParse(
      `the $graphLookup stage specification must be an object, but found ${typeName(operand)}`,
    );
  if (!operand.has('from'))
    throw failedToParse(`missing 'from' option to $graphLookup stage specification: ${show(operand)}`);
  const texts = new Map<string, string>();
  let mostDepth = Number.POSITIVE_INFINITY;
  let restrict: Doc | null = null;
  for (const [name, value] of operand) {
    if (name === 'maxDepth') mostDepth = depthFrom(value);
    else if (name === 'restrictSearchWithMatch') restrict = restrictionFrom(value, scope);
    else if (names.includes(name)) texts.set(name, textFrom(name, value));
    else if (name !== 'startWith') throw location(40104, `Unknown argument to $graphLookup: ${name}`);
  }
  const [from, as, connectFrom, connectTo] = names.slice(0, 4).map((name) => texts.get(name));
  const start = operand.get('startWith');
  if (!from || !as || !connectFrom || !connectTo || start === undefined)
    throw location(
      40105,
      "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and 'connectToField' to be specified.",
    );
  for (const path of [connectFrom, connectTo]) pathFrom(path);
  const depth = texts.get('depthField');
  return {
    from,
    as: pathFrom(as),
    startWith: expressionOf(start, scope),
    connectFrom,
    connectTo,
    depth: depth === undefined ? null : pathFrom(depth),
    mostDepth,
    restrict,
  };
}

function depthFrom(value: Value): number {
  if (!isNumber(value)) throw location(40100, `maxDepth must be numeric, found type: ${typeName(value)}`);
  const whole = toInteger(value);
  if (whole === null || whole > 2n ** 63n - 1n)
    throw location(40102, `maxDepth could not be represented as a long long: ${show(value)}`);
  if (whole < 0n) throw location(40101, `maxDepth requires a nonnegative argument, found: ${whole}`);
  return Number(whole);
}

function restrictionFrom(value: Value, scope: Scope): Doc {
  if (!(value instanceof Map))
    throw location(40185, `restrictSearchWithMatch must be an object, found ${typeName(value)}`);
  within("Failed to parse 'restrictSearchWithMatch' option to $graphLookup", () => filterOf(value, scope));
  return value;
}

function textFrom(name: string, value: Value): string {
  if (typeof value === 'string') return value;
  if (name === 'from')
    throw failedToParse(`$graphLookup 'from' field must be a string, but found ${typeName(value)}`);
  throw location(40103, `expected string as argument for ${name}, found: ${typeName(value)}`);
}

/** Null is looked for where it stands, and not where nothing does. */
function steps(connectTo: string, values: Value[], restrict: Doc | null): Doc[] {
  const filters = [anyOf(connectTo, values)];
  if (values.includes(null)) filters.push(new Map([[connectTo, new Map([['$exists', true]])]]));
  if (restrict) filters.push(restrict);
  return filters;
}

export const graphLookup: Maker = (operand, scope) => {
  const graph = read(operand, scope);
  return function* (rows, variables) {
    for (const doc of rows) {
      if (doc === null) yield null;
      else yield withValue(doc, graph.as, yield* reached(graph, doc, variables, scope));
    }
  };
};

function* reached(graph: Graph, doc: Doc, variables: Variables, scope: Scope): Generator<null, Doc[]> {
  const { collate, db } = scope.context;
  // The same document is told by its _id as it is, whatever the collation takes for equal.
  const found = groupingBy<Doc>(undefined);
  const asked = valueSet(collate);
  const held = balanceFor('$graphLookup');
  const start = graph.startWith(doc, variables);
  let frontier = (Array.isArray(start) ? start : [start]).filter(
    (value): value is Value => value !== undefined && asked.add(value),
  );
  for (let depth = 0; frontier.length > 0 && depth <= graph.mostDepth; depth += 1) {
    const next: Value[] = [];
    for (const one of readingOf(
      graph.from,
      steps(graph.connectTo, frontier, graph.restrict),
      scope,
    )(variables)) {
      if (one === null) {
        yield null;
        continue;
      }
      const id = one.get('_id');
      if (id === undefined)
        throw location(
          40271,
          `Documents in the '${db}.${graph.from}' namespace must contain an _id for de-duplication in $graphLookup`,
        );
      if (found.get(id)) continue;
      held.add(one);
      found.at(id, () => (graph.depth ? withValue(one, graph.depth, BigInt(depth)) : one));
      for (const value of joinValues(one, graph.connectFrom)) if (asked.add(value)) next.push(value);
    }
    frontier = next;
  }
  return [...found.items()];
}
