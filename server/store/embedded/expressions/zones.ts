import type { Value } from '../bson/types.js';
import { location } from '../errors.js';
import { typeName } from '../values/compare.js';
import { isNullish } from './expression.js';

/** Time zones: what the clock on the wall shows at an instant, and the instant of what it shows. */

/** Milliseconds that the zone's clock is ahead of UTC at an instant. */
export type Zone = (instant: number) => number;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(name: string): Intl.DateTimeFormat {
  const known = formats.get(name);
  if (known) return known;
  try {
    const made = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(name, made);
    return made;
  } catch (error) {
    if (error instanceof RangeError) throw location(40485, `unrecognized time zone identifier: "${name}"`);
    throw error;
  }
}

/** `Date.UTC` counts years below 100 from 1900. */
export function utc(
  year: number,
  month: number,
  day: number,
  hour = 0,
  minute = 0,
  second = 0,
  ms = 0,
): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  date.setUTCHours(hour, minute, second, ms);
  return date.getTime();
}

function namedZone(name: string): Zone {
  const format = formatFor(name);
  return (instant) => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    const number = (part: Intl.DateTimeFormatPartTypes) => Number(parts.get(part));
    const year = parts.get('era')?.startsWith('B') ? 1 - number('year') : number('year');
    const shown = utc(
      year,
      number('month') - 1,
      number('day'),
      number('hour'),
      number('minute'),
      number('second'),
    );
    const inSecond = ((instant % 1_000) + 1_000) % 1_000;
    return shown - (instant - inSecond);
  };
}

/** @throws StoreError 40485 for what is no zone: an Olson name, or an offset as +03, +0300, +03:00 */
export function zoneFrom(value: Value | undefined): Zone | null {
  if (value === undefined) return () => 0;
  if (isNullish(value)) return null;
  if (typeof value !== 'string')
    throw location(40517, `timezone must evaluate to a string, found ${typeName(value)}`);
  const offset = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(value);
  if (offset) {
    const ms = (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) * 60_000 * (offset[1] === '-' ? -1 : 1);
    return () => ms;
  }
  if (['GMT', 'UTC', 'Z', ''].includes(value)) {
    if (value === '') throw location(40485, 'unrecognized time zone identifier: ""');
    return () => 0;
  }
  return namedZone(value);
}

/** The instant at which a zone's clock shows this. Where it shows it twice, the first; where never, what follows. */
export function instantOf(wall: number, zone: Zone): number {
  const first = wall - zone(wall);
  const second = wall - zone(first);
  if (second === first) return first;
  // Around a change of the clock: the candidate that shows the wall's time, else the later offset.
  return (
    [first, second].sort((left, right) => left - right).find((one) => one + zone(one) === wall) ??
    Math.max(first, second)
  );
}

/** What a zone's clock shows at an instant, as a date whose UTC fields are the zone's. */
export const wallOf = (instant: number, zone: Zone): Date => new Date(instant + zone(instant));
