import { AppError } from '../../shared/errors.js';
import { toE164 } from '../channels/phone/numbers.js';
import { contactRow } from '../contacts/group.js';
import { ClaimModel, ContactModel } from '../contacts/model.js';
import { resolveIdentity } from '../contacts/resolve.js';
import type { Scope } from '../workspaces/scope.js';
import { getWorkspace } from '../workspaces/workspaces.js';
import { UsageError } from './command.js';

const claimsLooked = 200;

export interface FoundContact {
  /** The head of its group. */
  contactId: string;
  name: string | null;
  /** Whether the address or number is proved, or only said by somebody. */
  proved: boolean;
}

/**
 * The contacts that a word on the command line may mean: an id, an e-mail address or a telephone number. The one whose
 * address or number is proved comes first.
 */
async function findContacts(scope: Scope, word: string): Promise<FoundContact[]> {
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(word)) return [await describe(scope, word, false)];
  const type = word.includes('@') ? 'email' : 'phone';
  const { defaultCountry } = await getWorkspace(scope);
  const value =
    type === 'email' ? word.toLowerCase() : (toE164(word, defaultCountry) ?? word.replace(/[\s().-]/g, ''));
  const proved = await resolveIdentity(scope, { type, value });
  const claims = await ClaimModel.find({ workspaceId: scope.workspaceId, type, value }, { contactId: 1 })
    .limit(claimsLooked)
    .lean();
  const found = new Map<string, FoundContact>();
  for (const contactId of [...(proved === null ? [] : [proved]), ...claims.map((claim) => claim.contactId)]) {
    const contact = await describe(scope, contactId, contactId === proved);
    if (!found.has(contact.contactId)) found.set(contact.contactId, contact);
  }
  return [...found.values()];
}

/** Exactly one contact. @throws UsageError naming those there are; AppError `contact_not_found` */
export async function findContact(scope: Scope, word: string): Promise<FoundContact> {
  const [first, ...others] = await findContacts(scope, word);
  if (!first) throw new AppError('contact_not_found', { looked: word });
  if (others.length === 0 || first.proved) return first;
  const list = [first, ...others].map(({ contactId, name }) => `  ${contactId}  ${name ?? ''}`.trimEnd());
  throw new UsageError(`Several contacts may be "${word}"; name one by its id:\n${list.join('\n')}`);
}

async function describe(scope: Scope, contactId: string, proved: boolean): Promise<FoundContact> {
  const { headId } = await contactRow(scope, contactId);
  const head = await ContactModel.findOne({ _id: headId, workspaceId: scope.workspaceId }).lean();
  const name = head?.fields.name?.value ?? head?.given.name ?? null;
  return { contactId: headId, name, proved };
}
