import * as v from 'valibot';
import { byteLength, codePointLength } from './length.js';
import { limits } from './limits.js';

export { byteLength, codePointLength };

/** Control characters have no place in a message, save tab and line feed; a lone surrogate cannot be stored as UTF-8. */
export function cleanText(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}

/** A string of at most `max` code points. */
export const shortText = (max: number = limits.nameCodePoints) =>
  v.pipe(
    v.string(),
    v.check((text) => text.length <= max * 2 && codePointLength(text) <= max, `At most ${max} characters.`),
  );

export const Id = v.pipe(v.string(), v.regex(/^[0-9a-zA-Z_-]{1,64}$/, 'Not an id.'));
export const Time = v.pipe(v.string(), v.isoTimestamp('Not a time in ISO 8601.'));
/**
 * Loose on purpose: what is deliverable is decided by delivering. Lower case, one @, a dot after it, no spaces. Nothing
 * that cannot be seen or turns the direction (two addresses that look the same), and neither of the two letters whose
 * lower case is another alphabet's: the Kelvin sign must not become somebody's `k`.
 */
export const EmailAddress = v.pipe(
  v.string(),
  v.trim(),
  v.maxBytes(limits.emailAddressBytes),
  v.regex(
    /^[^\s@<>"\p{C}\u212a\u0130]{1,64}@[^\s@<>"\p{C}\u212a\u0130]+\.[^\s@<>".\p{C}\u212a\u0130]+$/u,
    'Not an e-mail address.',
  ),
  v.toLowerCase(),
);
export const Seq = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
