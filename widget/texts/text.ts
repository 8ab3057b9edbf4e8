import { en } from './en.js';
import { ru } from './ru.js';

export type TextKey = keyof typeof en;
/** Looks a text up and fills its `{places}`. */
export type Text = (key: TextKey, values?: Record<string, string | number>) => string;

/** The catalogue of a language tag; English for those without one. */
export const textsOf = (locale: string): Text => {
  const texts = /^ru\b/i.test(locale) ? ru : en;
  return (key, values = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
};
