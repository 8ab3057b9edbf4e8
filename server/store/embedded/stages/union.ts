import type { Doc, Value } from '../bson/types.js';
import { failedToParse } from '../errors.js';
import { typeName } from '../values/compare.js';
import { noCollection, readingOf } from './foreign.js';
import { checkFields, optionalText, stagesFrom, wrongType } from './spec.js';
import type { Maker } from './stage.js';

/** `$unionWith`: what comes in, and after it what another pipeline brings. */

function read(operand: Value): { from: string | null; pipeline: readonly Doc[] } {
  if (typeof operand === 'string') return { from: operand, pipeline: [] };
  if (!(operand instanceof Map))
    throw failedToParse(
      `the $unionWith stage specification must be an object or string, but found ${typeName(operand)}`,
    );
  checkFields(operand, '$unionWith', ['coll', 'pipeline']);
  const from = optionalText(operand, '$unionWith', 'coll') ?? null;
  const given = operand.get('pipeline');
  const pipeline =
    given === undefined ? [] : stagesFrom(given, () => wrongType('$unionWith', 'pipeline', given, 'array'));
  if (from === null && !pipeline[0]?.has('$documents')) throw noCollection('$unionWith');
  return { from, pipeline };
}

export const unionWith: Maker = (operand, scope) => {
  const { from, pipeline } = read(operand);
  const place = { outer: '$unionWith', collection: from } as const;
  const { filters, run, scope: inner } = scope.compileAfterFilters(pipeline, place);
  const reading = from === null ? () => [] : readingOf(from, filters, inner);
  return function* (rows, variables) {
    yield* rows;
    yield* run(reading(variables), variables);
  };
};
