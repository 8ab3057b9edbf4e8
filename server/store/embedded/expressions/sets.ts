import type { Value } from '../bson/types.js';
import { equals } from '../values/compare.js';
import { elements } from './elements.js';
import { isNullish, type Operator, type Scope } from './expression.js';
import { ranged } from './operands.js';

/** Arrays as sets: neither order nor repetition counts. */

const has = (list: Value[], wanted: Value, { collate }: Scope): boolean =>
  list.some((item) => equals(item, wanted, collate));

function unique(list: Value[], scope: Scope): Value[] {
  const kept: Value[] = [];
  for (const item of list) if (!has(kept, item, scope)) kept.push(item);
  return kept;
}

const most = 100_000;

export const sets: Record<string, Operator> = {
  $setEquals: ranged(2, most, (lists, name, scope) => {
    const [first, ...others] = lists.map((list) => elements(list, name, 17044));
    return others.every(
      (other) =>
        other.every((item) => has(first!, item, scope)) && first!.every((item) => has(other, item, scope)),
    );
  }),
  $setUnion: ranged(0, most, (lists, name, scope) =>
    lists.some(isNullish)
      ? null
      : unique(
          lists.flatMap((list) => elements(list, name, 17043)),
          scope,
        ),
  ),
  $setIntersection: ranged(0, most, (lists, name, scope) => {
    if (lists.some(isNullish)) return null;
    const [first = [], ...others] = lists.map((list) => elements(list, name, 17047));
    return unique(first, scope).filter((item) => others.every((other) => has(other, item, scope)));
  }),
  $setDifference: ranged(2, 2, ([left, right], name, scope) => {
    if (isNullish(left) || isNullish(right)) return null;
    const others = elements(right, name, 17049);
    return unique(elements(left, name, 17048), scope).filter((item) => !has(others, item, scope));
  }),
  $setIsSubset: ranged(2, 2, ([left, right], name, scope) => {
    const others = elements(right, name, 17042);
    return elements(left, name, 17046).every((item) => has(others, item, scope));
  }),
};
