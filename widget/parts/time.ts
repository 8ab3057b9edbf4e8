import type { Texts } from '../texts/text.js';

/** Times as the visitor's own clock and zone show them. */
export interface Times {
  time: (at: string) => string;
  /** Today, yesterday, else the date. */
  day: (at: string) => string;
  /** How many midnights ago it was. */
  daysAgo: (at: string) => number;
}

const dayOf = (at: Date): number => Math.floor((at.getTime() - at.getTimezoneOffset() * 60_000) / 86_400_000);

/** `locales` is what the browser accepts: see `localesOf`. */
export function timesOf(locales: string[], text: Texts): Times {
  const time = new Intl.DateTimeFormat(locales, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const date = new Intl.DateTimeFormat(locales, { day: 'numeric', month: 'long' });
  const daysAgo = (at: string): number => dayOf(new Date()) - dayOf(new Date(at));
  return {
    time: (at) => time.format(new Date(at)),
    daysAgo,
    day: (at) => [text.today, text.yesterday][daysAgo(at)] ?? date.format(new Date(at)),
  };
}
