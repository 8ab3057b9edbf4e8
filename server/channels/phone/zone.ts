import { AppError } from '../../../shared/errors.js';

/**
 * Local times of an exchange's log as real ones. Twice a year that is a question: an hour that does not exist, and one
 * that comes twice.
 */
export interface Zone {
  /** All instants that this local time may mean: one, two in the doubled hour; the skipped hour is read as passing on. */
  instants(local: string): Date[] | null;
}

const localTime = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?$/;

/** @throws AppError `bad_request` for a zone that nobody knows */
export function zone(name: string): Zone {
  const format = formatter(name);
  const offsetMs = (instant: number): number => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    const shown = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    );
    return shown - Math.floor(instant / 1_000) * 1_000;
  };
  return {
    instants(local) {
      const shown = parseLocal(local);
      if (shown === null) return null;
      // A zone's offset is never more than a day from UTC, and changes at most once within two.
      const candidates = [...new Set([offsetMs(shown - dayMs), offsetMs(shown + dayMs)])].map(
        (offset) => shown - offset,
      );
      const exact = candidates.filter((instant) => instant + offsetMs(instant) === shown);
      const found = exact.length > 0 ? exact : candidates.slice(0, 1);
      return found.sort((a, b) => a - b).map((instant) => new Date(instant));
    },
  };
}

const dayMs = 24 * 3_600_000;

function formatter(name: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    throw new AppError(
      'bad_request',
      { field: 'timeZone', problem: 'No known time zone.' },
      { cause: error },
    );
  }
}

/** The local time as if it were UTC, in milliseconds; null when it is none. */
function parseLocal(local: string): number | null {
  const match = localTime.exec(local.trim());
  if (!match) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const shown = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(shown);
  const isReal =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return isReal ? shown : null;
}

/**
 * Chooses between the two meanings of the doubled hour. A log is written in the order in which calls end: when the
 * earlier meaning would put a call's end before the end of the call above it, it was the later one.
 */
export function chooser(): (instants: Date[], lengthSeconds: number, hint: Date | null) => Date | null {
  let lastEnd = Number.NEGATIVE_INFINITY;
  return (instants, lengthSeconds, hint) => {
    const [first, second] = instants;
    if (!first) return null;
    let chosen = first;
    if (second) {
      const endOfFirst = first.getTime() + lengthSeconds * 1_000;
      const isNearer = (a: Date, b: Date, to: Date) =>
        Math.abs(a.getTime() - to.getTime()) < Math.abs(b.getTime() - to.getTime());
      if (hint) chosen = isNearer(second, first, hint) ? second : first;
      else if (endOfFirst < lastEnd) chosen = second;
    }
    lastEnd = Math.max(lastEnd, chosen.getTime() + lengthSeconds * 1_000);
    return chosen;
  };
}
