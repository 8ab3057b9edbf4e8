import { en } from './en.js';

export type TextKey = keyof typeof en;
type Texts = Readonly<Record<TextKey, string>>;
/** Looks a text up and fills its `{places}`. */
export type Text = (key: TextKey, values?: Record<string, string | number>) => string;

let russian: Texts | null = null;
const isRussian = (locale: string): boolean => /^ru\b/i.test(locale);

/** Loads the catalogue of a language tag, when it is not the one that comes with the panel. */
export async function loadTexts(locale: string): Promise<void> {
  if (isRussian(locale)) russian ??= (await import('./ru.js')).ru;
}

/** The catalogue of a language tag; English for those without one, or when its own could not be loaded. */
export const textsOf = (locale: string): Text => {
  const texts: Texts = (isRussian(locale) && russian) || en;
  return (key, values = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
};
