import { createSlice } from '../state/slice.js';
import { en } from './en.js';
import type { Text, Translated } from './form.js';

export type TextKey = keyof typeof en;
export type Language = 'en' | 'ru';
export type Parameters = Record<string, string | number>;

/** The language on screen. Another one draws everything anew. */
export const language = createSlice<Language>('en');

let catalogue: Translated<typeof en> = en;
let plurals = new Intl.PluralRules('en');

/** Loads a language's texts, then switches to it. English is always there. */
export async function useLanguage(next: Language): Promise<void> {
  const loaded = next === 'ru' ? (await import('./ru.js')).ru : en;
  catalogue = loaded;
  plurals = new Intl.PluralRules(next);
  document.documentElement.lang = next;
  language.set(next);
}

/** The text of `key` in the reader's language. `count` chooses the plural form. */
export function t(key: TextKey, parameters: Parameters = {}): string {
  return fill(catalogue[key], parameters, plurals);
}

export function fill(text: Text, parameters: Parameters, rules: Intl.PluralRules): string {
  const chosen =
    typeof text === 'string' ? text : (text[rules.select(Number(parameters.count ?? 0))] ?? text.other ?? '');
  return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = parameters[name];
    return value === undefined
      ? whole
      : typeof value === 'number'
        ? value.toLocaleString(language.get())
        : value;
  });
}

/** 12,345; 12 345: a count in the reader's language. */
export const figure = (count: number): string => count.toLocaleString(language.get());

/** A text with parts that are drawn: `['Merged with ', 1, '.']` for `Merged with {1}.` */
export function split(key: TextKey, parameters: Parameters = {}): (string | number)[] {
  return t(key, parameters)
    .split(/(\{\d\})/)
    .filter((part) => part !== '')
    .map((part) => (/^\{\d\}$/.test(part) ? Number(part[1]) : part));
}
