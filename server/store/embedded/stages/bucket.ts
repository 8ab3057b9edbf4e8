import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { constantOf } from '../expressions/expression.js';
import { bracketOf, compare, typeName } from '../values/compare.js';
import { show } from '../values/show.js';
import { countField, type Field, fieldFrom, grouping } from './group.js';
import { orderBy, sorting } from './order.js';
import { expressionOf, type Maker, type Scope } from './stage.js';

/** `$bucket`: documents grouped by which of several stretches a value lies in. */

/** Numbers are of one kind; so are, with MongoDB, strings and its old symbols. */
const kindOf = (value: Value | undefined): number => bracketOf(value);

function boundariesFrom(value: Value, scope: Scope): Value[] {
  if (!Array.isArray(value))
    throw location(
      40200,
      `The $bucket 'boundaries' field must be an array, but found type: ${typeName(value)}.`,
    );
  const boundaries = value.map((one) => {
    const given = constantOf(expressionOf(one, scope));
    if (!given)
      throw location(
        40191,
        `The $bucket 'boundaries' field must be an array of constant values, but found value: ${show(one)}.`,
      );
    return given.value ?? null;
  });
  if (boundaries.length < 2)
    throw location(
      40192,
      `The $bucket 'boundaries' field must have at least 2 values, but found ${boundaries.length} value(s).`,
    );
  for (let n = 1; n < boundaries.length; n += 1) {
    const [lower, upper] = [boundaries[n - 1], boundaries[n]];
    if (kindOf(lower) !== kindOf(upper))
      throw location(
        40193,
        `All values in the 'boundaries' option to $bucket must have the same type. Found conflicting types ${typeName(lower)} and ${typeName(upper)}.`,
      );
    if (compare(lower, upper, scope.context.collate) >= 0)
      throw location(
        40194,
        `The 'boundaries' option to $bucket must be sorted, but elements ${n - 1} and ${n} are not in ascending order (${show(lower)} is not less than ${show(upper)}).`,
      );
  }
  return boundaries;
}

/** @throws StoreError with `code` when what is grouped by could only be a constant */
export function checkGroupBy(value: Value, code: number, stage: string): void {
  const isExpression = value instanceof Map && value.keys().next().value?.startsWith('$') === true;
  const isPath = typeof value === 'string' && value.startsWith('$');
  if (!isExpression && !isPath)
    throw location(
      code,
      `The ${stage} 'groupBy' field must be defined as a $-prefixed path or an expression, but found: ${show(value)}.`,
    );
}

export function outputFrom(value: Value, code: number, stage: string, scope: Scope): Field[] {
  if (!(value instanceof Map))
    throw location(
      code,
      `The ${stage} 'output' field must be an object, but found type: ${typeName(value)}.`,
    );
  return [...value].map(([name, given]) => fieldFrom(name, given, scope));
}

interface Bucketing {
  groupBy: Value;
  boundaries: Value[];
  /** The key of what lies in no stretch; without one, that is an error. */
  otherwise: { value: Value } | null;
  fields: Field[];
}

function read(operand: Value, scope: Scope): Bucketing {
  if (!(operand instanceof Map))
    throw location(
      40201,
      `Argument to $bucket stage must be an object, but found type: ${typeName(operand)}.`,
    );
  for (const name of operand.keys())
    if (!['groupBy', 'boundaries', 'default', 'output'].includes(name))
      throw location(40197, `Unrecognized option to $bucket: ${name}.`);
  const groupBy = operand.get('groupBy');
  const given = operand.get('boundaries');
  if (groupBy !== undefined) checkGroupBy(groupBy, 40202, '$bucket');
  const boundaries = given === undefined ? [] : boundariesFrom(given, scope);
  const output = operand.get('output');
  const fields = output === undefined ? [countField(scope)] : outputFrom(output, 40196, '$bucket', scope);
  if (groupBy === undefined || boundaries.length === 0)
    throw location(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  return { groupBy, boundaries, otherwise: defaultFrom(operand, boundaries, scope), fields };
}

function defaultFrom(operand: Doc, boundaries: Value[], scope: Scope): { value: Value } | null {
  const given = operand.get('default');
  if (given === undefined) return null;
  const constant = constantOf(expressionOf(given, scope));
  if (!constant)
    throw location(
      40195,
      `The $bucket 'default' field must be a constant expression, but found: ${show(given)}.`,
    );
  const value = constant.value ?? null;
  const { collate } = scope.context;
  const [least, most] = [boundaries[0], boundaries.at(-1)];
  if (
    kindOf(value) === kindOf(least) &&
    compare(value, least, collate) >= 0 &&
    compare(value, most, collate) < 0
  )
    throw location(
      40199,
      "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary.",
    );
  return { value };
}

export const bucket: Maker = (operand, scope, _name, limit) => {
  const { groupBy, boundaries, otherwise, fields } = read(operand, scope);
  const { collate } = scope.context;
  const compute = expressionOf(groupBy, scope);
  /** Of a value below a boundary, that before it. */
  const stretchOf = (value: Value | undefined): Value | undefined => {
    let [from, to] = [0, boundaries.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compare(value, boundaries[middle], collate) < 0) to = middle;
      else from = middle + 1;
    }
    return from === boundaries.length ? undefined : boundaries[from - 1];
  };
  const grouped = grouping(
    (doc, variables) => {
      const key = stretchOf(compute(doc, variables));
      if (key !== undefined) return key;
      if (otherwise) return otherwise.value;
      throw location(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    },
    fields,
    scope,
  );
  const ordered = sorting(
    orderBy('_id', (left, right) => compare(left, right, collate)),
    limit,
  );
  return (rows, variables) => ordered(grouped(rows, variables), variables);
};
