import { Decimal128, Double, Int32, Long } from 'bson';
import {
  compare,
  equal,
  exact,
  type Fields,
  isFields,
  isNotANumber,
  isNumber,
  rank,
  type Value,
} from './order.js';

/** Whether a document fits a query, by MongoDB's manual. */

/**
 * What a dotted path leads to. Arrays on the way are walked through: documents in them by name, any element by its
 * place. An array in which nothing can be walked leads nowhere; a value that is no document, to a missing field.
 */
export function reach(value: Value, path: string[]): Value[] {
  const [step, ...rest] = path;
  if (step === undefined) return [value];
  if (Array.isArray(value)) {
    const item = /^\d+$/.test(step) ? value[Number(step)] : undefined;
    // A place that holds no document leads nowhere further, not even to a missing field.
    const byPlace = item !== undefined && (rest.length === 0 || isFields(item)) ? reach(item, rest) : [];
    return [...byPlace, ...value.filter(isFields).flatMap((inner) => reach(inner, path))];
  }
  if (!isFields(value)) return [undefined];
  return reach(Object.hasOwn(value, step) ? value[step] : undefined, rest);
}

/** Each value reached, and each element of those that are arrays. */
const candidates = (value: Value, path: string[]): Value[] =>
  reach(value, path).flatMap((found) => (Array.isArray(found) ? [...found, found] : [found]));

function isEqualTo(operand: Value): (value: Value) => boolean {
  if (operand === null) return (value) => value === null || value === undefined;
  return (value) => value !== undefined && equal(value, operand);
}

type Bound = '$gt' | '$gte' | '$lt' | '$lte';

function isWithin(operator: Bound, operand: Value): (value: Value) => boolean {
  const takesEqual = operator === '$gte' || operator === '$lte';
  const sign = operator === '$gt' || operator === '$gte' ? 1 : -1;
  if (operand === null) return (value) => takesEqual && (value === null || value === undefined);
  return (value) => {
    if (value === undefined || rank(value) !== rank(operand)) return false;
    // NaN is equal to itself, and neither less nor greater than anything.
    if (isNotANumber(value) || isNotANumber(operand)) return takesEqual && equal(value, operand);
    const difference = compare(value, operand) * sign;
    return difference > 0 || (takesEqual && difference === 0);
  };
}

const types: Record<string, (value: Value) => boolean> = {
  int: (value) => value instanceof Int32,
  long: (value) => value instanceof Long,
  double: (value) => value instanceof Double,
  decimal: (value) => value instanceof Decimal128,
  number: isNumber,
  string: (value) => typeof value === 'string',
  object: isFields,
  array: Array.isArray,
  bool: (value) => typeof value === 'boolean',
  date: (value) => value instanceof Date,
  null: (value) => value === null,
};

function isOfRemainder([divisor, remainder]: [Int32, Int32]): (value: Value) => boolean {
  return (value) => {
    if (!isNumber(value)) return false;
    const number = exact(value);
    if (number.kind !== 'finite') return false;
    return (number.over / number.under) % BigInt(divisor.value) === BigInt(remainder.value);
  };
}

const isOperators = (value: Value): value is Fields =>
  isFields(value) &&
  Object.keys(value).length > 0 &&
  Object.keys(value).every((name) => name.startsWith('$'));

/** The test of one operator on one value, where it is one on values. */
function valueTest(operator: string, operand: Value): ((value: Value) => boolean) | null {
  switch (operator) {
    case '$eq':
      return isEqualTo(operand);
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return isWithin(operator, operand);
    case '$in': {
      const tests = (operand as Value[]).map(isEqualTo);
      return (value) => tests.some((test) => test(value));
    }
    case '$type': {
      const names = [operand].flat() as string[];
      return (value) => names.some((name) => types[name]!(value));
    }
    case '$mod':
      return isOfRemainder(operand as [Int32, Int32]);
    case '$regex':
      return (value) => typeof value === 'string' && new RegExp(operand as string).test(value);
    default:
      return null;
  }
}

function fitsOperator(document: Fields, path: string[], operator: string, operand: Value): boolean {
  const test = valueTest(operator, operand);
  if (test) return candidates(document, path).some(test);
  switch (operator) {
    case '$ne':
      return !fitsOperator(document, path, '$eq', operand);
    case '$nin':
      return !fitsOperator(document, path, '$in', operand);
    case '$not':
      return !fitsField(document, path, operand);
    case '$exists':
      return reach(document, path).some((value) => value !== undefined) === operand;
    case '$size':
      return reach(document, path).some(
        (value) => Array.isArray(value) && value.length === (operand as Int32).value,
      );
    case '$all': {
      const wanted = operand as Value[];
      return wanted.length > 0 && wanted.every((one) => fitsOperator(document, path, '$eq', one));
    }
    case '$elemMatch':
      return reach(document, path).some(
        (value) => Array.isArray(value) && value.some((item) => fitsElement(item, operand as Fields)),
      );
    default:
      throw new Error(`an operator that the model does not know: ${operator}`);
  }
}

/** An element of an array: a value for operators, a document for a query. */
export function fitsElement(item: Value, condition: Fields): boolean {
  const isOnValue = isOperators(condition) && !Object.keys(condition).some((name) => logical.has(name));
  if (!isOnValue) return isFields(item) && fits(item, condition);
  return Object.entries(condition).every(([operator, operand]) => {
    const test = valueTest(operator, operand);
    if (test) return test(item);
    if (operator === '$ne') return !isEqualTo(operand)(item);
    if (operator === '$nin') return !(operand as Value[]).some((one) => isEqualTo(one)(item));
    if (operator === '$not') return !fitsElement(item, operand as Fields);
    throw new Error(`an operator on elements that the model does not know: ${operator}`);
  });
}

const logical = new Set(['$and', '$or', '$nor']);

function fitsField(document: Fields, path: string[], condition: Value): boolean {
  if (!isOperators(condition)) return fitsOperator(document, path, '$eq', condition);
  return Object.entries(condition).every(([operator, operand]) =>
    fitsOperator(document, path, operator, operand),
  );
}

export function fits(document: Fields, query: Fields): boolean {
  return Object.entries(query).every(([name, condition]) => {
    const branches = condition as Fields[];
    if (name === '$and') return branches.every((branch) => fits(document, branch));
    if (name === '$or') return branches.some((branch) => fits(document, branch));
    if (name === '$nor') return !branches.some((branch) => fits(document, branch));
    return fitsField(document, name.split('.'), condition);
  });
}

export interface SortField {
  path: string[];
  direction: 1 | -1;
}

/** What a path gives to sort by: of an array each element; of an empty one what stands even before null. */
export function sortKeys(value: Value, path: string[]): Value[] {
  const [step, ...rest] = path;
  if (step === undefined) {
    if (!Array.isArray(value)) return [value === undefined ? null : value];
    return value.length === 0 ? [undefined] : value;
  }
  if (Array.isArray(value))
    return value.length === 0
      ? [null]
      : value.flatMap((item) => (isFields(item) ? sortKeys(item, path) : [null]));
  return sortKeys(isFields(value) && Object.hasOwn(value, step) ? value[step] : undefined, rest);
}

/** Whether a path leads through or to an array: of two such paths no sort is defined. */
export const meetsArray = (document: Fields, path: string[]): boolean =>
  path.some((_, at) => reach(document, path.slice(0, at + 1)).some(Array.isArray));

/** The least of a document's keys going up, the greatest going down. */
export function compareBy(fields: SortField[]): (left: Fields, right: Fields) => number {
  const keyOf = (document: Fields, { path, direction }: SortField): Value =>
    sortKeys(document, path).reduce((best, key) => (compare(key, best) * direction < 0 ? key : best));
  return (left, right) => {
    for (const field of fields) {
      const difference = compare(keyOf(left, field), keyOf(right, field)) * field.direction;
      if (difference !== 0) return difference;
    }
    return 0;
  };
}
