import type { Doc, Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import type { Collate } from '../values/compare.js';
import { constant, type Expression, folded, type Scope, type Variables } from './expression.js';
import { assertFieldName, partsOf, valueAt } from './field-path.js';
import { operators } from './operators.js';
import { assertReadable } from './variables.js';

export type { Expression, Variables } from './expression.js';

export interface ExpressionContext {
  /** How strings compare; without it, by their bytes. */
  collate?: Collate | undefined;
  /**
   * The variables that will be bound when the expression is evaluated, beside those of the system. Given, a use of any
   * other is an error at once; not given, when it is evaluated.
   */
  variables?: Iterable<string> | undefined;
}

/**
 * Compiles an expression of MongoDB's aggregation language.
 *
 * The expression reads the document it is called with, and variables by their names: `NOW` (a date) and `CLUSTER_TIME`
 * (a timestamp) are the stage's to give, `ROOT` only where it is another document than the one passed. The variables
 * that an expression binds for itself never reach the caller's map.
 *
 * @throws StoreError when it is not an expression; what depends on the values of a document is thrown by the expression
 */
export function compileExpression(expression: Value, context: ExpressionContext = {}): Expression {
  const known = context.variables === undefined ? undefined : new Set(context.variables);
  return scopeOf(context.collate, known, new Set()).compile(expression);
}

function scopeOf(
  collate: Collate | undefined,
  known: ReadonlySet<string> | undefined,
  bound: ReadonlySet<string>,
): Scope {
  const scope: Scope = {
    collate,
    compile: (expression) => {
      if (typeof expression === 'string' && expression.startsWith('$'))
        return expression.startsWith('$$')
          ? variable(expression, known, bound)
          : field(expression, bound.has('CURRENT') || known?.has('CURRENT') === true);
      if (Array.isArray(expression)) return list(expression, scope);
      if (expression instanceof Map) return document(expression, scope);
      return constant(expression);
    },
    binding: (names) => scopeOf(collate, known, new Set([...bound, ...names])),
  };
  return scope;
}

function field(path: string, isCurrentBound: boolean): Expression {
  if (path.length === 1) throw location(16872, "'$' by itself is not a valid FieldPath");
  const parts = partsOf(path.slice(1));
  if (isCurrentBound) return (_, variables) => valueAt(variables.get('CURRENT'), parts, 0);
  if (parts.length > 1) return (doc) => valueAt(doc, parts, 0);
  const [name] = parts as [string];
  return (doc) => doc.get(name);
}

function variable(
  path: string,
  known: ReadonlySet<string> | undefined,
  bound: ReadonlySet<string>,
): Expression {
  const [name = '', ...parts] = path.slice(2).split('.');
  assertReadable(name);
  if (parts.length > 0) partsOf(parts.join('.'));
  const whole = wholeVariable(name, known, bound);
  return parts.length === 0
    ? whole
    : folded((doc, variables) => valueAt(whole(doc, variables), parts, 0), [whole]);
}

const fromOutside = new Set(['NOW', 'CLUSTER_TIME', 'SEARCH_META', 'USER_ROLES']);

function wholeVariable(
  name: string,
  known: ReadonlySet<string> | undefined,
  bound: ReadonlySet<string>,
): Expression {
  if (bound.has(name)) return (_, variables) => variables.get(name);
  if (name === 'REMOVE') return constant(undefined);
  if (name === 'ROOT') return rootOf;
  if (name === 'CURRENT') return known?.has('CURRENT') ? (_, variables) => variables.get(name) : (doc) => doc;
  if (fromOutside.has(name)) return (_, variables) => given(name, variables);
  if (known && !known.has(name)) throw undefinedVariable(name);
  return (_, variables) => {
    const value = variables.get(name);
    if (value === undefined && !variables.has(name)) throw undefinedVariable(name);
    return value;
  };
}

function rootOf(doc: Doc, variables: Variables): Value | undefined {
  return variables.has('ROOT') ? variables.get('ROOT') : doc;
}

function given(name: string, variables: Variables): Value | undefined {
  if (!variables.has(name)) throw location(51144, `Builtin variable '$$${name}' is not available`);
  return variables.get(name);
}

const undefinedVariable = (name: string) => location(17276, `Use of undefined variable: ${name}`);

function list(elements: readonly Value[], scope: Scope): Expression {
  const parts = elements.map((element) => scope.compile(element));
  return folded((doc, variables) => parts.map((part) => part(doc, variables) ?? null), parts);
}

function document(fields: Doc, scope: Scope): Expression {
  const [first] = fields.keys();
  if (first?.startsWith('$')) return operation(first, fields, scope);
  const parts = [...fields].map(([name, value]) => {
    assertFieldName(name);
    return [name, scope.compile(value)] as const;
  });
  return folded(
    (doc, variables) => {
      const result: Doc = new Map();
      for (const [name, part] of parts) {
        const value = part(doc, variables);
        if (value !== undefined) result.set(name, value);
      }
      return result;
    },
    parts.map(([, part]) => part),
  );
}

function operation(name: string, fields: Doc, scope: Scope): Expression {
  if (fields.size !== 1)
    throw location(
      15983,
      `An object representing an expression must have exactly one field: { ${[...fields.keys()].join(', ')} }`,
    );
  const operator = operators.get(name);
  if (!operator) throw new StoreError(168, 'InvalidPipelineOperator', `Unrecognized expression '${name}'`);
  return operator(fields.get(name)!, scope, name);
}
