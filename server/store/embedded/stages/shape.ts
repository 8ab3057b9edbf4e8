import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Variables } from '../expressions/compile.js';
import { compileProjection } from '../query/project.js';
import { typeName } from '../values/compare.js';
import { show } from '../values/show.js';
import { within } from './spec.js';
import { expressionOf, type Maker, mapping, type Scope, type Stage, withVariables } from './stage.js';

/** Stages that make another document of each. */

const projecting = (spec: Doc, scope: Scope): Stage =>
  mapping(
    withVariables(scope, (expression) =>
      compileProjection(spec, { collate: scope.context.collate, expression }),
    ),
  );

export const project: Maker = (operand, scope) => {
  if (!(operand instanceof Map)) throw location(15969, '$project specification must be an object');
  return within('Invalid $project', () => {
    if (operand.size === 0) throw location(51272, 'projection specification must have at least one field');
    return projecting(operand, scope);
  });
};

function namesFrom(operand: Value): string[] {
  if (typeof operand === 'string') return [operand];
  if (!Array.isArray(operand)) throw location(31002, '$unset specification must be a string or an array');
  if (operand.length === 0)
    throw location(31119, '$unset specification must be a string or an array with at least one field');
  return operand.map((one) => {
    if (typeof one !== 'string')
      throw location(
        31120,
        '$unset specification must be a string or an array containing only string values',
      );
    return one;
  });
}

export const unset: Maker = (operand, scope) => {
  const names = namesFrom(operand);
  return within('Invalid $unset', () => {
    const spec: Doc = new Map();
    for (const name of names) {
      if (spec.has(name)) throw location(31250, `Path collision at ${name}`);
      spec.set(name, new Int32(0));
    }
    return projecting(spec, scope);
  });
};

function replacing(expression: Value, scope: Scope, what: string): Stage {
  const compute = expressionOf(expression, scope);
  return mapping((doc: Doc, variables: Variables) => {
    const made = compute(doc, variables);
    if (made instanceof Map) return made;
    throw location(
      40228,
      `'${what}' must evaluate to an object, but resulting value was: ${made === undefined ? 'MISSING' : show(made)}. Type of resulting value: '${typeName(made)}'. Input document: ${show(doc)}`,
    );
  });
}

export const replaceWith: Maker = (operand, scope) => replacing(operand, scope, 'replacement document');

export const replaceRoot: Maker = (operand, scope) => {
  if (!(operand instanceof Map))
    throw location(
      40229,
      `expected an object as specification for $replaceRoot stage, got ${typeName(operand)}`,
    );
  for (const name of operand.keys())
    if (name !== 'newRoot')
      throw location(
        40230,
        `unrecognized option to $replaceRoot stage: ${name}, only valid option is 'newRoot'.`,
      );
  if (!operand.has('newRoot')) throw location(40231, 'no newRoot specified for the $replaceRoot stage');
  return replacing(operand.get('newRoot')!, scope, 'newRoot expression');
};
