import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { gather } from '../store/gather.js';
import type { Scope } from '../workspaces/scope.js';
import { ContactModel, type ContactRow, MovedEventModel, type MovedEventRow } from './model.js';

/** The contacts that merges have linked, and what belongs to them. */
export interface Group {
  head: ContactRow;
  /** All members, the head first, then in the order in which they came to be. */
  members: ContactRow[];
  memberIds: string[];
}

/** @throws AppError `contact_not_found` */
export async function contactRow(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  session: ClientSession | null = null,
): Promise<ContactRow> {
  const row = await ContactModel.findOne({ _id: contactId, workspaceId: scope.workspaceId }, null, {
    session,
  }).lean();
  if (!row) throw new AppError('contact_not_found');
  return row;
}

/** How often a group is read until head and members fit together, before it counts as not found. */
const looks = 3;

/**
 * The group that a contact belongs to; alone it is one of one.
 * @throws AppError `contact_not_found`
 */
export async function groupOf(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  session: ClientSession | null = null,
): Promise<Group> {
  // Inside a transaction both reads are of one moment. Else a merge, or its undoing, may commit between them: the head
  // then has another group, or none.
  for (let look = 0; look < (session ? 1 : looks); look += 1) {
    const { headId } = await contactRow(scope, contactId, session);
    const group = (await groupsUnder(scope, [headId], session)).get(headId);
    if (group && group.head._id === headId && group.memberIds.includes(contactId)) return group;
  }
  throw new AppError('contact_not_found');
}

/** The groups under these heads, in one read; a head that there is none of has none. */
export async function groupsUnder(
  scope: Pick<Scope, 'workspaceId'>,
  headIds: readonly string[],
  session: ClientSession | null = null,
): Promise<Map<string, Group>> {
  const filter = { workspaceId: scope.workspaceId, headId: { $in: [...headIds] } };
  const found = await ContactModel.find(filter, null, { session })
    .lean()
    .limit(headIds.length * limits.mergedContacts);
  const byHead = new Map<string, ContactRow[]>();
  for (const row of found) {
    const members = byHead.get(row.headId);
    if (members) members.push(row);
    else byHead.set(row.headId, [row]);
  }
  const groups = new Map<string, Group>();
  for (const [headId, members] of byHead) {
    members.sort((a, b) => orderInGroup(a) - orderInGroup(b) || (a._id < b._id ? -1 : 1));
    groups.set(headId, { head: members[0]!, members, memberIds: members.map((member) => member._id) });
  }
  return groups;
}

const orderInGroup = (row: ContactRow): number => (row.headId === row._id ? 0 : row.createdAt.getTime());

/** The head that a contact stands under; null for none of this workspace. Those asked for together are read together. */
export const headOf = (scope: Pick<Scope, 'workspaceId'>, contactId: string): Promise<string | null> =>
  heads(scope.workspaceId, contactId);

const heads = gather(async (workspaceId, contactIds: readonly string[]) => {
  const rows = await ContactModel.find({ workspaceId, _id: { $in: [...contactIds] } }, { headId: 1 })
    .lean()
    .limit(contactIds.length);
  const known = new Map(rows.map(({ _id, headId }) => [_id, headId]));
  return contactIds.map((id) => known.get(id) ?? null);
});

/** Events of nobody's identity that an unmerge let go with the contact that left: they stand elsewhere than they say. */
export interface MovedEvents {
  to: string[];
  away: string[];
}

/** The moves that went from one of these contacts or came to one. */
export async function movesAmong(
  scope: Pick<Scope, 'workspaceId'>,
  contactIds: Iterable<string>,
  session: ClientSession | null = null,
): Promise<MovedEventRow[]> {
  const amongThem = { $in: [...contactIds] };
  return MovedEventModel.find(
    { workspaceId: scope.workspaceId, $or: [{ fromContactId: amongThem }, { toContactId: amongThem }] },
    null,
    { session },
  )
    .lean()
    .limit(limits.mergedContacts * limits.pageEntries * 10);
}

export async function movedEvents(
  scope: Pick<Scope, 'workspaceId'>,
  memberIds: readonly string[],
  session: ClientSession | null = null,
): Promise<MovedEvents> {
  const rows = await movesAmong(scope, memberIds, session);
  const members = new Set(memberIds);
  return {
    to: rows.filter((row) => members.has(row.toContactId)).map((row) => row._id),
    away: rows
      .filter((row) => members.has(row.fromContactId) && !members.has(row.toContactId))
      .map((row) => row._id),
  };
}
