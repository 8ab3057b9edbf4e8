import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Expression, Variables } from '../expressions/compile.js';
import { constantOf, isNullish } from '../expressions/expression.js';
import { compare } from '../values/compare.js';
import { isNumber, toDouble, toInteger } from '../values/numbers.js';
import { show } from '../values/show.js';
import type { AccumulatorMaker, State } from './accumulator.js';
import { expressionOf, type Scope } from './stage.js';
import { topOf } from './top.js';

/** Accumulators that keep `n` values. */

/** @throws StoreError for what is no number of values to keep */
export function countOf(value: Value | undefined): number {
  if (!isNumber(value))
    throw location(5_787_902, `Value for 'n' must be of integral type, but found ${show(value)}`);
  const whole = toInteger(value);
  if (whole === null)
    throw location(5_787_903, `Value for 'n' must be of integral type, but found ${show(value)}`);
  if (whole <= 0n) throw location(5_787_908, `'n' must be greater than 0, found ${whole}`);
  return toDouble(value);
}

/** How many to keep, which may depend on the group's key but on no document. */
export function keeping(n: Expression, start: (most: number) => State) {
  return {
    begin: (group: Doc, variables: Variables) => start(countOf(n(group, variables))),
    needsGroup: constantOf(n) === undefined,
  };
}

const several =
  (notAnObject: number, start: (most: number, scope: Scope) => State): AccumulatorMaker =>
  (argument, scope) => {
    if (!(argument instanceof Map))
      throw location(notAnObject, `specification must be an object; found ${show(argument)}`);
    for (const name of argument.keys())
      if (name !== 'n' && name !== 'input')
        throw location(5_787_901, `Unknown argument for 'n' operator: ${name}`);
    if (!argument.has('n')) throw location(5_787_906, "Missing value for 'n'");
    if (!argument.has('input')) throw location(5_787_907, "Missing value for 'input'");
    return {
      input: expressionOf(argument.get('input')!, scope),
      ...keeping(expressionOf(argument.get('n')!, scope), (most) => start(most, scope)),
    };
  };

export const firstN = several(5_787_801, (most) => {
  const list: Value[] = [];
  return {
    take: (value) => void (list.length < most && list.push(value ?? null)),
    result: () => [...list],
  };
});

export const lastN = several(5_787_801, (most) => {
  let list: Value[] = [];
  return {
    take(value) {
      list.push(value ?? null);
      if (list.length >= 2 * most + 64) list = list.slice(-most);
    },
    result: () => list.slice(-most),
  };
});

const outermost = (direction: 1 | -1): AccumulatorMaker =>
  several(5_787_900, (most, { context: { collate } }) => {
    const order = (left: Value, right: Value) => compare(left, right, collate) * direction;
    const kept = topOf(most, order);
    return {
      take: (value) => void (isNullish(value) || kept.add(value)),
      result: () => kept.items().sort(order),
    };
  });

export const minN = outermost(1);
export const maxN = outermost(-1);
