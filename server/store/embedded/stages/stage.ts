import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { compileExpression, type Expression } from '../expressions/compile.js';
import type { Collate } from '../values/compare.js';

/** What every stage is made of. */

/** Documents; `null` now and then, where a long reading may be interrupted: every stage hands it on. */
export type Rows = Iterable<Doc | null>;
export type Stage = (rows: Rows) => Rows;

/** What stages may reach beside their input. */
export interface PipelineContext {
  collate?: Collate | undefined;
  variables?: Map<string, Value | undefined>;
  db: string;
  now?: Date;
  /** Documents of another collection, for `$lookup` and its kin. */
  read?(db: string, collection: string, filter?: Doc): Iterable<Doc>;
  localSessions?(): Iterable<Doc>;
  count?(db: string, collection: string): number | null;
}

/** Compiles a stage's operand; `compile` is for stages that hold pipelines of their own. */
export type Maker = (
  operand: Value,
  context: PipelineContext,
  compile: (pipeline: Doc[], context: PipelineContext) => Stage,
) => Stage;

/** All rows at once, for stages that cannot answer before the last: interrupted as the rows are. */
export function* gathered(rows: Rows): Generator<null, Doc[]> {
  const all: Doc[] = [];
  for (const doc of rows) {
    if (doc === null) yield null;
    else all.push(doc);
  }
  return all;
}

export const variablesOf = (context: PipelineContext): Map<string, Value | undefined> =>
  context.variables ?? new Map<string, Value | undefined>([['NOW', context.now ?? new Date()]]);

/** An expression of a stage, as a function of a document. */
export function expressionOf(value: Value, context: PipelineContext): (doc: Doc) => Value | undefined {
  const compute: Expression = compileExpression(value, { collate: context.collate });
  const variables = variablesOf(context);
  return (doc) => compute(doc, variables);
}

export function docOf(operand: Value, name: string): Doc {
  if (!(operand instanceof Map)) throw location(15959, `the ${name} stage takes an object`);
  return operand;
}
