import { addressParser } from 'postal-mime';
import * as v from 'valibot';
import type { MailAddress } from '../../../shared/events/email.js';
import { limits } from '../../../shared/limits.js';
import { EmailAddress } from '../../../shared/text.js';
import { readable, splitOutsideQuotes, unquoted, withoutComments } from './headers.js';

/** Why a From line names nobody who could be proved. */
export type FromProblem = 'no_from' | 'several_from' | 'from_unclear' | 'name_is_address';

export interface FromReading extends MailAddress {
  /** Absent when the line names exactly one address, in the plain way. */
  problem?: FromProblem;
}

/** The address as identities are spelled; null when it is none. */
export function mailAddress(text: string): string | null {
  const result = v.safeParse(EmailAddress, text);
  return result.success ? result.output : null;
}

const shownName = (text: string): string => cutBytes(readable(unquoted(text.trim())), 1_000);

/** At most so many bytes of UTF-8, cut between characters. */
export function cutBytes(text: string, max: number): string {
  if (text.length * 3 <= max || Buffer.byteLength(text) <= max) return text;
  let room = max;
  let kept = '';
  for (const character of text) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return kept;
}

/**
 * Who the From line says wrote it. Read strictly, and not by the library: where two readers could come to two
 * addresses, a proof of the one would be taken for the other.
 */
export function readFrom(values: readonly string[]): FromReading {
  if (values.length === 0) return { name: '', address: '', problem: 'no_from' };
  const named = readAddresses(values);
  // `Smith, Ann <ann@…>` without quotation marks is two names to a parser, and one address.
  const shown = named.find(({ address }) => address !== '') ?? named[0] ?? { name: '', address: '' };
  if (values.length > 1) return { ...shown, problem: 'several_from' };
  const mailboxes = splitOutsideQuotes(withoutComments((values[0] ?? '').slice(0, 8_192)), ',').filter(
    (piece) => piece.trim() !== '',
  );
  if (mailboxes.length === 0) return { ...shown, problem: 'no_from' };
  if (mailboxes.length > 1) return { ...shown, problem: 'several_from' };
  const one = readMailbox(mailboxes[0] ?? '');
  if (!one) return { ...shown, problem: shown.address === '' ? 'no_from' : 'from_unclear' };
  return namesAnother(one) ? { ...one, problem: 'name_is_address' } : one;
}

/** `name <local@host>` or `local@host`, nothing else: no group, no route, no second address. */
function readMailbox(text: string): MailAddress | null {
  const outside = splitOutsideQuotes(text, '<');
  if (outside.length === 1) {
    const address = mailAddress(text);
    return address && !/[;:]/.test(text) ? { name: '', address } : null;
  }
  const [name = '', rest = ''] = outside;
  if (outside.length !== 2 || !rest.trimEnd().endsWith('>') || splitOutsideQuotes(rest, '>').length !== 2)
    return null;
  const address = mailAddress(rest.trimEnd().slice(0, -1));
  if (!address || (!name.trimStart().startsWith('"') && /[;:@]/.test(name))) {
    // An unquoted name with an @ is an address to some readers.
    return null;
  }
  return { name: shownName(name), address };
}

/** "boss@bank.example" <mallory@evil.example>: people read the name. */
function namesAnother({ name, address }: MailAddress): boolean {
  const flat = name.normalize('NFKC').toLowerCase();
  const found = flat.match(/[^\s<>"'(),;:]{1,64}@[^\s<>"'(),;:]{1,190}\.[\p{L}]{2,}/gu) ?? [];
  return found.some((one) => one !== address);
}

/** To, Cc, Reply-To: as many as can be read, groups opened. */
export function readAddresses(values: readonly string[]): MailAddress[] {
  const found: MailAddress[] = [];
  for (const value of values) {
    if (found.length >= limits.emailRecipients) break;
    for (const one of addressParser(value.slice(0, 256 * 1024), { flatten: true })) {
      if (found.length >= limits.emailRecipients) break;
      if (one.address === undefined) continue;
      const address = cutBytes(readable(one.address).toLowerCase(), limits.emailAddressBytes);
      const name = cutBytes(readable(one.name), 1_000);
      if (address !== '' || name !== '') found.push({ name, address });
    }
  }
  return found;
}

/** The domain of an address; empty when it has none. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);
