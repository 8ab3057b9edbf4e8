import { BSONRegExp } from 'bson';
import { type Doc, Opaque, type Value } from '../bson/types.js';
import { failedToParse } from '../errors.js';
import type { Expression, Variables } from '../expressions/compile.js';
import { hasOperators } from '../query/match.js';
import { pathOf, valuesAt } from '../values/path.js';
import { expressionOf, filterOf, type Rows, type Scope } from './stage.js';

/** Reading another collection: what its index can answer is asked of it, the rest is looked at here. */

/** Whether a filter computes anything: what its variables are bound to, only the stage knows. */
function computes(value: Value): boolean {
  if (Array.isArray(value)) return value.some(computes);
  if (!(value instanceof Map)) return false;
  return [...value].some(([name, one]) => name === '$expr' || computes(one));
}

/** That a field is equal to what does not depend on the document, out of `{ $expr: { $eq: ['$field', ...] } }`. */
interface Equality {
  field: string;
  value: Expression;
}

function equalities(expression: Value | undefined, scope: Scope): Equality[] {
  if (!(expression instanceof Map) || expression.size !== 1) return [];
  const all = expression.get('$and');
  if (Array.isArray(all)) return all.flatMap((one) => equalities(one, scope));
  const sides = expression.get('$eq');
  if (!Array.isArray(sides) || sides.length !== 2) return [];
  for (const [field, other] of [sides, [...sides].reverse()])
    if (isField(field) && isVariable(other))
      return [{ field: field.slice(1), value: expressionOf(other, scope) }];
  return [];
}

const isField = (value: Value | undefined): value is string =>
  typeof value === 'string' && /^\$[^$]/.test(value);
const isVariable = (value: Value | undefined): value is string =>
  typeof value === 'string' && /^\$\$[a-z]/.test(value);

/**
 * What an index may be asked for, though it finds more than is equal. An array is left out: along a path through one, an
 * expression puts together an array that no filter looks for.
 */
function equalityFilter({ field, value }: Equality, variables: Variables): Doc[] {
  const wanted = value(noDocument, variables);
  if (wanted === undefined || Array.isArray(wanted) || wanted instanceof Opaque) return [];
  return [new Map([[field, new Map([['$eq', wanted]])]])];
}

const noDocument: Doc = new Map();

const allOf = (filters: readonly Doc[]): Doc =>
  filters.length > 1 ? new Map([['$and', [...filters]]]) : (filters[0] ?? noDocument);

export type Reading = (variables: Variables) => Rows;

/** All documents of a collection that fit a filter. */
export function readingOf(collection: string, filters: readonly Doc[], scope: Scope): Reading {
  const { context } = scope;
  const given = allOf(filters);
  const matches = given.size === 0 ? null : filterOf(given, scope);
  const plain = filters
    .map((filter): Doc => new Map([...filter].filter(([name, one]) => name !== '$expr' && !computes(one))))
    .filter((filter) => filter.size > 0);
  const computed = filters.flatMap((filter) => equalities(filter.get('$expr'), scope));
  const isWhole = !filters.some(computes);
  return function* (variables) {
    const asked =
      context.collate === undefined
        ? allOf([...plain, ...computed.flatMap((one) => equalityFilter(one, variables))])
        : noDocument;
    const isAsked = isWhole && context.collate === undefined;
    for (const doc of context.read?.(context.db, collection, asked.size > 0 ? asked : undefined) ?? [])
      if (doc === null || isAsked || !matches || matches(doc, variables)) yield doc;
  };
}

/** A filter by several values of a field, each of them meant as it is: an expression of text is no pattern here. */
export function anyOf(field: string, values: readonly Value[]): Doc {
  const isPlain = values.every((value) => !(value instanceof BSONRegExp) && !hasOperators(value));
  if (isPlain) return new Map([[field, new Map([['$in', [...values]]])]]);
  return new Map([['$or', values.map((value): Doc => new Map([[field, new Map([['$eq', value]])]]))]]);
}

/** Everything at a path, an array's elements instead of the array: what joins go by. */
export const joinValues = (doc: Doc, path: string): Value[] =>
  valuesAt(doc, pathOf(path)).flatMap((value): Value[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value],
  );

export const noCollection = (stage: string) =>
  failedToParse(
    `${stage} stage without explicit collection must have a pipeline with $documents as first stage`,
  );
