import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Variables } from '../expressions/compile.js';
import { show } from '../values/show.js';
import { expressionOf, type Maker } from './stage.js';

/** `$redact`: each document, and each one in it, is kept, left out, or looked into. */

const decisions = ['KEEP', 'PRUNE', 'DESCEND'] as const;

export const redact: Maker = (operand, scope) => {
  const decide = expressionOf(operand, scope, ['CURRENT', ...decisions]);

  function redacted(doc: Doc, root: Doc, variables: Variables): Doc | undefined {
    const decision = decide(root, variables.set('CURRENT', doc));
    switch (decision) {
      case 'keep':
        return doc;
      case 'prune':
        return undefined;
      case 'descend': {
        const result: Doc = new Map();
        for (const [name, value] of doc) {
          const kept = below(value, root, variables);
          if (kept !== undefined) result.set(name, kept);
        }
        return result;
      }
      default:
        throw location(
          17053,
          `$redact's expression should not return anything aside from the variables $$KEEP, $$DESCEND, and $$PRUNE, but returned ${show(decision)}`,
        );
    }
  }

  function below(value: Value, root: Doc, variables: Variables): Value | undefined {
    if (value instanceof Map) return redacted(value, root, variables);
    if (!Array.isArray(value)) return value;
    return value.map((one) => below(one, root, variables)).filter((one) => one !== undefined);
  }

  return function* (rows, variables) {
    const bound: Variables = new Map(variables);
    for (const name of decisions) bound.set(name, name.toLowerCase());
    for (const doc of rows) {
      if (doc === null) yield null;
      else {
        const kept = redacted(doc, doc, bound);
        if (kept) yield kept;
      }
    }
  };
};
