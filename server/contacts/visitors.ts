import { randomBytes } from 'node:crypto';
import { newId } from '../store/id.js';
import { transact } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { createContact } from './create.js';
import { contactRow, groupOf, groupUnder } from './group.js';
import { ContactModel, type ContactRow, IdentityModel, MergeModel } from './model.js';
import { findIdentity } from './resolve.js';

/** A browser's contact. The browser holds a secret; which contact it opens is decided here and nowhere else. */
export interface Visitor {
  visitorId: string;
  contactId: string;
}

/** A new anonymous visitor. `visitorId` is unguessable; only whoever holds it, signed, may come back as this visitor. */
export async function createVisitor(scope: Pick<Scope, 'workspaceId'>): Promise<Visitor> {
  const visitorId = randomBytes(24).toString('base64url');
  const now = new Date();
  const contactId = await transact(async (session) => {
    const created = await createContact(scope, {}, session);
    await IdentityModel.create(
      [
        {
          _id: newId(),
          workspaceId: scope.workspaceId,
          contactId: created,
          type: 'visitor',
          value: visitorId,
          proofs: [{ proof: 'token', at: now }],
          createdAt: now,
        },
      ],
      { session },
    );
    return created;
  });
  return { visitorId, contactId };
}

/**
 * The contact that a browser's secret opens: its own, or, once the customer's own proof joined it to another, that
 * other. An agent's merge does not move it: a mistaken one must not show anybody a stranger's messages.
 */
export async function visitorContact(
  scope: Pick<Scope, 'workspaceId'>,
  visitorId: string,
): Promise<string | null> {
  return (await openedBy(scope, visitorId))?.contact._id ?? null;
}

/** @returns the contact that the browser was made with, and the row of the one that it opens now */
async function openedBy(
  scope: Pick<Scope, 'workspaceId'>,
  visitorId: string,
): Promise<{ ownContactId: string; contact: ContactRow } | null> {
  const identity = await findIdentity(scope, 'visitor', visitorId);
  if (!identity) return null;
  let contact = await contactRow(scope, identity.contactId);
  // A tree has no circle; the bound is for a store that was damaged.
  for (let step = 0; step < 50 && contact.parentId !== null && contact.parentMergeId !== null; step += 1) {
    const byProof = await MergeModel.exists({
      _id: contact.parentMergeId,
      workspaceId: scope.workspaceId,
      byProof: true,
    });
    if (!byProof) break;
    contact = await contactRow(scope, contact.parentId);
  }
  return { ownContactId: identity.contactId, contact };
}

/** All that a browser's secret reaches. */
export interface VisitorReach {
  /** The contact that it was made with: stays the same when a proof joins it to another. */
  ownContactId: string;
  /** The contact that it is now: whose messages it writes. */
  contactId: string;
  /** The head of that contact's group: what agents know it by. */
  headId: string;
  /** The contacts whose conversations it may see: its own, and those that its own proofs joined. */
  contactIds: readonly string[];
  /** Somebody of the group is: its messages are refused. */
  blocked: boolean;
}

/** In few looks, and none twice: a deploy brings ten thousand browsers back at once. Null when it was signed out. */
export async function reachOf(
  scope: Pick<Scope, 'workspaceId'>,
  visitorId: string,
): Promise<VisitorReach | null> {
  const opened = await openedBy(scope, visitorId);
  if (!opened) return null;
  const { ownContactId, contact } = opened;
  const { members } = await groupUnder(scope, contact.headId);
  return {
    ownContactId,
    contactId: contact._id,
    headId: contact.headId,
    contactIds: await visibleAmong(scope, members, contact._id),
    blocked: members.some((member) => member.blocked),
  };
}

/** Ends a browser's secret: nobody comes back with it. */
export async function forgetVisitor(scope: Pick<Scope, 'workspaceId'>, visitorId: string): Promise<void> {
  await IdentityModel.deleteOne({ workspaceId: scope.workspaceId, type: 'visitor', value: visitorId });
}

/** The contacts whose conversations the browser of this contact may see: its own, and those its own proofs joined. */
export async function visibleContacts(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
): Promise<string[]> {
  const { members } = await groupOf(scope, contactId);
  return visibleAmong(scope, members, contactId);
}

async function visibleAmong(
  scope: Pick<Scope, 'workspaceId'>,
  members: readonly ContactRow[],
  contactId: string,
): Promise<string[]> {
  if (members.length === 1) return [contactId];
  const edges = await MergeModel.find({
    workspaceId: scope.workspaceId,
    _id: { $in: members.flatMap((member) => member.parentMergeId ?? []) },
    byProof: true,
  })
    .lean()
    .limit(members.length);
  const proved = new Set(edges.map((edge) => edge._id));
  const visible = new Set([contactId]);
  for (let size = 0; size < visible.size; ) {
    size = visible.size;
    for (const { _id, parentId, parentMergeId } of members) {
      if (parentId && parentMergeId && visible.has(parentId) && proved.has(parentMergeId)) visible.add(_id);
    }
  }
  return [...visible];
}

/** Whether anybody of the contact's group is blocked: its messages are refused. */
export async function isBlocked(scope: Pick<Scope, 'workspaceId'>, contactId: string): Promise<boolean> {
  const { headId } = await contactRow(scope, contactId);
  const blocked = await ContactModel.exists({ workspaceId: scope.workspaceId, headId, blocked: true });
  return blocked !== null;
}
