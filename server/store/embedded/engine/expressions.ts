import type { Doc, Value } from '../bson/types.js';
import { compileExpression } from '../expressions/compile.js';
import type { Collate } from '../values/compare.js';

/** `let` of a command, `$$NOW` and the like: one set for the whole of it. */
export type Variables = Map<string, Value | undefined>;

/** What a filter's `$expr`, a projection and an update by pipeline are computed with. */
export function expressionFor(variables: Variables = new Map(), collate?: Collate) {
  return (expression: Value): ((doc: Doc) => Value | undefined) => {
    const compute = compileExpression(expression, { collate });
    return (doc) => compute(doc, variables);
  };
}
