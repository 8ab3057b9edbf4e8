import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Expression, Variables } from '../expressions/compile.js';
import { typeName } from '../values/compare.js';
import { show } from '../values/show.js';
import { pathFrom, within } from './spec.js';
import { expressionOf, type Maker, mapping, type Scope } from './stage.js';

/** `$addFields`: computed values put at paths, into each document of an array that is on the way. */

export type Assignments = Map<string, Expression | Assignments>;

/** @throws StoreError 40176 when a path is written twice, or a part of another */
export function put(at: Assignments, path: readonly string[], compute: Expression, whole = path): void {
  const [name, ...rest] = path as [string, ...string[]];
  const present = at.get(name);
  if (rest.length === 0) {
    if (present !== undefined) throw conflict(whole);
    at.set(name, compute);
    return;
  }
  if (typeof present === 'function') throw conflict(whole);
  const below: Assignments = present ?? new Map();
  at.set(name, below);
  put(below, rest, compute, whole);
}

const conflict = (path: readonly string[]) =>
  location(
    40176,
    `specification contains two conflicting paths: '${path.join('.')}' is given besides itself or a part of it`,
  );

function read(at: Assignments, path: string[], value: Value, scope: Scope): void {
  if (!(value instanceof Map)) {
    put(at, path, expressionOf(value, scope));
    return;
  }
  const [first] = value.keys();
  if (first === undefined)
    throw location(
      40180,
      `an empty object is not a valid value. Found empty object at path ${path.join('.')}`,
    );
  if (first.startsWith('$')) {
    if (value.size !== 1)
      throw location(
        40182,
        `an expression specification must contain exactly one field, the name of the expression. Found ${value.size} fields in ${show(value)}, while parsing object at path ${path.join('.')}`,
      );
    put(at, path, expressionOf(value, scope));
    return;
  }
  for (const [name, one] of value) {
    if (name.includes('.')) throw location(40183, `cannot use dotted field name '${name}' in a sub object`);
    read(at, [...path, ...pathFrom(name)], one, scope);
  }
}

/** Puts computed values into a document; expressions see the document as it was. */
export function assigned(doc: Doc, assignments: Assignments, root: Doc, variables: Variables): Doc {
  const result = new Map(doc);
  for (const [name, node] of assignments) {
    const value =
      typeof node === 'function' ? node(root, variables) : below(result.get(name), node, root, variables);
    if (value === undefined) result.delete(name);
    else result.set(name, value);
  }
  return result;
}

function below(value: Value | undefined, node: Assignments, root: Doc, variables: Variables): Value {
  if (Array.isArray(value)) return value.map((one) => below(one, node, root, variables));
  return assigned(value instanceof Map ? value : new Map(), node, root, variables);
}

export const addFields: Maker = (operand, scope, name) => {
  if (!(operand instanceof Map))
    throw location(40272, `${name} specification stage must be an object, got ${typeName(operand)}`);
  const assignments: Assignments = new Map();
  within(`Invalid ${name}`, () => {
    if (operand.size === 0) throw location(40177, 'specification must have at least one field');
    for (const [path, value] of operand) read(assignments, pathFrom(path), value, scope);
  });
  return mapping((doc, variables) => assigned(doc, assignments, doc, variables));
};
