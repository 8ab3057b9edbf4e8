import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import type { ClaimSource } from '../../shared/events/contact.js';
import { limits } from '../../shared/limits.js';
import { newId } from '../store/id.js';
import { appendInside, type DraftEvent } from '../timeline/append.js';
import { publishNotice } from '../timeline/publish.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { contactRow } from './group.js';
import { ClaimModel, type ClaimRow, ContactModel, type ContactRow } from './model.js';
import { nameWords } from './names.js';
import { canonical } from './values.js';

/** A contact's list of claims grows shorter only by somebody's hand: who is over it need not ask again soon. */
const fullForMs = 24 * 3_600_000;

/** What somebody only said. It opens nothing: it is shown as unverified, and makes a suggestion. */
export interface NewClaim {
  type: 'email' | 'phone' | 'external';
  value: string;
  source: ClaimSource;
  importId?: string | undefined;
  at?: Date | undefined;
  inboxId?: string | undefined;
}

/**
 * Notes what a contact said of itself; the same again changes nothing. Tells the claimant nothing about others: the
 * answer is the same whether the value is somebody's or nobody's.
 * @throws AppError `contact_not_found`, `bad_request`, `rate_limited` over `claimsPerContact`
 */
export async function makeClaim(
  scope: Scope,
  contactId: string,
  claim: NewClaim & { name?: string | undefined },
): Promise<void> {
  const value = canonical(claim.type, claim.value);
  const { workspaceId } = scope;
  const { tell, headId } = await transactOnce(async (session) => {
    const contact = await contactRow(scope, contactId, session);
    if (claim.name !== undefined && contact.given.name === undefined) {
      await nameBy(session, scope, contact, claim.name);
    }
    const known = await ClaimModel.exists({ workspaceId, contactId, type: claim.type, value }).session(
      session,
    );
    if (known) return { tell: undefined, headId: contact.headId };
    const made = await ClaimModel.countDocuments({ workspaceId, contactId }, { session });
    if (made >= limits.claimsPerContact) {
      throw new AppError('rate_limited', {
        limit: 'claimsPerContact',
        max: limits.claimsPerContact,
        retryAfterMs: fullForMs,
      });
    }
    const told = await insertClaim(session, scope, contactId, { ...claim, value });
    return { tell: told, headId: contact.headId };
  });
  tell?.();
  publishNotice({ type: 'contact', workspaceId, contactId: headId });
}

/** What a contact calls itself is shown until somebody fills the field in. */
async function nameBy(
  session: ClientSession,
  scope: Scope,
  contact: ContactRow,
  name: string,
): Promise<void> {
  const kept = name.replace(/\s+/g, ' ').trim().toWellFormed();
  if (kept === '') return;
  const isShown = contact.fields.name === undefined;
  await ContactModel.updateOne(
    { _id: contact._id, workspaceId: scope.workspaceId },
    { $set: { 'given.name': kept, ...(isShown && { nameWords: nameWords(kept) }) } },
    { session },
  );
}

/** Writes a claim and its event; the caller calls what it returns after its commit. `value` is canonical. */
export async function insertClaim(
  session: ClientSession,
  scope: Scope,
  contactId: string,
  claim: NewClaim,
): Promise<() => void> {
  const { row, draft } = claimRow(scope, contactId, claim);
  await ClaimModel.create([row], { session });
  const { tell } = await appendInside(session, scope, [draft]);
  return tell;
}

/** A claim and the event that says so, not written yet. `value` is canonical. */
export function claimRow(
  scope: Scope,
  contactId: string,
  claim: NewClaim,
): { row: ClaimRow; draft: DraftEvent } {
  const { type, value, source, importId, inboxId } = claim;
  const madeAt = claim.at ?? new Date();
  const _id = newId();
  const imported = importId === undefined ? {} : { importId };
  return {
    row: { _id, workspaceId: scope.workspaceId, contactId, type, value, source, madeAt, ...imported },
    draft: {
      kind: 'claim_made',
      body: { type, value, source },
      channel: type === 'external' ? null : source === 'form' ? 'chat' : type === 'email' ? 'email' : 'phone',
      direction: 'internal',
      actor: scope.actor,
      dedupeKey: `claim:${_id}`,
      occurredAt: madeAt,
      contactId,
      ...(inboxId !== undefined && { inboxId }),
      ...imported,
    },
  };
}
