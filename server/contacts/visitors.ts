import { randomBytes } from 'node:crypto';
import { AppError } from '../../shared/errors.js';
import { gather } from '../store/gather.js';
import { newId } from '../store/id.js';
import { transact } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { createContact } from './create.js';
import { contactRow, type Group, groupOf, groupsUnder } from './group.js';
import { ContactModel, type ContactRow, IdentityModel, MergeModel } from './model.js';

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
  return (await reachOf(scope, visitorId))?.contactId ?? null;
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

/**
 * What a browser's secret reaches; null when it was signed out.
 * @throws AppError `contact_not_found`
 */
export async function reachOf(
  scope: Pick<Scope, 'workspaceId'>,
  visitorId: string,
): Promise<VisitorReach | null> {
  for (let look = 0; look < 3; look += 1) {
    const reach = await reaches(scope.workspaceId, visitorId);
    if (reach !== 'moved') return reach;
  }
  throw new AppError('contact_not_found');
}

/** A deploy brings ten thousand browsers back at once: those that come together are looked up together. */
const reaches = gather(reachOfEach);

/** `moved` is one whose contact was merged between two looks. */
async function reachOfEach(
  workspaceId: string,
  visitorIds: readonly string[],
): Promise<(VisitorReach | null | 'moved')[]> {
  const scope = { workspaceId };
  const identities = await IdentityModel.find(
    { workspaceId, type: 'visitor', value: { $in: [...visitorIds] } },
    { value: 1, contactId: 1 },
  )
    .lean()
    .limit(visitorIds.length);
  const owns = new Map(identities.map(({ value, contactId }) => [value, contactId]));
  const ownIds = [...new Set(owns.values())];
  const contacts = await ContactModel.find({ workspaceId, _id: { $in: ownIds } }, { headId: 1 })
    .lean()
    .limit(ownIds.length);
  const headOf = new Map(contacts.map(({ _id, headId }) => [_id, headId]));
  const groups = await groupsUnder(scope, [...new Set(headOf.values())]);
  const proved = await provedMerges(
    scope,
    [...groups.values()].flatMap(({ members }) => members),
  );
  return visitorIds.map((visitorId) => {
    const ownContactId = owns.get(visitorId);
    if (ownContactId === undefined) return null;
    const group = groups.get(headOf.get(ownContactId) ?? '');
    return (group && reachIn(group, ownContactId, proved)) ?? 'moved';
  });
}

function reachIn(
  { head, members }: Group,
  ownContactId: string,
  proved: ReadonlySet<string>,
): VisitorReach | null {
  const rows = new Map(members.map((member) => [member._id, member]));
  const own = rows.get(ownContactId);
  if (!own) return null;
  let contact = own;
  // A tree has no circle; the bound is for a store that was damaged.
  for (let step = 0; step < members.length && isProvedEdge(contact, proved); step += 1) {
    contact = rows.get(contact.parentId ?? '') ?? contact;
  }
  return {
    ownContactId: own._id,
    contactId: contact._id,
    headId: head._id,
    contactIds: visibleAmong(members, contact._id, proved),
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
  return visibleAmong(members, contactId, await provedMerges(scope, members));
}

/** Which of the merges that hold these contacts together came of the customer's own proof. */
async function provedMerges(
  scope: Pick<Scope, 'workspaceId'>,
  members: readonly ContactRow[],
): Promise<ReadonlySet<string>> {
  const mergeIds = [...new Set(members.flatMap(({ parentMergeId }) => parentMergeId ?? []))];
  if (mergeIds.length === 0) return new Set();
  const rows = await MergeModel.find(
    { workspaceId: scope.workspaceId, _id: { $in: mergeIds }, byProof: true },
    { _id: 1 },
  )
    .lean()
    .limit(mergeIds.length);
  return new Set(rows.map(({ _id }) => _id));
}

const isProvedEdge = ({ parentId, parentMergeId }: ContactRow, proved: ReadonlySet<string>): boolean =>
  parentId !== null && parentMergeId !== null && proved.has(parentMergeId);

function visibleAmong(
  members: readonly ContactRow[],
  contactId: string,
  proved: ReadonlySet<string>,
): string[] {
  const visible = new Set([contactId]);
  for (let size = 0; size < visible.size; ) {
    size = visible.size;
    for (const member of members) {
      if (isProvedEdge(member, proved) && visible.has(member.parentId ?? '')) visible.add(member._id);
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
