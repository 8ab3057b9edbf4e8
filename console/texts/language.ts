import { language } from './text.js';

/** English of `en`; the code itself where the browser knows no name for it. */
function languageName(code: string): string {
  try {
    const name = new Intl.DisplayNames([language.get()], { type: 'language' }).of(code) ?? code;
    return name.charAt(0).toLocaleUpperCase(language.get()) + name.slice(1);
  } catch {
    // Somebody wrote something else into the field: it is shown as it is.
    return code;
  }
}

/** What stands in a contact's field, as it is read. */
export const fieldText = (field: string, value: string | null | undefined): string | null =>
  value == null ? null : field === 'language' ? languageName(value) : value;
