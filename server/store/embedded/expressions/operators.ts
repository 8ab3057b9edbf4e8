import { comparisons } from './comparison.js';
import { conditions } from './conditions.js';
import type { Operator } from './expression.js';

/** All operators by their names. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [comparisons, conditions].flatMap((family) => Object.entries(family)),
);
