import { language, t } from './text.js';

/**
 * Times as people read them. `now` comes from outside, so that a test knows what it will read; the zone is the
 * reader's unless one is given.
 */
const formats = new Map<string, Intl.DateTimeFormat>();
function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  // British English: the day before the month, 24 hours.
  const locale = language.get() === 'en' ? 'en-GB' : language.get();
  const key = `${locale}${JSON.stringify(options)}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(locale, options);
    formats.set(key, made);
  }
  return made;
}

const dayMs = 86_400_000;
const capital = (text: string) => text.charAt(0).toLocaleUpperCase(language.get()) + text.slice(1);
const part = (at: Date, options: Intl.DateTimeFormatOptions, type: Intl.DateTimeFormatPartTypes) =>
  format(options)
    .formatToParts(at)
    .find((piece) => piece.type === type)?.value ?? '';

/** 09:41 */
export const clock = (iso: string, timeZone?: string): string =>
  format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...(timeZone && { timeZone }) }).format(
    new Date(iso),
  );

/** A day as a number that grows by one a day, in the reader's zone. */
export function dayNumber(at: Date): number {
  return Math.round(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / dayMs);
}

/** 23 Nov; 23 Nov 2025 in another year. Russian has its months in the genitive. */
export function shortDate(
  iso: string,
  now: Date,
  withYear = new Date(iso).getFullYear() !== now.getFullYear(),
) {
  return format({ day: 'numeric', month: 'short', ...(withYear && { year: 'numeric' }) })
    .format(new Date(iso))
    .replace(/ г\.$/, '')
    .replace('Sept', 'Sep');
}

/** 9 to 12 Nov; 28 Oct to 2 Nov; one date when both are of one day. */
export function dateRange(from: string, to: string, now: Date): string {
  const [a, b] = [new Date(from), new Date(to)];
  const end = shortDate(to, now);
  if (dayNumber(a) === dayNumber(b)) return end;
  const isOneMonth = a.getMonth() === b.getMonth() && a.getFullYear() === b.getFullYear();
  return t('time.range', { from: isOneMonth ? String(a.getDate()) : shortDate(from, now), to: end });
}

/** Fri 20 Nov; Пт, 20 ноября. */
function dayTitle(iso: string): string {
  const at = new Date(iso);
  const weekday = part(at, { weekday: 'short' }, 'weekday');
  if (language.get() === 'ru')
    return capital(`${weekday}, ${format({ day: 'numeric', month: 'long' }).format(at)}`);
  return `${weekday} ${format({ day: 'numeric', month: 'short' }).format(at).replace('Sept', 'Sep')}`;
}

/** Dec 2025; in Russian as it stands after "с": дек. 2025, марта 2026. */
export function monthYear(iso: string): string {
  const options = { day: 'numeric', month: 'short', year: 'numeric' } as const;
  const pieces = format(options).formatToParts(new Date(iso));
  // With the day beside it a Russian month is in the genitive.
  const said = (type: 'month' | 'year') => pieces.find((piece) => piece.type === type)?.value ?? '';
  return `${said('month').replace('Sept', 'Sep')} ${said('year')}`;
}

/** In a row: the time of today, `Yesterday`, the weekday within a week, else the date. */
export function rowTime(iso: string, now: Date): string {
  const at = new Date(iso);
  const days = dayNumber(now) - dayNumber(at);
  if (days <= 0) return clock(iso);
  if (days === 1) return t('time.yesterday');
  if (days < 7) return part(at, { weekday: 'short' }, 'weekday');
  return shortDate(iso, now);
}

/** The one anchor of a day: `Today` with the date beside it, or the date with how long ago it was. */
export function dayAnchor(iso: string, now: Date): { title: string; beside: string } {
  const days = dayNumber(now) - dayNumber(new Date(iso));
  const title = dayTitle(iso);
  if (days === 0) return { title: t('time.today'), beside: title };
  if (days === 1) return { title: t('time.yesterday'), beside: title };
  if (days > 1 && days < 7) return { title, beside: t('time.days_ago', { count: days }) };
  return { title, beside: '' };
}

/** The whole of it, for tooltips. */
export const exactTime = (iso: string): string =>
  format({ dateStyle: 'full', timeStyle: 'short' }).format(new Date(iso));

/** 17 m; 1 h 20; 14 h 02; 3 d: how long somebody waits. */
export function waited(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 60) return t('time.minutes', { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    const rest = minutes % 60;
    return rest === 0
      ? t('time.hours', { count: hours })
      : t('time.hours_minutes', { hours, minutes: String(rest).padStart(2, '0') });
  }
  return t('time.days', { count: Math.floor(hours / 24) });
}

/** 4:12, 1:02:05: the length of a call. */
export function length(seconds: number): string {
  const rest = String(seconds % 60).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
}

/** D or Dec: a month under the year picture. */
export function monthLabel(at: Date, style: 'narrow' | 'short'): string {
  const label = format({ month: style }).format(at).replace('.', '').replace('Sept', 'Sep');
  return style === 'narrow' ? capital(label).charAt(0) : capital(label);
}

/** 412 KB */
export function fileSize(bytes: number): string {
  const units = ['KB', 'MB', 'GB'] as const;
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = size >= 10 || unit === 0 ? 0 : 1;
  return `${Math.max(size, bytes > 0 ? 1 : 0).toLocaleString(language.get(), { maximumFractionDigits: digits })}\u00a0${t(`size.${units[unit] ?? 'KB'}`)}`;
}

/** The time there, now; null when the zone is not one. */
export function timeIn(timeZone: string, now: Date): string | null {
  try {
    return clock(now.toISOString(), timeZone);
  } catch {
    // A browser may name a zone that this one does not know.
    return null;
  }
}
