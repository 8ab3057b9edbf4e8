import { location } from '../errors.js';
import { dayOfYear, isoDayOfWeek, isoWeek, week } from './calendar.js';
import { wallOf, type Zone } from './zones.js';

/** Dates as texts, by a format of `%` letters. */

const names = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const pad = (value: number, length: number): string => String(value).padStart(length, '0');

function offsetText(ms: number): string {
  const minutes = Math.abs(Math.round(ms / 60_000));
  return `${ms < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60), 2)}${pad(minutes % 60, 2)}`;
}

const letters: Record<string, (wall: Date, offset: number) => string> = {
  Y: (wall) => {
    const year = wall.getUTCFullYear();
    if (year < 0 || year > 9_999)
      throw location(18537, `Could not convert date to string: year ${year} is out of range`);
    return pad(year, 4);
  },
  m: (wall) => pad(wall.getUTCMonth() + 1, 2),
  b: (wall) => names[wall.getUTCMonth()]!.slice(0, 3),
  B: (wall) => names[wall.getUTCMonth()]!,
  d: (wall) => pad(wall.getUTCDate(), 2),
  H: (wall) => pad(wall.getUTCHours(), 2),
  M: (wall) => pad(wall.getUTCMinutes(), 2),
  S: (wall) => pad(wall.getUTCSeconds(), 2),
  L: (wall) => pad(wall.getUTCMilliseconds(), 3),
  j: (wall) => pad(dayOfYear(wall), 3),
  w: (wall) => String(wall.getUTCDay() + 1),
  u: (wall) => String(isoDayOfWeek(wall)),
  U: (wall) => pad(week(wall), 2),
  V: (wall) => pad(isoWeek(wall).week, 2),
  G: (wall) => pad(isoWeek(wall).year, 4),
  z: (_, offset) => offsetText(offset),
  Z: (_, offset) => String(Math.round(offset / 60_000)),
  '%': () => '%',
};

/** @throws StoreError 18535, 18536 for a format that cannot be read */
export function formatted(instant: number, format: string, zone: Zone): string {
  const offset = zone(instant);
  const wall = wallOf(instant, zone);
  let text = '';
  for (let at = 0; at < format.length; at += 1) {
    if (format[at] !== '%') {
      text += format[at];
      continue;
    }
    at += 1;
    const letter = format[at];
    if (letter === undefined) throw location(18535, "Unmatched '%' at end of format string");
    const write = Object.hasOwn(letters, letter) ? letters[letter] : undefined;
    if (!write) throw location(18536, `Invalid format character '%${letter}' in format string`);
    text += write(wall, offset);
  }
  return text;
}
