import type { Doc, Value } from '../bson/types.js';
import { compileExpression, type Expression, type Variables } from '../expressions/compile.js';
import { compileFilter } from '../query/match.js';
import type { Collate } from '../values/compare.js';
import { balanceFor } from './memory.js';

/** What every stage is made of. */

/** Documents; `null` now and then, where a long reading may be interrupted: every stage hands it on. */
export type Rows = Iterable<Doc | null>;

/** A stage, compiled once: rows in, rows out. It keeps nothing between two runs. */
export type Stage = (rows: Rows, variables: Variables) => Rows;

/** What a pipeline may reach beside its input. What is not given is refused where a stage asks for it. */
export interface PipelineContext {
  /** How strings compare; without it, by their bytes. */
  collate?: Collate | undefined;
  /** `NOW`, `CLUSTER_TIME` and what the command's `let` bound. */
  variables?: Variables;
  db: string;
  /** The collection that is read; null for a pipeline of the database as a whole. */
  collection?: string | null | undefined;
  now?: Date;
  /** Documents of a collection that fit a filter, strings compared by their bytes. */
  read?(db: string, collection: string, filter?: Doc): Rows;
  /** Whether such a filter on a field is answered from an index. */
  isIndexed?(db: string, collection: string, field: string): boolean;
  localSessions?(): Iterable<Doc>;
  operations?(): Iterable<Doc>;
  indexStats?(db: string, collection: string): Iterable<Doc>;
  /** How many documents a collection holds; null where there is none. */
  count?(db: string, collection: string): number | null;
}

/** A stage that holds pipelines of its own. */
export type Outer = '$lookup' | '$facet' | '$unionWith';

/** Where a pipeline inside of another stands. */
export interface Inner {
  outer: Outer;
  /** What it reads; null for one that begins with documents of its own. */
  collection?: string | null;
  /** Variables that are bound for it besides. */
  names?: Iterable<string>;
}

/** What a stage knows while it is compiled. */
export interface Scope {
  readonly context: PipelineContext;
  /** The variables that will be bound when it runs. */
  readonly names: ReadonlySet<string>;
  /** Compiles a pipeline inside of this one. */
  compile(pipeline: readonly Doc[], inner: Inner): Stage;
  /** The same, but for the filters it begins with: whoever reads its rows asks for these at once. */
  compileAfterFilters(pipeline: readonly Doc[], inner: Inner): { filters: Doc[]; run: Stage; scope: Scope };
}

/** Compiles a stage's operand. `limit`: how many of its rows the stages after it will take at most. */
export type Maker = (operand: Value, scope: Scope, name: string, limit: number | undefined) => Stage;

export const variablesOf = (context: PipelineContext): Variables =>
  context.variables ?? new Map<string, Value | undefined>([['NOW', context.now ?? new Date()]]);

export const expressionOf = (
  value: Value,
  { context, names }: Scope,
  bound: readonly string[] = [],
): Expression =>
  compileExpression(value, {
    collate: context.collate,
    variables: bound.length === 0 ? names : [...names, ...bound],
  });

const none: Variables = new Map();

/**
 * Compiles what takes expressions but no variables, such as filters: they are set each time before it is asked, so that
 * runs of the same stage may go on side by side.
 */
export function withVariables<Result>(
  scope: Scope,
  make: (expression: (value: Value) => (doc: Doc) => Value | undefined) => (doc: Doc) => Result,
): (doc: Doc, variables: Variables) => Result {
  let current = none;
  const asked = make((value) => {
    const compute = expressionOf(value, scope);
    return (doc) => compute(doc, current);
  });
  return (doc, variables) => {
    current = variables;
    return asked(doc);
  };
}

export const filterOf = (filter: Doc, scope: Scope): ((doc: Doc, variables: Variables) => boolean) =>
  withVariables(scope, (expression) => compileFilter(filter, { collate: scope.context.collate, expression }));

/** A stage that makes one row of each. */
export const mapping = (change: (doc: Doc, variables: Variables) => Doc): Stage =>
  function* (rows, variables) {
    for (const doc of rows) yield doc === null ? null : change(doc, variables);
  };

/** A stage that brings rows of its own and looks at no others. */
export const sourcing = (rows: (variables: Variables) => Iterable<Doc>): Stage =>
  function* (_rows, variables) {
    yield* rows(variables);
  };

/** All rows at once, for stages that cannot answer before the last: interrupted as the rows are. */
export function* gathered(rows: Rows, what: string): Generator<null, Doc[]> {
  const all: Doc[] = [];
  const held = balanceFor(what);
  for (const doc of rows) {
    if (doc === null) {
      yield null;
      continue;
    }
    held.add(doc);
    all.push(doc);
  }
  return all;
}

/** The same rows, on the balance of a stage that will hold them all. */
export function* weighed(rows: Rows, what: string): Generator<Doc | null> {
  const held = balanceFor(what);
  for (const doc of rows) {
    if (doc !== null) held.add(doc);
    yield doc;
  }
}
