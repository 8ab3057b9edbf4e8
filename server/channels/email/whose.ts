import type { SenderProof } from '../../../shared/events/email.js';
import { createContact } from '../../contacts/create.js';
import { ContactModel } from '../../contacts/model.js';
import type { Arrival } from '../../contacts/resolve.js';
import { resolveMany } from '../../contacts/resolve-many.js';
import type { Scope } from '../../workspaces/scope.js';
import { mailAddress } from './address.js';
import type { Letter } from './parse.js';

/** Whom a letter was exchanged with, and which way it went. */
export interface Correspondent {
  direction: 'in' | 'out';
  name: string;
  /** As identities are spelled; null when the letter names nobody who could be written to. */
  address: string | null;
}

/**
 * A letter from the inbox's own address went out, to its first recipient; every other came in. Anybody can write our
 * address into a From line: one that a mail host delivered to us is ours only when that was proved, while the copy in
 * our own Sent folder went through none. Where the From line is unclear nothing of it is believed.
 */
export function correspondentOf(
  letter: Letter,
  ownAddress: string | null,
  { verified }: Pick<SenderProof, 'verified'>,
): Correspondent {
  const from = mailAddress(letter.from.address);
  const isBelieved = verified || !letter.headers.some((line) => line.name === 'received');
  if (ownAddress !== null && from === ownAddress && !letter.from.problem && isBelieved) {
    for (const one of [...letter.to, ...letter.cc]) {
      const address = mailAddress(one.address);
      if (address !== null && address !== ownAddress) return { direction: 'out', name: one.name, address };
    }
  }
  return { direction: 'in', name: letter.from.name, address: from };
}

/** Contacts that one run has met already: most letters of a mailbox are from few people. */
export type KnownContacts = Map<string, Promise<string>>;
const contactsKept = 20_000;

export interface WhoseLetter {
  inboxId: string;
  importId?: string | undefined;
  at: Date;
  /** Stands for the letter where it names nobody. */
  key: string;
  proof: SenderProof;
}

/** The contacts on whose timelines these letters stand, in their order. */
export async function whoseLetters(
  scope: Scope,
  letters: readonly (WhoseLetter & { correspondent: Correspondent })[],
  known: KnownContacts,
): Promise<string[]> {
  if (known.size >= contactsKept) known.clear();
  const keys = letters.map(keyOf);
  const fresh = new Map<string, Arrival & { type: 'email' }>();
  for (const [index, letter] of letters.entries()) {
    const key = keys[index];
    const { address } = letter.correspondent;
    if (key && address !== null && !known.has(key)) fresh.set(key, arrivalOf(letter, address));
  }
  const order = [...fresh.keys()];
  const resolved = resolveMany(scope, [...fresh.values()]);
  for (const [index, key] of order.entries()) {
    const contactId = resolved.then((ids) => ids[index] ?? '');
    known.set(key, contactId);
    // What failed now may succeed when it is asked for again.
    contactId.catch(() => known.delete(key));
  }
  await resolved;
  const contactIds: string[] = [];
  for (const [index, letter] of letters.entries()) {
    const found = known.get(keys[index] ?? '');
    contactIds.push(found === undefined ? await nobody(scope, letter) : await found);
  }
  return contactIds;
}

const provenBy = ({ proof }: WhoseLetter) =>
  proof.verified && proof.method !== 'none' ? proof.method : undefined;

const keyOf = (letter: WhoseLetter & { correspondent: Correspondent }): string | null => {
  const { address, direction } = letter.correspondent;
  return address === null ? null : `${letter.inboxId} ${provenBy(letter) ?? ''} ${direction} ${address}`;
};

function arrivalOf(
  letter: WhoseLetter & { correspondent: Correspondent },
  address: string,
): Arrival & { type: 'email' } {
  const { correspondent, inboxId, importId, at } = letter;
  const proved = provenBy(letter);
  return {
    inboxId,
    type: 'email',
    value: address,
    ...(correspondent.name !== '' && { name: correspondent.name }),
    // Our own word (a letter that we sent) proves its recipient only as far as somebody answers for it.
    proved: correspondent.direction === 'out' && proved === 'dmarc' ? 'agent' : proved,
    source: importId === undefined ? 'email' : 'import',
    importId,
    at,
  };
}

/** Two letters without a sender are never one person: each has a contact of its own. */
async function nobody(
  scope: Scope,
  { inboxId, key, importId, correspondent }: WhoseLetter & { correspondent: Correspondent },
): Promise<string> {
  const gathers = `${inboxId}:letter:${key}`;
  const find = () => ContactModel.findOne({ workspaceId: scope.workspaceId, gathers }, { _id: 1 }).lean();
  const found = await find();
  if (found) return found._id;
  try {
    return await createContact(scope, { given: { name: correspondent.name }, gathers, importId });
  } catch (error) {
    const rival = await find();
    if (rival) return rival._id;
    throw error;
  }
}
