import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import { moved } from '../expressions/date-units.js';
import { compare, equals, typeOf } from '../values/compare.js';
import {
  add,
  compareNumbers,
  isNumber,
  mod,
  type Numeric,
  subtract,
  toDouble,
  toInteger,
} from '../values/numbers.js';
import { checkFields, missingField, optionalText } from './spec.js';

/** The `range` of `$densify`: how far apart values stand, and from where to where. */
export interface DensifyRange {
  /** What dates are counted in; null for numbers. */
  unit: string | null;
  bounds: 'full' | 'partition' | { from: Value; to: Value };
  next(value: Value): Value;
  before(value: Value): Value;
  /** Whether a value is reached from another by whole steps upwards. */
  isOnStep(value: Value, from: Value): boolean;
}

const utc = () => 0;

function boundsFrom(given: Value, step: Numeric, unit: string | null): DensifyRange['bounds'] {
  if (given === 'full' || given === 'partition') return given;
  if (typeof given === 'string')
    throw location(5_946_802, "Bounds string must either be 'full' or 'partition'");
  if (!Array.isArray(given))
    throw location(
      5_733_404,
      "The bounds in a range statement must be the string 'full', 'partition', or an ascending array of two numbers or two dates",
    );
  if (given.length !== 2)
    throw location(5_733_403, 'A bounding array in a range statement must have exactly two elements');
  const [from, to] = given as [Value, Value];
  if (compare(from, to) > 0)
    throw location(
      5_733_402,
      'A bounding array must be an ascending array of either two dates or two numbers',
    );
  checkBounds(from, to, step, unit);
  return { from, to };
}

function checkBounds(from: Value, to: Value, step: Numeric, unit: string | null): void {
  const mixed = 'A bounding array must contain either both dates or both numeric types';
  if (isNumber(from)) {
    if (unit !== null) throw location(5_733_409, 'Numeric bounds may not have unit parameter');
    if (!isNumber(to)) throw location(5_733_406, mixed);
    if (typeOf(from) !== typeOf(to) || typeOf(from) !== typeOf(step))
      throw location(5_876_900, 'Upper bound, lower bound, and step must all have the same type');
  } else if (from instanceof Date) {
    if (!(to instanceof Date)) throw location(5_733_405, mixed);
    if (unit === null) throw location(5_733_410, 'A bounding array of dates must specify a unit');
  } else throw location(5_946_800, 'Explicit bounds must be numeric or dates');
}

export function rangeFrom(spec: Doc): DensifyRange {
  checkFields(spec, '$densify.range', ['step', 'unit', 'bounds'], ['step', 'bounds']);
  const step = spec.get('step');
  if (!isNumber(step) || !(toDouble(step) > 0))
    throw location(
      5_733_401,
      'The step parameter in a range statement must be a strictly positive numeric value',
    );
  const unit = optionalText(spec, '$densify.range', 'unit') ?? null;
  if (unit !== null && toInteger(step) === null)
    throw location(
      6_586_400,
      'The step parameter in a range statement must be a whole number when densifying a date range',
    );
  const given = spec.get('bounds');
  if (given === undefined) throw missingField('$densify.range', 'bounds');
  // Asked once for what is no unit.
  if (unit !== null) moved(0, unit, 1, utc, '$densify');
  const bounds = boundsFrom(given, step, unit);
  return unit === null ? numbers(step, bounds) : dates(step, unit, bounds);
}

const numbers = (step: Numeric, bounds: DensifyRange['bounds']): DensifyRange => ({
  unit: null,
  bounds,
  next: (value) => add(value as Numeric, step),
  before: (value) => subtract(value as Numeric, step),
  isOnStep: (value, from) => compareNumbers(mod(subtract(value as Numeric, from as Numeric), step), 0) === 0,
});

function dates(step: Numeric, unit: string, bounds: DensifyRange['bounds']): DensifyRange {
  const move = (value: Value, by: number) => moved((value as Date).getTime(), unit, by, utc, '$densify');
  const steps = toDouble(step);
  return {
    unit,
    bounds,
    next: (value) => move(value, steps),
    before: (value) => move(value, -steps),
    isOnStep(value, from) {
      const [first, last] = [(from as Date).getTime(), (value as Date).getTime()];
      // Months differ in length: these are counted one by one.
      if (!['month', 'quarter', 'year'].includes(unit)) {
        const length = moved(0, unit, steps, utc, '$densify').getTime();
        return (last - first) % length === 0;
      }
      let at = from;
      while (compare(at, value) < 0) at = move(at, steps);
      return equals(at, value);
    },
  };
}
