import { arithmetic } from './arithmetic.js';
import { arrays } from './arrays.js';
import { comparisons } from './comparison.js';
import { conditions } from './conditions.js';
import { dates } from './dates.js';
import type { Operator } from './expression.js';
import { objects } from './objects.js';
import { sets } from './sets.js';
import { strings } from './strings.js';
import { types } from './types.js';

/** All operators by their names. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [comparisons, conditions, arithmetic, arrays, sets, strings, dates, types, objects].flatMap((family) =>
    Object.entries(family),
  ),
);
