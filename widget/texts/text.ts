import { en } from './en.js';
import type { extrasEn } from './extras-en.js';

/** A catalogue in any language: the same entries, the same places to fill. */
type Catalogue<English> = {
  readonly [Key in keyof English]: English[Key] extends string ? string : English[Key];
};
export type Texts = Catalogue<typeof en>;
export type ExtrasTexts = Catalogue<typeof extrasEn>;

export const isRussian = (locale: string): boolean => /^ru\b/i.test(locale);

/** What `Intl` accepts, English last: pages write `en_US` as their language, and worse. */
export function localesOf(tag: string): string[] {
  try {
    return Intl.getCanonicalLocales([tag.replace('_', '-'), 'en']);
  } catch {
    return ['en'];
  }
}

let russian: Texts | undefined;

/** Loads the catalogue of a language tag, when it is not the one that comes with the panel. */
export async function loadTexts(locale: string): Promise<void> {
  if (isRussian(locale)) russian ??= (await import('./ru.js')).ru;
}

/** The catalogue of a language tag; English for those without one, or when its own could not be loaded. */
export const textsOf = (locale: string): Texts => (isRussian(locale) && russian) || en;
