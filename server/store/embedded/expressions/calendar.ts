import { utc } from './zones.js';

/** Weeks and days of a year, over dates whose UTC fields are what a clock on the wall shows. */

const dayMs = 86_400_000;

export const startOfDay = (wall: Date): number =>
  utc(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate());

export const dayOfYear = (wall: Date): number =>
  Math.round((startOfDay(wall) - utc(wall.getUTCFullYear(), 0, 1)) / dayMs) + 1;

/** Monday is 1, Sunday 7. */
export const isoDayOfWeek = (wall: Date): number => wall.getUTCDay() || 7;

/** ISO 8601: the week that holds the year's first Thursday is its first. */
export function isoWeek(wall: Date): { year: number; week: number } {
  const thursday = new Date(startOfDay(wall) + (4 - isoDayOfWeek(wall)) * dayMs);
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((dayOfYear(thursday) - 1) / 7) + 1 };
}

/** Weeks begin on Sundays; days before the first one are week 0. */
export const week = (wall: Date): number => Math.floor((dayOfYear(wall) + 6 - wall.getUTCDay()) / 7);

/** Months on: a day that the month does not have becomes its last. */
export function addMonths(wall: Date, months: number): Date {
  const total = wall.getUTCFullYear() * 12 + wall.getUTCMonth() + months;
  const [year, month] = [Math.floor(total / 12), ((total % 12) + 12) % 12];
  const last = new Date(utc(year, month + 1, 0)).getUTCDate();
  return new Date(
    utc(
      year,
      month,
      Math.min(wall.getUTCDate(), last),
      wall.getUTCHours(),
      wall.getUTCMinutes(),
      wall.getUTCSeconds(),
      wall.getUTCMilliseconds(),
    ),
  );
}

export const monthsOf = (wall: Date): number => wall.getUTCFullYear() * 12 + wall.getUTCMonth();
