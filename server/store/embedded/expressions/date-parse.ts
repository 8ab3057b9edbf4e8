import type { StoreError } from '../errors.js';
import { instantOf, utc, type Zone, zoneFrom } from './zones.js';

/** Dates out of texts: ISO 8601 by default, else by a format. */

type Refuse = (message: string) => StoreError;

const iso =
  /^(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?|UTC|GMT)?$/;

function checked(
  parts: [number, number, number, number, number, number, number],
  text: string,
  refuse: Refuse,
): number {
  const wall = utc(...parts);
  const date = new Date(wall);
  // A day that is none must not become another one in silence.
  if (
    date.getUTCMonth() !== parts[1] ||
    date.getUTCDate() !== parts[2] ||
    parts[3] > 23 ||
    parts[4] > 59 ||
    parts[5] > 59
  )
    throw refuse(`Error parsing date string '${text}'`);
  return wall;
}

/** @throws what `refuse` makes of a message */
export function instantFrom(text: string, zone: Zone | null, refuse: Refuse): Date {
  const match = iso.exec(text.trim());
  if (!match) throw refuse(`Error parsing date string '${text}'`);
  const [, year, month, day = '01', hour = '0', minute = '0', second = '0', fraction = '0', offset] = match;
  const wall = checked(
    [
      Number(year),
      Number(month) - 1,
      Number(day),
      Number(hour),
      Number(minute),
      Number(second),
      Math.floor(Number(`0.${fraction}`) * 1_000),
    ],
    text,
    refuse,
  );
  if (offset !== undefined && zone)
    throw refuse(
      `you cannot pass in a date/time string with GMT offset together with a timezone argument: '${text}'`,
    );
  const own = offset === undefined ? zone : zoneFrom(offset === 'Z' ? 'UTC' : offset);
  return new Date(own ? instantOf(wall, own) : wall);
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const pieces: Record<string, string> = {
  Y: '(?<Y>\\d{4})',
  m: '(?<m>\\d{1,2})',
  d: '(?<d>\\d{1,2})',
  H: '(?<H>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
  L: '(?<L>\\d{1,3})',
  b: '(?<b>[A-Za-z]{3})',
  B: '(?<B>[A-Za-z]+)',
  j: '(?<j>\\d{1,3})',
  z: '(?<z>Z|[+-]\\d\\d:?\\d\\d|[A-Za-z_/]+)',
  Z: '(?<Z>[+-]?\\d+)',
  '%': '%',
};

/** A text read by a format of `%` letters. */
export function instantByFormat(text: string, format: string, zone: Zone | null, refuse: Refuse): Date {
  let pattern = '';
  for (let at = 0; at < format.length; at += 1) {
    const letter = format[at]!;
    if (letter !== '%') {
      pattern += letter.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      continue;
    }
    at += 1;
    const piece = pieces[format[at] ?? ''];
    if (!piece) throw refuse(`Invalid format character '%${format[at] ?? ''}' in format string`);
    pattern += piece;
  }
  const groups = new RegExp(`^${pattern}$`).exec(text)?.groups;
  if (!groups) throw refuse(`Error parsing date string '${text}' by the format '${format}'`);
  const named = groups.b ?? groups.B;
  const month =
    named === undefined ? Number(groups.m ?? 1) - 1 : months.indexOf(named.slice(0, 3).toLowerCase());
  const day = groups.j === undefined ? Number(groups.d ?? 1) : 1;
  let wall = checked(
    [
      Number(groups.Y ?? 1970),
      month,
      day,
      Number(groups.H ?? 0),
      Number(groups.M ?? 0),
      Number(groups.S ?? 0),
      Number((groups.L ?? '0').padEnd(3, '0')),
    ],
    text,
    refuse,
  );
  if (groups.j !== undefined) wall += (Number(groups.j) - 1) * 86_400_000;
  if (groups.Z !== undefined) return new Date(wall - Number(groups.Z) * 60_000);
  const own = groups.z === undefined ? zone : zoneFrom(groups.z === 'Z' ? 'UTC' : groups.z);
  return new Date(own ? instantOf(wall, own) : wall);
}
