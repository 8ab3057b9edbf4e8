import { Decimal128, Int32, ObjectId } from 'bson';
import { Opaque, type, type Value } from '../bson/types.js';
import { badValue } from '../errors.js';
import { bracket, bracketOf, type Collate, compare, equals } from '../values/compare.js';
import { compareNumbers, isNumber, toDouble } from '../values/numbers.js';
import type { Test } from './condition.js';
import { isRegExp, regExpTest } from './regexp.js';

/** Tests by MongoDB's order of values: equal, among several, less and greater. */

const isMissing = (value: Value | undefined): boolean => value === undefined || value === null;

/** @throws StoreError `BadValue` for BSON's old `undefined`, which is compared with nothing */
export function comparable(operand: Value): Value {
  if (operand instanceof Opaque && operand.type === type.undefined)
    throw badValue('cannot compare to undefined');
  return operand;
}

/** Equal to `operand`; null to what is missing too. */
export function equalTo(operand: Value, collate?: Collate): Test {
  comparable(operand);
  if (operand === null) return isMissing;
  if (typeof operand === 'string' && !collate)
    return (value) => value === operand || (value instanceof Opaque && equals(value, operand));
  if (typeof operand === 'boolean') return (value) => value === operand;
  if (operand instanceof Int32) return equalToDouble(operand.value);
  if (typeof operand === 'number' && !Number.isNaN(operand)) return equalToDouble(operand);
  if (operand instanceof ObjectId)
    return (value) => value instanceof ObjectId && compare(value, operand) === 0;
  const of = bracketOf(operand);
  return (value) => value !== undefined && bracketOf(value) === of && compare(value, operand, collate) === 0;
}

function equalToDouble(wanted: number): Test {
  return (value) => {
    if (value instanceof Int32) return value.value === wanted;
    if (typeof value === 'number') return value === wanted;
    // Between a bigint and a number this is exact.
    if (typeof value === 'bigint') return value >= wanted && value <= wanted;
    return value instanceof Decimal128 && compareNumbers(value, wanted) === 0;
  };
}

/** As a condition without an operator asks: a regular expression is matched, all else is equal. */
export const alike = (operand: Value, collate?: Collate): Test =>
  isRegExp(operand) ? regExpTest(operand, '') : equalTo(operand, collate);

/** Order holds among values of one kind, and across all of them for the least and the greatest key. */
export function ordered(operand: Value, holds: (difference: number) => boolean, collate?: Collate): Test {
  comparable(operand);
  const of = bracketOf(operand);
  if (of === bracket.null) return holds(0) ? isMissing : () => false;
  if (of === bracket.minKey || of === bracket.maxKey) return (value) => holds(bracketOf(value) - of);
  if (of === bracket.number) return orderedNumber(operand, holds);
  if (operand instanceof Date) {
    const time = operand.getTime();
    return (value) =>
      value instanceof Date
        ? holds(value.getTime() - time)
        : value instanceof Opaque && bracketOf(value) === of && holds(compare(value, operand));
  }
  return (value) => value !== undefined && bracketOf(value) === of && holds(compare(value, operand, collate));
}

/** NaN is equal to itself, and neither less nor greater than any number. */
function orderedNumber(operand: Value, holds: (difference: number) => boolean): Test {
  const isNaNOperand = Number.isNaN(toDouble(operand));
  if (operand instanceof Int32 || (typeof operand === 'number' && !isNaNOperand)) {
    const wanted = toDouble(operand);
    return (value) => {
      if (value instanceof Int32) return holds(value.value < wanted ? -1 : value.value > wanted ? 1 : 0);
      if (typeof value === 'number')
        return !Number.isNaN(value) && holds(value < wanted ? -1 : value > wanted ? 1 : 0);
      return isNumber(value) && !Number.isNaN(toDouble(value)) && holds(compareNumbers(value, wanted));
    };
  }
  return (value) =>
    isNumber(value) && Number.isNaN(toDouble(value)) === isNaNOperand && holds(compare(value, operand));
}

/** Equal to one of a list, however long: regular expressions among them are matched. */
export function oneOf(list: readonly Value[], collate?: Collate): Test {
  const patterns = list.filter(isRegExp).map((one) => regExpTest(one, ''));
  const plain = list.filter((one) => !isRegExp(one)).map(comparable);
  const withMissing = plain.includes(null);
  const strings = new Set(collate ? [] : plain.filter((one) => typeof one === 'string'));
  const sorted = plain
    .filter((one) => collate !== undefined || typeof one !== 'string')
    .sort((left, right) => compare(left, right, collate));
  return (value) => {
    if (value === undefined) return withMissing;
    if (typeof value === 'string' && strings.has(value)) return true;
    if (isIn(sorted, value, collate)) return true;
    if (value instanceof Opaque && strings.size > 0 && [...strings].some((one) => equals(value, one)))
      return true;
    for (const pattern of patterns) if (pattern(value)) return true;
    return false;
  };
}

function isIn(sorted: readonly Value[], value: Value, collate: Collate | undefined): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const difference = compare(sorted[middle], value, collate);
    if (difference === 0) return true;
    if (difference < 0) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
