import * as v from 'valibot';
import { AppError } from '../../shared/errors.js';
import type { IdentityType } from '../../shared/events/parts.js';
import { EmailAddress } from '../../shared/text.js';

const maxLength = 320;

/**
 * The one spelling of a value, so that two spellings are not two people. An e-mail address in lower case; a phone
 * number as E.164 when it is one, else (an extension, a short code) as it came without spaces and punctuation.
 * @throws AppError `bad_request` for what cannot be such a value
 */
export function canonical(type: IdentityType, value: string): string {
  if (type === 'email') {
    const address = v.safeParse(EmailAddress, value);
    if (!address.success) throw new AppError('bad_request', { field: 'email' });
    return address.output;
  }
  const kept = type === 'phone' ? value.replace(/[\s().-]/g, '') : value;
  if (kept === '' || kept.length > maxLength || !kept.isWellFormed()) {
    throw new AppError('bad_request', { field: type });
  }
  return kept;
}
