import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import type { IdentityType, Proof } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import { publishNotice } from '../timeline/publish.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { createContact } from './create.js';
import { type Group, groupOf } from './group.js';
import { linkInside } from './link.js';
import { IdentityModel } from './model.js';
import { addProof, findIdentity, insertIdentity } from './resolve.js';
import { canonical } from './values.js';

export interface ProvedValue {
  type: Exclude<IdentityType, 'visitor'>;
  value: string;
  proof: Proof;
  /** What the proof calls the person (a token's name). */
  name?: string | undefined;
  importId?: string | undefined;
  at?: Date | undefined;
}

/** Proofs that the person made here and now, by a secret or a code; the others only say that somebody answers for it. */
const ownProofs: ReadonlySet<Proof> = new Set<Proof>(['jwt', 'otp']);

/**
 * Makes the identity on the prover's own contact and returns the contact that is proved by it. Whoever only claimed the
 * value keeps a claim and learns nothing. When the value is another contact's identity, the two are one person's: an
 * own proof joins them (the prover's under the other, undone like any merge), unless that would put two of the
 * company's user ids on one person; then the browser is simply the other's (`external`), or nothing changes.
 * @throws AppError `contact_not_found`, `bad_request`; `already_exists` when an agent answers for somebody else's value
 */
export async function proveIdentity(scope: Scope, contactId: string, proved: ProvedValue): Promise<string> {
  const value = canonical(proved.type, proved.value);
  const proof = {
    proof: proved.proof,
    at: proved.at ?? new Date(),
    ...(proved.importId !== undefined && { importId: proved.importId }),
  };
  const outcome = await transactOnce(async (session) => {
    const mine = await groupOf(scope, contactId, session);
    const existing = await findIdentity(scope, proved.type, value, session);
    const myExternals = await externalsOf(scope, mine, session);
    if (!existing) {
      // The same browser with another of the company's user ids is another person: they share nothing.
      const isOther = proved.type === 'external' && myExternals.length > 0;
      const owner = isOther
        ? await createContact(scope, { given: { name: proved.name }, importId: proved.importId }, session)
        : contactId;
      const tell = await insertIdentity(session, scope, {
        contactId: owner,
        type: proved.type,
        value,
        proof,
      });
      return { contactId: owner, heads: [isOther ? owner : mine.head._id], tells: [tell] };
    }
    await addProof(scope, existing, proof, session);
    const answer = { contactId: existing.contactId, heads: [mine.head._id], tells: [] };
    if (mine.memberIds.includes(existing.contactId)) return answer;
    if (!ownProofs.has(proved.proof)) throw new AppError('already_exists', { field: 'value' });
    const theirs = await groupOf(scope, existing.contactId, session);
    const theirExternals = await externalsOf(scope, theirs, session);
    const externals = new Set([
      ...myExternals,
      ...theirExternals,
      ...(proved.type === 'external' ? [value] : []),
    ]);
    if (externals.size > 1) return proved.type === 'external' ? answer : { ...answer, contactId };
    if (mine.members.length + theirs.members.length > limits.mergedContacts) return answer;
    const linked = await linkInside(session, scope, {
      parentId: existing.contactId,
      mergedId: mine.head._id,
      reason: `${proved.type}: ${value}`,
      preferences: {},
      // Only the prover's own contact becomes visible with the other; what an agent merged into it stays unseen.
      byProof: mine.head._id === contactId,
    });
    const heads = [linked.headId, linked.mergedId];
    return { contactId: existing.contactId, heads, tells: [linked.tell] };
  });
  for (const tell of outcome.tells) tell();
  for (const head of outcome.heads)
    publishNotice({ type: 'contact', workspaceId: scope.workspaceId, contactId: head });
  return outcome.contactId;
}

async function externalsOf(scope: Scope, group: Group, session: ClientSession): Promise<string[]> {
  const rows = await IdentityModel.find(
    { workspaceId: scope.workspaceId, contactId: { $in: group.memberIds }, type: 'external' },
    { value: 1 },
    { session },
  )
    .lean()
    .limit(limits.mergedContacts);
  return rows.map((row) => row.value);
}
