import { readReceived } from './authenticate.js';
import { allOf, type HeaderLine } from './headers.js';
import { readDate } from './parse.js';

export interface LetterTime {
  occurredAt: Date;
  /** Whose clock it is. */
  timeFrom: 'received' | 'date' | 'arrival';
  /** What the sender's own Date says, when it is more than an hour away. ISO 8601. */
  dateHeader?: string;
}

const hourMs = 3_600_000;

/**
 * When a letter happened. Its sender decides that last: first the trusted host's Received line, else the topmost one
 * (an import has nothing better), else Date, else now.
 */
export function letterTime(
  headers: readonly HeaderLine[],
  date: Date | undefined,
  options: { trustedHost?: string | undefined; now: Date },
): LetterTime {
  const hops = allOf(headers, 'received').slice(0, 50);
  const timeOf = (value: string) => readDate(value.slice(value.lastIndexOf(';') + 1));
  const trusted = hops.find((value) => readReceived(value).by === options.trustedHost);
  const received = (trusted && timeOf(trusted)) ?? (hops[0] && timeOf(hops[0]));
  if (!received) {
    return date ? { occurredAt: date, timeFrom: 'date' } : { occurredAt: options.now, timeFrom: 'arrival' };
  }
  const isFarAway = date !== undefined && Math.abs(date.getTime() - received.getTime()) > hourMs;
  return { occurredAt: received, timeFrom: 'received', ...(isFarAway && { dateHeader: date.toISOString() }) };
}
