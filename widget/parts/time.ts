import type { Text } from '../texts/text.js';

/** Times of a locale, as the visitor's own clock and zone show them. A locale the browser does not know is English. */
export function timesOf(locale: string, text: Text, now: () => Date = () => new Date()) {
  const known = Intl.DateTimeFormat.supportedLocalesOf([locale])[0] ?? 'en';
  const time = new Intl.DateTimeFormat(known, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const date = new Intl.DateTimeFormat(known, { day: 'numeric', month: 'long' });
  const weekday = new Intl.DateTimeFormat(known, { weekday: 'short' });
  const short = new Intl.DateTimeFormat(known, { day: 'numeric', month: 'short' });
  const dayOf = (at: Date): number =>
    Math.floor((at.getTime() - at.getTimezoneOffset() * 60_000) / 86_400_000);
  const age = (at: string): number => dayOf(now()) - dayOf(new Date(at));
  return {
    time: (at: string): string => time.format(new Date(at)),
    sameDay: (a: string, b: string): boolean => dayOf(new Date(a)) === dayOf(new Date(b)),
    day(at: string): string {
      const days = age(at);
      return days === 0 ? text('today') : days === 1 ? text('yesterday') : date.format(new Date(at));
    },
    /** As a list shows it: the time today, the weekday within a week, then the date. */
    brief(at: string): string {
      const days = age(at);
      return (days === 0 ? time : days < 7 ? weekday : short).format(new Date(at));
    },
  };
}
export type Times = ReturnType<typeof timesOf>;
