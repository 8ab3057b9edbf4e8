import { type Doc, Opaque, type, type Value } from '../bson/types.js';
import type { Collate } from '../values/compare.js';

/** What a variable is bound to by name, without the `$$`: what the stage gives, and what expressions bind on top. */
export type Variables = Map<string, Value | undefined>;

/** An expression made ready: `undefined` is a missing value, which is not null. */
export type Expression = (doc: Doc, variables: Variables) => Value | undefined;

/** What an operator knows while it is compiled: how strings compare, and which variables stand around it. */
export interface Scope {
  collate: Collate | undefined;
  compile(expression: Value): Expression;
  /** The scope within an operator that binds these variables. */
  binding(names: readonly string[]): Scope;
}

/** Compiles `{ $name: argument }`. */
export type Operator = (argument: Value, scope: Scope, name: string) => Expression;

const constants = new WeakMap<Expression, { value: Value | undefined }>();

export function constant(value: Value | undefined): Expression {
  const expression = () => value;
  constants.set(expression, { value });
  return expression;
}

/** The value of an expression that does not depend on any document, or `undefined` when it may. */
export function constantOf(expression: Expression): { value: Value | undefined } | undefined {
  return constants.get(expression);
}

const noDocument: Doc = new Map();
const noVariables: Variables = new Map();

/**
 * The expression, worked out once when all it is made of is constant. MongoDB does the same before it reads a document,
 * so that what is wrong in a constant is an error even where there is nothing to read.
 */
export function folded(expression: Expression, parts: readonly (Expression | undefined)[]): Expression {
  const isConstant = parts.every((part) => part === undefined || constants.has(part));
  return isConstant ? constant(expression(noDocument, noVariables)) : expression;
}

/** Missing, null, or BSON's old undefined: most operators answer null to them. */
export function isNullish(value: Value | undefined): value is null | undefined | Opaque {
  return value === null || value === undefined || (value instanceof Opaque && value.type === type.undefined);
}
