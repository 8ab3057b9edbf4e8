import type { Doc, Value } from '../bson/types.js';
import { badValue, failedToParse, StoreError } from '../errors.js';
import { type Collate, compare } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { nowhere, outside, pathOf } from '../values/path.js';
import { alike, equalTo, oneOf, ordered } from './comparison.js';
import {
  allOf,
  always,
  type Condition,
  every,
  type Matcher,
  negated,
  never,
  none,
  ofArrays,
  type Predicate,
  searching,
  some,
  withinArray,
} from './condition.js';
import { bitTest, modTest, sizeOf, typeTest, wholeNumber } from './operands.js';
import { isRegExp, regExpOperator, regExpTest } from './regexp.js';

/** Filters, compiled once and asked for each document. */

export type { Matcher } from './condition.js';

export interface FilterOptions {
  collate?: Collate | undefined;
  /** Compiles what `$expr` holds. Without it `$expr` is refused. */
  expression?: ((expression: Value) => (doc: Doc) => Value | undefined) | undefined;
}

interface Context extends FilterOptions {
  /** Inside of `$elemMatch`: what asks the whole document has none to ask. */
  isNested?: boolean;
}

const isReference = (operand: Doc): boolean => operand.has('$ref') && operand.has('$id');

/** Whether a condition is made of operators, and not a document to be equal to. */
export const hasOperators = (value: Value): value is Doc =>
  value instanceof Map && value.keys().next().value?.startsWith('$') === true && !isReference(value);

function needArray(operand: Value, operator: string): Value[] {
  if (!Array.isArray(operand)) throw badValue(`${operator} needs an array`);
  return operand;
}

function listed(operand: Value, operator: string, { collate }: Context): Predicate {
  const list = needArray(operand, operator);
  if (list.some(hasOperators)) throw badValue('cannot nest $ under $in');
  return searching(oneOf(list, collate));
}

const firstName = (value: Value | undefined): string | undefined =>
  value instanceof Map ? value.keys().next().value : undefined;

function all(operand: Value, context: Context): Predicate {
  const list = needArray(operand, '$all');
  if (list.length === 0) return never;
  const isOfElements = firstName(list[0]) === '$elemMatch';
  return allOf(
    list.map((one) => {
      if (isOfElements) {
        if (firstName(one) !== '$elemMatch') throw badValue('$all/$elemMatch has to be consistent');
        return element((one as Doc).get('$elemMatch')!, context);
      }
      if (hasOperators(one)) throw badValue('no $ expressions in $all');
      return searching(alike(one, context.collate));
    }),
  );
}

const ofWholes = new Set([
  '$and',
  '$or',
  '$nor',
  '$expr',
  '$comment',
  '$where',
  '$text',
  '$jsonSchema',
  '$sampleRate',
  '$alwaysTrue',
  '$alwaysFalse',
]);

/** Whether one element of an array satisfies everything that is asked of it. */
export function elementTest(operand: Value, options: FilterOptions): (item: Value) => boolean {
  if (!(operand instanceof Map)) throw badValue('$elemMatch needs an Object');
  const first = firstName(operand);
  const isReferring = operand.has('$ref') || operand.has('$id') || operand.has('$db');
  if (first?.startsWith('$') && !isReferring && !ofWholes.has(first))
    return allOf(operatorsOf(operand, { ...options, isNested: true })).alone;
  const { matches } = conditionOf(operand, { ...options, isNested: true });
  return (item) => {
    if (item instanceof Map) return matches(item);
    return Array.isArray(item) && matches(new Map(item.map((one, at) => [String(at), one])));
  };
}

function element(operand: Value, context: Context): Predicate {
  const test = elementTest(operand, context);
  return withinArray((array) => array.findIndex(test));
}

function comparing(
  operand: Value,
  holds: (difference: number) => boolean,
  field: string,
  { collate }: Context,
): Predicate {
  if (isRegExp(operand)) throw badValue(`Can't have RegEx as arg to predicate over field '${field}'.`);
  return searching(ordered(operand, holds, collate));
}

const isTruthy = (operand: Value): boolean =>
  isNumber(operand) ? compare(operand, 0) !== 0 : operand !== false && operand !== null;

function not(operand: Value, context: Context, field: string): Predicate {
  if (isRegExp(operand)) return negated(searching(regExpTest(operand, '')));
  if (!(operand instanceof Map)) throw badValue('$not needs a regex or a document');
  if (operand.size === 0) throw badValue('$not cannot be empty');
  return negated(allOf(operatorsOf(operand, context, field)));
}

const geographic = new Set(['$near', '$nearSphere', '$geoNear', '$geoWithin', '$within', '$geoIntersects']);

function predicate(name: string, operand: Value, siblings: Doc, context: Context, field: string): Predicate {
  const { collate } = context;
  switch (name) {
    case '$eq':
      return searching(equalTo(operand, collate));
    case '$ne':
      if (isRegExp(operand)) throw badValue("Can't have regex as arg to $ne.");
      return negated(searching(equalTo(operand, collate)));
    case '$gt':
      return comparing(operand, (difference) => difference > 0, field, context);
    case '$gte':
      return comparing(operand, (difference) => difference >= 0, field, context);
    case '$lt':
      return comparing(operand, (difference) => difference < 0, field, context);
    case '$lte':
      return comparing(operand, (difference) => difference <= 0, field, context);
    case '$in':
      return listed(operand, name, context);
    case '$nin':
      return negated(listed(operand, name, context));
    case '$not':
      return not(operand, context, field);
    case '$exists': {
      const exists = searching((value) => value !== undefined);
      return isTruthy(operand) ? exists : negated(exists);
    }
    case '$regex':
      return searching(regExpOperator(operand, siblings));
    case '$options':
      if (!siblings.has('$regex')) throw badValue('$options needs a $regex');
      return always;
    case '$all':
      return all(operand, context);
    case '$elemMatch':
      return element(operand, context);
    case '$size': {
      const size = sizeOf(operand);
      return ofArrays((array) => array.length === size);
    }
    case '$type':
      return searching(typeTest(operand));
    case '$mod':
      return searching(modTest(operand));
    case '$bitsAllSet':
    case '$bitsAnySet':
    case '$bitsAllClear':
    case '$bitsAnyClear':
      return searching(bitTest(name, operand));
    case '$comment':
      return always;
    case '$where':
      throw badValue('$where cannot be applied to a field');
    default:
      if (geographic.has(name)) throw badValue(`${name} is not supported by this store`);
      throw badValue(`unknown operator: ${name}`);
  }
}

const operatorsOf = (condition: Doc, context: Context, field = ''): Predicate[] =>
  [...condition].map(([name, operand]) => predicate(name, operand, condition, context, field));

function fieldCondition(name: string, operand: Value, context: Context): Condition {
  const path = pathOf(name);
  if (!hasOperators(operand)) return searching(alike(operand, context.collate)).on(path);
  return every(operatorsOf(operand, context, name).map((one) => one.on(path)));
}

function partsOf(operand: Value, name: string, context: Context): Condition[] {
  if (!Array.isArray(operand)) throw badValue(`${name} must be an array`);
  if (operand.length === 0) throw badValue('$and/$or/$nor must be a nonempty array');
  return operand.map((one) => {
    if (!(one instanceof Map)) throw badValue('$or/$and/$nor entries need to be full objects');
    return conditionOf(one, context);
  });
}

/** What expressions take for true: everything but false, null, what is missing, and zero. */
const isTrue = (value: Value | undefined): boolean =>
  value !== undefined && value !== null && value !== false && !(isNumber(value) && compare(value, 0) === 0);

const asked = (matches: Matcher): Condition => ({
  matches,
  locate: (doc) => (matches(doc) ? outside : nowhere),
});

function expressed(operand: Value, { expression, isNested }: Context): Condition {
  if (isNested) throw badValue('$expr can only be applied to the top-level document');
  if (!expression)
    throw new StoreError(224, 'QueryFeatureNotAllowed', '$expr is not allowed in this context');
  const compute = expression(operand);
  return asked((doc) => isTrue(compute(doc)));
}

function constant(name: string, operand: Value, value: boolean): Condition {
  if (wholeNumber(name, operand, failedToParse) !== 1n)
    throw failedToParse(`${name} must be an integer value of 1`);
  return asked(() => value);
}

function sampled(operand: Value): Condition {
  const rate = isNumber(operand) ? toDouble(operand) : null;
  if (rate === null) throw badValue('argument to $sampleRate must be a numeric type');
  if (!(rate >= 0 && rate <= 1)) throw badValue('numeric argument to $sampleRate must be in [0, 1]');
  return asked(() => Math.random() < rate);
}

function wholeCondition(name: string, operand: Value, context: Context): Condition {
  switch (name) {
    case '$and':
      return every(partsOf(operand, name, context));
    case '$or':
      return some(partsOf(operand, name, context));
    case '$nor':
      return none(partsOf(operand, name, context));
    case '$expr':
      return expressed(operand, context);
    case '$comment':
      return asked(() => true);
    case '$alwaysTrue':
    case '$alwaysFalse':
      return constant(name, operand, name === '$alwaysTrue');
    case '$sampleRate':
      return sampled(operand);
    case '$ref':
    case '$id':
    case '$db':
      return searching(alike(operand, name === '$id' ? context.collate : undefined)).on(pathOf(name));
    case '$text':
      if (context.isNested) throw badValue('$text can only be applied to the top-level document');
      throw new StoreError(27, 'IndexNotFound', 'text index required for $text query');
    case '$where':
    case '$jsonSchema':
      throw badValue(`${name} is not supported by this store`);
    default:
      throw badValue(
        `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
      );
  }
}

const conditionOf = (filter: Doc, context: Context): Condition =>
  every(
    [...filter].map(([name, operand]) =>
      name.startsWith('$') ? wholeCondition(name, operand, context) : fieldCondition(name, operand, context),
    ),
  );

/** @throws StoreError `BadValue` (2) and its kin for what is malformed or not supported: nothing is passed over */
export const compileFilter = (filter: Doc, options: FilterOptions = {}): Matcher =>
  conditionOf(filter, options).matches;

/**
 * The place of the array's element that a filter matched: what `$` in an update or a projection stands for. Null when
 * the filter names no element of this document.
 */
export function compilePosition(filter: Doc, options: FilterOptions = {}): (doc: Doc) => number | null {
  const { locate } = conditionOf(filter, options);
  return (doc) => {
    const place = locate(doc);
    return place === nowhere || place === outside ? null : place;
  };
}

const positions = new WeakMap<Doc, { collate: Collate | undefined; locate: (doc: Doc) => number | null }>();
/** Where no expression can be computed all of them are taken to hold: they name no element. */
const holds = () => () => true;

export function matchPosition(filter: Doc, doc: Doc, options: FilterOptions = {}): number | null {
  const known = positions.get(filter);
  if (known && known.collate === options.collate) return known.locate(doc);
  const locate = compilePosition(filter, { expression: holds, ...options });
  positions.set(filter, { collate: options.collate, locate });
  return locate(doc);
}
