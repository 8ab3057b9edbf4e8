import type { SenderProof } from '../../../shared/events/email.js';
import { createContact } from '../../contacts/create.js';
import { ContactModel } from '../../contacts/model.js';
import { resolveOrCreate } from '../../contacts/resolve.js';
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
 * A letter from the inbox's own address went out, to its first recipient; every other came in. Where the From line is
 * unclear nothing of it is believed, that it came from us least of all.
 */
export function correspondentOf(letter: Letter, ownAddress: string | null): Correspondent {
  const from = mailAddress(letter.from.address);
  if (ownAddress !== null && from === ownAddress && !letter.from.problem) {
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

/** The contact on whose timeline the letter stands. */
export async function whoseLetter(
  scope: Scope,
  correspondent: Correspondent,
  letter: WhoseLetter,
  known: KnownContacts,
): Promise<string> {
  const { address, name } = correspondent;
  const { inboxId, importId, at, proof } = letter;
  if (address === null) return nobody(scope, `${inboxId}:letter:${letter.key}`, name, importId);
  const proved = proof.verified && proof.method !== 'none' ? proof.method : undefined;
  const key = `${inboxId} ${proved ?? ''} ${address}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const resolved = resolveOrCreate(scope, {
    inboxId,
    type: 'email',
    value: address,
    ...(name !== '' && { name }),
    // Our own word (a letter that we sent) proves its recipient only as far as somebody answers for it.
    proved: correspondent.direction === 'out' && proved === 'dmarc' ? 'agent' : proved,
    source: importId === undefined ? 'email' : 'import',
    importId,
    at,
  }).then(({ contactId }) => contactId);
  if (known.size >= contactsKept) known.clear();
  known.set(key, resolved);
  // What failed now may succeed when it is asked for again.
  resolved.catch(() => known.delete(key));
  return resolved;
}

/** Two letters without a sender are never one person: each has a contact of its own. */
async function nobody(
  scope: Scope,
  gathers: string,
  name: string,
  importId: string | undefined,
): Promise<string> {
  const find = () => ContactModel.findOne({ workspaceId: scope.workspaceId, gathers }, { _id: 1 }).lean();
  const found = await find();
  if (found) return found._id;
  try {
    return await createContact(scope, { given: { name }, gathers, importId });
  } catch (error) {
    const rival = await find();
    if (rival) return rival._id;
    throw error;
  }
}
