import type { Doc, Value } from '../bson/types.js';
import { badValue, StoreError } from '../errors.js';
import { bracket, bracketOf, type Collate, compare, equals } from '../values/compare.js';
import { isNumber, toDouble } from '../values/numbers.js';
import { valuesAt } from '../values/path.js';
import { bitTest, modTest, typeTest } from './operands.js';
import { isRegExp, regExpTest } from './regexp.js';

/** Filters, compiled once and asked for each document. */

export type Matcher = (doc: Doc) => boolean;
type Test = (value: Value | undefined) => boolean;

export interface FilterOptions {
  collate?: Collate | undefined;
  /** Compiles what `$expr` holds. Without it `$expr` is refused. */
  expression?: ((expression: Value) => (doc: Doc) => Value | undefined) | undefined;
}

const isNullish = (value: Value | undefined): boolean =>
  value === null || bracketOf(value) === bracket.missing;

/** A test holds when a reached value fits, or an element of a reached array does. */
function any(path: string[], test: Test): Matcher {
  if (path.length === 1) {
    const name = path[0]!;
    return (doc) => anyOf(doc.get(name), test);
  }
  return (doc) => valuesAt(doc, path).some((value) => anyOf(value, test));
}

function anyOf(value: Value | undefined, test: Test): boolean {
  if (test(value)) return true;
  if (!Array.isArray(value)) return false;
  for (const item of value) if (test(item)) return true;
  return false;
}

function equalityTest(operand: Value, options: FilterOptions): Test {
  if (isRegExp(operand)) {
    const matches = regExpTest(operand, undefined);
    return (value) => matches(value) || (isRegExp(value) && equals(value, operand));
  }
  return exactTest(operand, options);
}

function exactTest(operand: Value, { collate }: FilterOptions): Test {
  if (operand === null) return isNullish;
  if (typeof operand === 'string' && !collate) return (value) => value === operand;
  return (value) => value !== undefined && equals(value, operand, collate);
}

/** Order holds among values of one bracket, and across all of them for the least and the greatest key. */
function orderTest(operand: Value, holds: (difference: number) => boolean, { collate }: FilterOptions): Test {
  const of = bracketOf(operand);
  if (of === bracket.null) return (value) => holds(0) && isNullish(value);
  if (of === bracket.minKey || of === bracket.maxKey)
    return (value) => value !== undefined && holds(compare(value, operand));
  const isNaNOperand = isNumber(operand) && Number.isNaN(toDouble(operand));
  return (value) => {
    if (value === undefined || bracketOf(value) !== of) return false;
    // NaN is equal to itself, and neither less nor greater than any number.
    if (of === bracket.number && isNaNOperand !== Number.isNaN(toDouble(value))) return false;
    return holds(compare(value, operand, collate));
  };
}

const not =
  (inner: Matcher): Matcher =>
  (doc) =>
    !inner(doc);

function needArray(operand: Value, operator: string): Value[] {
  if (!Array.isArray(operand)) throw badValue(`${operator} needs an array`);
  return operand;
}

const noOperators = (operand: Value, operator: string): void => {
  if (operand instanceof Map && operand.keys().next().value?.startsWith('$') && !operand.has('$ref'))
    throw badValue(`cannot nest $ under ${operator}`);
};

function inTest(operand: Value, options: FilterOptions, operator: string): Test {
  const list = needArray(operand, operator);
  for (const one of list) noOperators(one, operator);
  if (options.collate) {
    const tests = list.map((one) => equalityTest(one, options));
    return (value) => tests.some((test) => test(value));
  }
  const strings = new Set(list.filter((one) => typeof one === 'string'));
  const others = list.filter((one) => typeof one !== 'string').map((one) => equalityTest(one, options));
  return (value) => (typeof value === 'string' && strings.has(value)) || others.some((test) => test(value));
}

function allMatcher(path: string[], operand: Value, options: FilterOptions): Matcher {
  const list = needArray(operand, '$all');
  if (list.length === 0) return () => false;
  const parts = list.map((one): Matcher => {
    if (one instanceof Map && one.keys().next().value === '$elemMatch')
      return elemMatcher(path, one.get('$elemMatch')!, options);
    noOperators(one, '$all');
    return any(path, equalityTest(one, options));
  });
  return every(parts);
}

const logical = new Set(['$and', '$or', '$nor', '$where', '$expr', '$comment']);

/** Whether one element satisfies everything that is asked of it. */
export function elementTest(operand: Value, options: FilterOptions): (item: Value) => boolean {
  if (!(operand instanceof Map)) throw badValue('$elemMatch needs an Object');
  const onValue =
    operand.size > 0 && [...operand.keys()].every((key) => key.startsWith('$') && !logical.has(key));
  if (onValue) {
    const inner = fieldMatcher(['value'], operand, options);
    // An element that is an array itself is looked at as it is, and into.
    return (item) => inner(new Map([['value', item]]));
  }
  const inner = compileFilter(operand, options);
  return (item) => {
    if (item instanceof Map) return inner(item);
    return Array.isArray(item) && inner(new Map(item.map((one, at) => [String(at), one])));
  };
}

function elemMatcher(path: string[], operand: Value, options: FilterOptions): Matcher {
  const test = elementTest(operand, options);
  return (doc) => valuesAt(doc, path).some((value) => Array.isArray(value) && value.some(test));
}

function sizeMatcher(path: string[], operand: Value): Matcher {
  if (!isNumber(operand)) throw badValue('Failed to parse $size. Expected a number');
  const size = toDouble(operand);
  if (!Number.isInteger(size)) throw badValue(`Failed to parse $size. Expected an integer`);
  if (size < 0) throw badValue(`Failed to parse $size. Expected a non-negative number`);
  return (doc) => valuesAt(doc, path).some((value) => Array.isArray(value) && value.length === size);
}

type Operator = (path: string[], operand: Value, options: FilterOptions, siblings: Doc) => Matcher;

const ordered =
  (holds: (difference: number) => boolean): Operator =>
  (path, operand, options) => {
    if (isRegExp(operand)) throw badValue("Can't have RegEx as arg to predicate over field");
    return any(path, orderTest(operand, holds, options));
  };

const refused =
  (name: string): Operator =>
  () => {
    throw badValue(`${name} is not supported by this store`);
  };

const operators: Record<string, Operator> = {
  $eq: (path, operand, options) => any(path, exactTest(operand, options)),
  $ne: (path, operand, options) => {
    if (isRegExp(operand)) throw badValue("Can't have regex as arg to $ne.");
    return not(any(path, exactTest(operand, options)));
  },
  $gt: ordered((difference) => difference > 0),
  $gte: ordered((difference) => difference >= 0),
  $lt: ordered((difference) => difference < 0),
  $lte: ordered((difference) => difference <= 0),
  $in: (path, operand, options) => any(path, inTest(operand, options, '$in')),
  $nin: (path, operand, options) => not(any(path, inTest(operand, options, '$nin'))),
  $exists: (path, operand) => {
    const wanted = isNumber(operand) ? toDouble(operand) !== 0 : operand !== false && operand !== null;
    return (doc) => valuesAt(doc, path).some((value) => value !== undefined) === wanted;
  },
  $not: (path, operand, options) => {
    if (isRegExp(operand)) return not(any(path, regExpTest(operand, undefined)));
    if (!(operand instanceof Map)) throw badValue('$not needs a regex or a document');
    if (operand.size === 0) throw badValue('$not cannot be empty');
    for (const key of operand.keys()) if (!key.startsWith('$')) throw badValue(`unknown operator: ${key}`);
    return not(fieldMatcher(path, operand, options));
  },
  $regex: (path, operand, _options, siblings) => any(path, regExpTest(operand, siblings.get('$options'))),
  $options: (_path, _operand, _options, siblings) => {
    if (!siblings.has('$regex')) throw badValue('$options needs a $regex');
    return () => true;
  },
  $size: (path, operand) => sizeMatcher(path, operand),
  $all: allMatcher,
  $elemMatch: elemMatcher,
  $type: (path, operand) => {
    const test = typeTest(operand);
    // An array is of the type of its elements, and `array` itself.
    return any(path, test);
  },
  $mod: (path, operand) => any(path, modTest(operand)),
  $bitsAllSet: (path, operand) => any(path, bitTest('$bitsAllSet', operand)),
  $bitsAnySet: (path, operand) => any(path, bitTest('$bitsAnySet', operand)),
  $bitsAllClear: (path, operand) => any(path, bitTest('$bitsAllClear', operand)),
  $bitsAnyClear: (path, operand) => any(path, bitTest('$bitsAnyClear', operand)),
  $comment: () => () => true,
  $near: refused('$near'),
  $nearSphere: refused('$nearSphere'),
  $geoWithin: refused('$geoWithin'),
  $geoIntersects: refused('$geoIntersects'),
  $within: refused('$within'),
};

/** Whether a condition is made of operators, and not a document to be equal to. */
export const hasOperators = (value: Value): value is Doc => {
  if (!(value instanceof Map)) return false;
  const first = value.keys().next().value;
  return first?.startsWith('$') === true && first !== '$ref' && first !== '$id' && first !== '$db';
};

function fieldMatcher(path: string[], condition: Value, options: FilterOptions): Matcher {
  if (!hasOperators(condition)) return any(path, equalityTest(condition, options));
  const parts: Matcher[] = [];
  for (const [name, operand] of condition) {
    const operator = Object.hasOwn(operators, name) ? operators[name] : undefined;
    if (!operator) throw badValue(`unknown operator: ${name}`);
    parts.push(operator(path, operand, options, condition));
  }
  return every(parts);
}

const every = (parts: Matcher[]): Matcher =>
  parts.length === 1 ? parts[0]! : (doc) => parts.every((part) => part(doc));

function listOf(condition: Value, key: string): Doc[] {
  if (!Array.isArray(condition)) throw badValue(`${key} must be an array`);
  if (condition.length === 0) throw badValue(`${key} argument must be a nonempty array`);
  return condition.map((one) => {
    if (!(one instanceof Map)) throw badValue(`${key} argument's entries must be objects`);
    return one;
  });
}

function expressionMatcher(condition: Value, { expression }: FilterOptions): Matcher {
  if (!expression)
    throw new StoreError(224, 'QueryFeatureNotAllowed', '$expr is not allowed in this context');
  const compute = expression(condition);
  return (doc) => isTrue(compute(doc));
}

/** What expressions take for true: everything but false, null, what is missing, and zero. */
const isTrue = (value: Value | undefined): boolean =>
  !isNullish(value) && value !== false && !(isNumber(value) && toDouble(value) === 0);

function topMatcher(key: string, condition: Value, options: FilterOptions): Matcher {
  switch (key) {
    case '$and':
      return every(listOf(condition, key).map((one) => compileFilter(one, options)));
    case '$or': {
      const parts = listOf(condition, key).map((one) => compileFilter(one, options));
      return (doc) => parts.some((part) => part(doc));
    }
    case '$nor': {
      const parts = listOf(condition, key).map((one) => compileFilter(one, options));
      return (doc) => !parts.some((part) => part(doc));
    }
    case '$expr':
      return expressionMatcher(condition, options);
    case '$comment':
      return () => true;
    case '$alwaysTrue':
      return () => true;
    case '$alwaysFalse':
      return () => false;
    case '$sampleRate': {
      const rate = isNumber(condition) ? toDouble(condition) : Number.NaN;
      if (!(rate >= 0 && rate <= 1)) throw badValue('numeric argument to $sampleRate must be in [0, 1]');
      return () => Math.random() < rate;
    }
    case '$text':
    case '$where':
    case '$jsonSchema':
      throw badValue(`${key} is not supported by this store`);
    default:
      throw badValue(
        `unknown top level operator: ${key}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
      );
  }
}

/** @throws StoreError `BadValue` (2) and its kin for what is malformed or not supported: nothing is passed over */
export function compileFilter(filter: Doc, options: FilterOptions = {}): Matcher {
  const parts: Matcher[] = [];
  for (const [key, condition] of filter)
    parts.push(
      key.startsWith('$') && key !== '$ref' && key !== '$id' && key !== '$db'
        ? topMatcher(key, condition, options)
        : fieldMatcher(key.split('.'), condition, options),
    );
  return parts.length === 1 ? parts[0]! : (doc) => parts.every((part) => part(doc));
}

/**
 * The place of the array's element that a filter matched first: what `$` in an update or a projection stands for. Null
 * when the filter names no array of this document.
 */
export function matchPosition(filter: Doc, doc: Doc, options: FilterOptions = {}): number | null {
  let found: number | null = null;
  for (const [key, condition] of filter) {
    if (key === '$and') {
      for (const one of condition as Doc[]) found = matchPosition(one, doc, options) ?? found;
      continue;
    }
    if (key === '$or') {
      for (const one of condition as Doc[])
        if (compileFilter(one, options)(doc)) {
          found = matchPosition(one, doc, options) ?? found;
          break;
        }
      continue;
    }
    if (key.startsWith('$')) continue;
    found = fieldPosition(key.split('.'), condition, doc, options) ?? found;
  }
  return found;
}

function fieldPosition(path: string[], condition: Value, doc: Doc, options: FilterOptions): number | null {
  let at: Value | undefined = doc;
  for (let step = 0; step < path.length; step += 1) {
    at = at instanceof Map ? at.get(path[step]!) : undefined;
    if (!Array.isArray(at)) continue;
    const rest = path.slice(step + 1);
    const [index] = rest;
    // A number that names an element is no search for one.
    if (index !== undefined && /^\d+$/.test(index) && at[Number(index)] !== undefined) return null;
    const test = elementMatcher(rest, condition, options);
    const position = at.findIndex(test);
    return position < 0 ? null : position;
  }
  return null;
}

function elementMatcher(rest: string[], condition: Value, options: FilterOptions): (item: Value) => boolean {
  if (hasOperators(condition) && condition.has('$elemMatch') && rest.length === 0)
    return elementTest(condition.get('$elemMatch')!, options);
  if (rest.length === 0) {
    const inner = fieldMatcher(['value'], condition, options);
    return (item) => inner(new Map([['value', item]]));
  }
  const inner = fieldMatcher(rest, condition, options);
  return (item) => item instanceof Map && inner(item);
}
