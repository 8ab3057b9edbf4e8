import type { Doc, Value } from '../bson/types.js';
import { type } from '../bson/types.js';
import { bracket, bracketOf, typeNumbers } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { pathOf } from '../values/path.js';
import {
  type Encoding,
  equalOrHolding,
  equalTo,
  type Intervals,
  intersection,
  matching,
  ofBracket,
  openSides,
  related,
  union,
} from './intervals.js';
import { hasOperators } from './match.js';
import { isRegExp } from './regexp.js';

/**
 * What a filter says of single fields, as far as an index can use it. A predicate says: a document that matches has an
 * entry of the field among these keys. It may say less than the filter; each document is checked again.
 */
export interface Predicate {
  /** Null: nothing that an index could use. */
  readonly keys: (encoding: Encoding) => Intervals | null;
  /** The field has a value in every document that matches. */
  readonly isPresent: boolean;
  /** Conditions of one `$elemMatch` on different fields hold for one element: the steps of its path. */
  readonly element: { readonly steps: number } | null;
}

export type Predicates = Map<string, Predicate[]>;

interface Scope {
  prefix: string;
  element: Predicate['element'];
  /** An element is asked as it is: its own elements are not. */
  isAlone: boolean;
}

const top: Scope = { prefix: '', element: null, isAlone: false };

type Keys = Predicate['keys'];

const nothing: Keys = () => null;

/** Brackets in which all values of a type stand, those of no other kind among them or some of another. */
const bracketsOf: Record<number, [of: number, isExact: boolean]> = {
  [type.string]: [bracket.string, false],
  [type.document]: [bracket.object, true],
  [type.binary]: [bracket.binary, true],
  [type.objectId]: [bracket.objectId, true],
  [type.boolean]: [bracket.boolean, true],
  [type.date]: [bracket.date, true],
  [type.null]: [bracket.null, false],
  [type.regex]: [bracket.regex, true],
  [type.code]: [bracket.code, true],
  [type.timestamp]: [bracket.timestamp, true],
  [type.double]: [bracket.number, false],
  [type.int]: [bracket.number, false],
  [type.long]: [bracket.number, false],
  [type.decimal]: [bracket.number, false],
};

function typeKeys(operand: Value): Keys {
  const brackets = (Array.isArray(operand) ? operand : [operand]).map((one) => {
    if (one === 'number') return [bracket.number, true] as const;
    const code = typeof one === 'string' ? typeNumbers.get(one) : isNumber(one) ? toDouble(one) : undefined;
    return code === undefined ? undefined : bracketsOf[code];
  });
  if (brackets.includes(undefined)) return nothing;
  return () => union(...brackets.map((one) => ofBracket(one![0], one![1])));
}

/** Whether a path names places in arrays: then the keys of a document do not show all that a filter finds missing. */
const namesPlaces = (name: string): boolean => pathOf(name).places.some((place) => place >= 0);

function equalityKeys(value: Value, name: string, { isAlone }: Scope): Keys {
  if (value === null && namesPlaces(name)) return nothing;
  return (encoding) => (isAlone ? equalTo(value, encoding) : equalOrHolding(value, encoding));
}

function listKeys(list: readonly Value[], name: string, scope: Scope): Keys {
  const parts = list.map(
    (one): Keys =>
      isRegExp(one) ? (encoding) => matching(one, '', encoding) : equalityKeys(one, name, scope),
  );
  return (encoding) => {
    const found: Intervals[] = [];
    for (const part of parts) {
      const keys = part(encoding);
      if (!keys) return null;
      found.push(keys);
    }
    return union(...found);
  };
}

const truthy = (operand: Value): boolean =>
  isNumber(operand) ? toDouble(operand) !== 0 : operand !== false && operand !== null;

/** What one operator says of its field; what it says of other fields it adds itself. */
function operatorPredicates(
  name: string,
  operator: string,
  operand: Value,
  siblings: Doc,
  scope: Scope,
  into: Predicates,
): Omit<Predicate, 'element'>[] {
  switch (operator) {
    case '$eq':
      return [{ keys: equalityKeys(operand, name, scope), isPresent: operand !== null }];
    case '$in':
      return [
        { keys: listKeys(operand as Value[], name, scope), isPresent: !(operand as Value[]).includes(null) },
      ];
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      const of = bracketOf(operand);
      if (of === bracket.minKey || of === bracket.maxKey) return [];
      if (of === bracket.null && namesPlaces(name)) return [];
      return [{ keys: (encoding) => related(operator, operand, encoding), isPresent: of !== bracket.null }];
    }
    case '$exists':
      if (truthy(operand)) return [{ keys: nothing, isPresent: true }];
      return namesPlaces(name) ? [] : [{ keys: (encoding) => equalTo(null, encoding), isPresent: false }];
    case '$ne':
      // Where arrays lie before the last step there may be nothing at all that is null.
      return operand === null && !name.includes('.') ? [{ keys: nothing, isPresent: true }] : [];
    case '$regex': {
      const options = siblings.get('$options');
      const pattern = operand as string;
      return [
        {
          keys: (encoding) => matching(pattern, typeof options === 'string' ? options : '', encoding),
          isPresent: true,
        },
      ];
    }
    case '$type':
      return [{ keys: typeKeys(operand), isPresent: true }];
    case '$mod':
      return [{ keys: () => ofBracket(bracket.number, false), isPresent: true }];
    case '$size':
      return [{ keys: nothing, isPresent: true }];
    case '$all':
      return (operand as Value[]).flatMap((one) => {
        if (one instanceof Map && one.has('$elemMatch'))
          return elementPredicates(name, one.get('$elemMatch')!, scope, into);
        const keys: Keys = isRegExp(one)
          ? (encoding) => matching(one, '', encoding)
          : equalityKeys(one, name, scope);
        return [{ keys, isPresent: one !== null }];
      });
    case '$elemMatch':
      return elementPredicates(name, operand, scope, into);
    default:
      return [];
  }
}

/** `$elemMatch`: of values all conditions hold for one entry; of documents each holds for a field of one element. */
function elementPredicates(
  name: string,
  operand: Value,
  scope: Scope,
  into: Predicates,
): Omit<Predicate, 'element'>[] {
  if (!(operand instanceof Map) || scope.isAlone) return [];
  const present = { keys: nothing, isPresent: true };
  const [first] = operand.keys();
  if (first === undefined) return [present];
  if (hasOperators(operand) && !['$and', '$or', '$nor', '$comment'].includes(first)) {
    // An array that a place names stands in an index as itself, and not by its elements.
    if (pathOf(name).places.at(-1)! >= 0) return [present];
    const alone = { ...scope, isAlone: true };
    const parts = [...operand].flatMap(([operator, value]) =>
      operatorPredicates(name, operator, value, operand, alone, new Map()),
    );
    return [{ keys: all(parts.map(({ keys }) => keys)), isPresent: true }];
  }
  const element = { steps: name.split('.').length };
  collect(operand, { prefix: `${name}.`, element, isAlone: false }, into);
  return [present];
}

/** Keys that fulfil all of several at once. */
const all =
  (parts: readonly Keys[]): Keys =>
  (encoding) => {
    let common: Intervals | null = null;
    for (const part of parts) {
      const keys = part(encoding);
      if (keys) common = common ? intersection(common, keys) : keys;
    }
    return common;
  };

function fieldPredicates(name: string, operand: Value, scope: Scope, into: Predicates): Predicate[] {
  const { element } = scope;
  // An array that is an element itself has its places for names: its keys are not those of its elements.
  if (element && pathOf(name).places[element.steps]! >= 0) return [];
  if (isRegExp(operand))
    return [{ keys: (encoding) => matching(operand, '', encoding), isPresent: true, element }];
  if (!hasOperators(operand))
    return [{ keys: equalityKeys(operand, name, scope), isPresent: operand !== null, element }];
  return [...operand].flatMap(([operator, value]) =>
    operatorPredicates(name, operator, value, operand, scope, into).map((one) => ({ ...one, element })),
  );
}

function collect(filter: Doc, scope: Scope, into: Predicates): void {
  const add = (field: string, predicates: Predicate[]) => {
    if (predicates.length > 0) into.set(field, [...(into.get(field) ?? []), ...predicates]);
  };
  for (const [key, operand] of filter) {
    if (key === '$and') for (const part of operand as Doc[]) collect(part, scope, into);
    else if (key === '$or') {
      const branches = (operand as Doc[]).map((part) => {
        const found: Predicates = new Map();
        collect(part, scope, found);
        return found;
      });
      for (const field of branches[0]?.keys() ?? [])
        add(field, either(branches.map((branch) => branch.get(field) ?? [])));
    } else if (!key.startsWith('$')) {
      const name = scope.prefix + key;
      add(name, fieldPredicates(name, operand, scope, into));
    }
  }
}

/** What holds in whichever branch does. */
function either(branches: Predicate[][]): Predicate[] {
  if (branches.some((one) => one.length === 0)) return [];
  const keys: Keys = (encoding) => {
    const found: Intervals[] = [];
    for (const branch of branches) {
      const best = narrowest(branch.map((one) => one.keys(encoding)));
      if (!best) return null;
      found.push(best);
    }
    return union(...found);
  };
  return [
    { keys, isPresent: branches.every((branch) => branch.some((one) => one.isPresent)), element: null },
  ];
}

/** How much an index is worth that has these keys to look up. */
export function weightOf(intervals: Intervals): number {
  if (intervals.every(({ isPoint }) => isPoint)) return 10;
  const widest = Math.max(...intervals.map((one) => (one.isPoint ? 0 : openSides(one))));
  return widest === 0 ? 6 : widest === 1 ? 5 : 2;
}

/** Of several each of which would do, the one that leaves least to read. */
export function narrowest(several: (Intervals | null)[]): Intervals | null {
  let best: Intervals | null = null;
  for (const one of several) {
    if (!one) continue;
    if (
      !best ||
      weightOf(one) > weightOf(best) ||
      (weightOf(one) === weightOf(best) && one.length < best.length)
    )
      best = one;
  }
  return best;
}

/** @param filter one that `compileFilter` took */
export function predicatesOf(filter: Doc): Predicates {
  const into: Predicates = new Map();
  collect(filter, top, into);
  return into;
}
