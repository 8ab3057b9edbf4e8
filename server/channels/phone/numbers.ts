import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import type { CallParty } from '../../../shared/events/call.js';
import { cleanText } from '../../../shared/text.js';

/** Longer than any number can be: whoever writes a novel into a call log is not read as one. */
const numberCharacters = 40;
const anonymous = /^(?:anonymous|unknown|private|withheld|restricted|unavailable|asterisk|0+)?$/i;

const line = (text: string): string =>
  [...cleanText(text)].slice(0, 100).join('').replaceAll('\n', ' ').trim();

/** What one end of a call is: an outside number, an extension or service of our own exchange, or a withheld number. */
export function partyOf(number: string, name: string | null, country: string): CallParty {
  const shown = line(number);
  const named = name === null ? '' : line(name);
  const display = named !== '' && named !== shown ? { name: named } : {};
  if (anonymous.test(shown)) return { shown, anonymous: true, ...display };
  if (isExtension(shown)) return { shown, extension: shown, ...display };
  const e164 = toE164(shown, country);
  return { shown, ...(e164 !== null && { e164 }), ...display };
}

/** Up to six digits, a feature code (`*97`), or one of Asterisk's named extensions (`s`, `i`, `t`). */
const isExtension = (text: string): boolean => /^(?:[*#]\d{1,6}[*#]?|\d{1,6}|[a-z])$/i.test(text);

/**
 * A number as E.164, read as somebody in `country` would dial it; null when it cannot be read. `00` is taken as `+`
 * everywhere, since exchanges write it so whatever their country dials.
 */
export function toE164(number: string, country: string): string | null {
  if (number.length > numberCharacters) return null;
  const international = number.replace(/^00(?=[1-9])/, '+');
  if (international.startsWith('+')) {
    const parsed = parsePhoneNumberFromString(international);
    return parsed?.isPossible() ? parsed.number : null;
  }
  if (!isSupportedCountry(country)) return null;
  const parsed = parsePhoneNumberFromString(number, country);
  return parsed?.isValid() ? parsed.number : null;
}
