import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { assertFieldName } from '../expressions/field-path.js';
import { typeName } from '../values/compare.js';
import { show } from '../values/show.js';
import { paced } from './pace.js';
import { stagesFrom } from './spec.js';
import { gathered, type Maker, type Scope, type Stage } from './stage.js';

/** `$facet`: several pipelines over the same rows. */

function read(operand: Value, scope: Scope): (readonly [string, Stage])[] {
  if (!(operand instanceof Map) || operand.size === 0)
    throw location(
      40169,
      `the $facet specification must be a non-empty object, but found: $facet: ${show(operand)}`,
    );
  return [...operand].map(([name, value]) => {
    assertFieldName(name);
    if (!Array.isArray(value))
      throw location(40170, `arguments to $facet must be arrays, ${name} is type ${typeName(value)}`);
    const stages = stagesFrom(value, (shown) =>
      location(40171, `elements of arrays in $facet spec must be non-empty objects, ${name} holds ${shown}`),
    );
    return [name, scope.compile(stages, { outer: '$facet' })] as const;
  });
}

export const facet: Maker = (operand, scope) => {
  const facets = read(operand, scope);
  return function* (rows, variables) {
    const all = yield* gathered(rows, '$facet');
    const made: Doc = new Map();
    for (const [name, run] of facets) made.set(name, yield* gathered(run(paced(all), variables), '$facet'));
    yield made;
  };
};
