import type { Doc, Value } from '../bson/types.js';
import { type Collate, equals } from '../values/compare.js';
import { type Encoding, isWithin, touchesText } from './intervals.js';
import { hasOperators } from './match.js';
import { type Predicate, type Predicates, predicatesOf } from './predicates.js';

/** Whether an index that leaves documents out has all that a filter admits. */

export interface Coverable {
  readonly fields: readonly { readonly name: string }[];
  readonly sparse: boolean;
  readonly partial: Doc | undefined;
  readonly collate: Collate | undefined;
}

export interface Asked {
  filter: Doc;
  predicates: Predicates;
  collate: Collate | undefined;
}

/** Bytes long enough that nothing is cut: what is compared here is no index's. */
const uncut: Encoding = { collate: undefined, isSameCollation: true, longest: 1_000_000 };

/**
 * Whether a predicate of the query says at least as much as one of the index. Texts are compared by a collation, which
 * keys do not show: of them only the very same condition says the same.
 */
function says(given: Predicate, wanted: Predicate, isBinary: boolean): boolean {
  const keys = wanted.keys(uncut);
  if (!keys) return false;
  const narrower = given.keys(uncut);
  if (!narrower || !keys.every(({ isExact }) => isExact)) return false;
  return isWithin(narrower, keys) && (isBinary || !(touchesText(narrower) || touchesText(keys)));
}

const isPresence = (operand: Value): boolean =>
  operand instanceof Map && operand.size === 1 && operand.get('$exists') === true;

function implies(asked: Asked, field: string, wanted: Value, index: Coverable): boolean {
  const given = asked.predicates.get(field) ?? [];
  if (isPresence(wanted)) return given.some(({ isPresent }) => isPresent);
  const isBinary = !index.collate && !asked.collate;
  const same = asked.filter.get(field);
  if (same !== undefined && index.collate === asked.collate && equals(same, wanted)) return true;
  const parts = hasOperators(wanted) ? [...wanted].map(([name, one]) => new Map([[name, one]])) : [wanted];
  return parts.every((part) => {
    if (isPresence(part)) return given.some(({ isPresent }) => isPresent);
    const conditions = predicatesOf(new Map([[field, part]])).get(field) ?? [];
    return (
      conditions.length > 0 && conditions.every((one) => given.some((other) => says(other, one, isBinary)))
    );
  });
}

function impliesAll(asked: Asked, partial: Doc, index: Coverable): boolean {
  return [...partial].every(([key, wanted]) => {
    if (key === '$and') return (wanted as Doc[]).every((part) => impliesAll(asked, part, index));
    return !key.startsWith('$') && implies(asked, key, wanted, index);
  });
}

export function covers(index: Coverable, asked: Asked): boolean {
  if (
    index.sparse &&
    !index.fields.some(({ name }) => asked.predicates.get(name)?.some((one) => one.isPresent))
  )
    return false;
  return !index.partial || impliesAll(asked, index.partial, index);
}
