import type { Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import { addMonths, monthsOf, startOfDay } from './calendar.js';
import { instantOf, utc, wallOf, type Zone } from './zones.js';

/** Reckoning with dates by units: years to days go by the clock on the wall, hours and less by the time that passes. */

const units = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond'] as const;
type Unit = (typeof units)[number];

const dayMs = 86_400_000;
const lengths: Partial<Record<Unit, number>> = {
  hour: 3_600_000,
  minute: 60_000,
  second: 1_000,
  millisecond: 1,
};
const monthsIn: Partial<Record<Unit, number>> = { year: 12, quarter: 3, month: 1 };
const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

function unitFrom(value: Value, name: string): Unit {
  const unit = units.find((one) => one === value);
  if (!unit)
    throw new StoreError(
      9,
      'FailedToParse',
      `${name} parameter 'unit' value cannot be recognized as a time unit: ${String(value)}`,
    );
  return unit;
}

/** Sunday is 0. */
function weekStart(value: Value | undefined, name: string): number {
  if (value === undefined) return 0;
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  const found = weekdays.findIndex((day) => day === text || day.slice(0, 3) === text);
  if (found < 0)
    throw new StoreError(
      9,
      'FailedToParse',
      `${name} parameter 'startOfWeek' value cannot be recognized as a day of a week: ${String(value)}`,
    );
  return found;
}

/** The instant so many units on. */
export function moved(instant: number, given: Value, amount: number, zone: Zone, name: string): Date {
  const unit = unitFrom(given, name);
  const length = lengths[unit];
  const months = monthsIn[unit];
  const wall = wallOf(instant, zone);
  let result: number;
  if (length !== undefined) result = instant + amount * length;
  else if (months !== undefined) result = instantOf(addMonths(wall, amount * months).getTime(), zone);
  else result = instantOf(wall.getTime() + amount * dayMs * (unit === 'week' ? 7 : 1), zone);
  if (!(Math.abs(result) <= 8.64e15)) throw location(5166406, `${name} overflowed`);
  return new Date(result);
}

/** The first day of a week, counted in days since 1970. */
const weekOf = (wall: Date, start: number): number => {
  const days = Math.round(startOfDay(wall) / dayMs);
  // The first of January 1970 was a Thursday.
  return Math.floor((days + 4 - start) / 7);
};

/** How often a unit begins between two instants. */
export function difference(
  from: number,
  to: number,
  given: Value,
  zone: Zone,
  start: Value | undefined,
  name: string,
): number {
  const unit = unitFrom(given, name);
  const [left, right] = [wallOf(from, zone), wallOf(to, zone)];
  const months = monthsIn[unit];
  if (months !== undefined) return Math.floor(monthsOf(right) / months) - Math.floor(monthsOf(left) / months);
  if (unit === 'week') return weekOf(right, weekStart(start, name)) - weekOf(left, weekStart(start, name));
  if (unit === 'day') return Math.round((startOfDay(right) - startOfDay(left)) / dayMs);
  const length = lengths[unit]!;
  return (
    Math.floor(right.getTime() / length) -
    Math.floor(left.getTime() / length) -
    (zone(to) - zone(from)) / length
  );
}

/** What units are counted from where several of them make one bin: the first of January 2000. */
const reference = utc(2000, 0, 1);

/** The beginning of the unit, or of the bin of units, that holds an instant. */
export function truncated(
  instant: number,
  given: Value,
  size: number,
  zone: Zone,
  start: Value | undefined,
  name: string,
): Date {
  const unit = unitFrom(given, name);
  const wall = wallOf(instant, zone);
  const months = monthsIn[unit];
  if (months !== undefined) {
    const bin = months * size;
    const since = monthsOf(wall) - 2_000 * 12;
    const begin = Math.floor(since / bin) * bin + 2_000 * 12;
    return new Date(instantOf(utc(Math.floor(begin / 12), ((begin % 12) + 12) % 12, 1), zone));
  }
  if (unit === 'week' || unit === 'day') {
    const length = (unit === 'week' ? 7 : 1) * size * dayMs;
    // The first day of 2000 that begins a week: the first of January was a Saturday.
    const base = unit === 'week' ? reference + ((weekStart(start, name) - 6 + 7) % 7) * dayMs : reference;
    return new Date(instantOf(base + Math.floor((startOfDay(wall) - base) / length) * length, zone));
  }
  const length = lengths[unit]! * size;
  const base = instantOf(reference, zone);
  return new Date(base + Math.floor((instant - base) / length) * length);
}
