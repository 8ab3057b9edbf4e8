import type { InferOutput } from 'valibot';
import type {
  ChangeContact,
  ContactDetail,
  ContactList,
  ContactSummary,
  IdentityView,
  MergeView,
} from '../../shared/api.js';
import { limits } from '../../shared/limits.js';
import type { Visit } from '../../shared/protocol.js';
import { conversationsOf } from '../conversations/conversations.js';
import { toRows } from '../conversations/rows.js';
import { beyond } from '../store/beyond.js';
import { newId } from '../store/id.js';
import { append, type DraftEvent } from '../timeline/append.js';
import { decodePlace, encodePlace } from '../timeline/cursor.js';
import { EventModel } from '../timeline/model.js';
import { bodyOf } from '../timeline/projection.js';
import { publishNotice } from '../timeline/publish.js';
import { timelineFilter } from '../timeline/sources.js';
import { contentKinds } from '../timeline/visibility.js';
import type { Scope } from '../workspaces/scope.js';
import { type ContactFace, facesOf } from './fields.js';
import { contactRow, type Group, groupOf } from './group.js';
import { byMergeOrder } from './link.js';
import { ClaimModel, ContactModel, IdentityModel, MergeModel } from './model.js';
import { nameWords } from './names.js';
import { suggestionsFor } from './suggestions.js';

/** What stands beside a timeline: the whole group under its head. Rows of identities and claims that are shown. */
const shownValues = 500;

/**
 * A contact as the console shows it. `visit` is what the group's browsers say of themselves now: known only to whoever
 * holds their sockets.
 * @throws AppError `contact_not_found`
 */
export async function contactDetail(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  agentId: string,
  visitOf: (contactIds: readonly string[]) => Promise<Visit | null> = async () => null,
): Promise<ContactDetail> {
  const { workspaceId } = scope;
  const group = await groupOf(scope, contactId);
  const inGroup = { workspaceId, contactId: { $in: group.memberIds } };
  const [faces, identities, claims, merges, suggestions, since, firstTouch, conversations, visit] =
    await Promise.all([
      facesOf(scope, [group.head._id]),
      IdentityModel.find({ ...inGroup, type: { $ne: 'visitor' } })
        .sort({ createdAt: 1 })
        .limit(shownValues)
        .lean(),
      ClaimModel.find(inGroup).sort({ madeAt: 1 }).limit(shownValues).lean(),
      mergesOf(scope, group),
      suggestionsFor(scope, group),
      firstEntry(scope, group),
      firstTouchOf(scope, group),
      conversationsOf(scope, group.memberIds),
      visitOf(group.memberIds),
    ]);
  const proved = new Set(identities.map((row) => `${row.type}:${row.value}`));
  return {
    id: group.head._id,
    fields: (faces.get(group.head._id) as ContactFace).fields,
    members: group.memberIds,
    identities: identities.map((row) => ({
      id: row._id,
      contactId: row.contactId,
      type: row.type as IdentityView['type'],
      value: row.value,
      proof: row.proofs[0]?.proof ?? 'agent',
      provedAt: (row.proofs[0]?.at ?? row.createdAt).toISOString(),
    })),
    // What was proved since need not be said to be unproved beside it.
    claims: claims
      .filter((row) => !proved.has(`${row.type}:${row.value}`))
      .map((row) => ({
        id: row._id,
        contactId: row.contactId,
        type: row.type,
        value: row.value,
        source: row.source,
        madeAt: row.madeAt.toISOString(),
      })),
    merges,
    suggestions,
    visit,
    blocked: group.members.some((member) => member.blocked),
    since: since?.toISOString() ?? null,
    firstTouch,
    conversations: await toRows(scope, conversations, agentId),
  };
}

async function mergesOf(scope: Pick<Scope, 'workspaceId'>, group: Group): Promise<MergeView[]> {
  const ids = group.members.flatMap((member) => member.parentMergeId ?? []);
  if (ids.length === 0) return [];
  const rows = await MergeModel.find({ workspaceId: scope.workspaceId, _id: { $in: ids } })
    .lean()
    .limit(ids.length);
  const nameOf = (id: string) => {
    const row = group.members.find((member) => member._id === id);
    return row?.fields.name?.value ?? row?.given.name ?? null;
  };
  return rows.toSorted(byMergeOrder).map((row) => ({
    mergeId: row._id,
    mergedId: row.mergedId,
    mergedName: nameOf(row.mergedId),
    by: row.by,
    reason: row.reason,
    at: row.mergedAt.toISOString(),
  }));
}

async function firstEntry(scope: Pick<Scope, 'workspaceId'>, group: Group): Promise<Date | null> {
  const filter = await timelineFilter(scope, group.head._id);
  const first = await EventModel.findOne(
    { $and: [filter, { kind: { $in: [...contentKinds] } }] },
    { occurredAt: 1 },
  )
    .sort({ occurredAt: 1, _id: 1 })
    .lean();
  return first?.occurredAt ?? null;
}

async function firstTouchOf(
  scope: Pick<Scope, 'workspaceId'>,
  group: Group,
): Promise<ContactDetail['firstTouch']> {
  const first = await EventModel.findOne({
    workspaceId: scope.workspaceId,
    contactId: { $in: group.memberIds },
    kind: 'message',
    'body.touch': { $exists: true },
  })
    .sort({ occurredAt: 1, _id: 1 })
    .lean();
  return (first && bodyOf(first, 'message').touch) ?? null;
}

/**
 * Fills in fields (`null` clears one) or blocks. Both are events of the head's; what is so already is no change.
 * @throws AppError `contact_not_found`
 */
export async function changeContact(
  scope: Scope,
  contactId: string,
  change: InferOutput<typeof ChangeContact>,
): Promise<void> {
  const { headId } = await contactRow(scope, contactId);
  const face = (await facesOf(scope, [headId])).get(headId);
  const group = await groupOf(scope, headId);
  const common = {
    channel: null,
    direction: 'internal' as const,
    actor: scope.actor,
    occurredAt: new Date(),
    contactId: headId,
  };
  const drafts: DraftEvent[] = [];
  const changes = Object.fromEntries(
    Object.entries(change.fields ?? {}).filter(
      ([name, value]) => value !== undefined && face?.fields[name as keyof ContactFace['fields']] !== value,
    ),
  );
  if (Object.keys(changes).length > 0) {
    drafts.push({ ...common, kind: 'contact_changed', body: { changes }, dedupeKey: `changed:${newId()}` });
  }
  if (change.blocked !== undefined) {
    // A block may stand on any member since before a merge: it is lifted where it stands.
    const targets = change.blocked
      ? group.members.filter((member) => member._id === headId && !member.blocked)
      : group.members.filter((member) => member.blocked);
    for (const target of targets) {
      const body = { blocked: change.blocked };
      const dedupeKey = `blocked:${newId()}`;
      drafts.push({ ...common, contactId: target._id, kind: 'contact_blocked', body, dedupeKey });
    }
  }
  for (const draft of drafts) await append(scope, draft);
  if (drafts.length > 0)
    publishNotice({ type: 'contact', workspaceId: scope.workspaceId, contactId: headId });
}

/**
 * Contacts by the beginning of a name's words, of an e-mail address or of a phone number; without a query all, the
 * newest first, and on a page those heard of last. One row a group.
 * @throws AppError `bad_request` for a cursor of another list
 */
export async function listContacts(
  scope: Pick<Scope, 'workspaceId'>,
  query: { query?: string | undefined; cursor?: string | undefined; limit?: number | undefined },
): Promise<ContactList> {
  const { workspaceId } = scope;
  const limit = Math.min(query.limit ?? limits.pageEntriesDefault, limits.pageEntries);
  const condition = await searchCondition(scope, query.query?.trim() ?? '');
  const heads = await ContactModel.find({
    workspaceId,
    ...condition,
    ...(query.cursor !== undefined && beyond('createdAt', decodePlace(query.cursor), 'older')),
  })
    .sort({ createdAt: -1, _id: -1 })
    .limit(limit + 1)
    .lean();
  const page = heads.slice(0, limit);
  const last = page.at(-1);
  const faces = await facesOf(
    scope,
    page.map((row) => row._id),
  );
  const rows = await Promise.all(page.map((row) => summaryOf(scope, row.createdAt, faces.get(row._id))));
  return {
    rows: rows
      .filter((row): row is ContactSummary => row !== null)
      .sort((a, b) => Date.parse(b.lastAt) - Date.parse(a.lastAt)),
    ...(heads.length > limit && last && { nextCursor: encodePlace({ at: last.createdAt, id: last._id }) }),
  };
}

/** Heads whose group has a member that fits. The words are literal: nothing in them is a pattern. */
async function searchCondition(
  scope: Pick<Scope, 'workspaceId'>,
  text: string,
): Promise<Record<string, unknown>> {
  if (text === '') return { parentId: null };
  const { workspaceId } = scope;
  const begins = (prefix: string) => ({ $gte: prefix, $lt: `${prefix}\uffff` });
  const words = nameWords(text);
  const digits = text.replace(/[\s().-]/g, '');
  const value = { value: begins(text.toLowerCase()), type: 'email' as const };
  const phone = { value: begins(digits.startsWith('+') ? digits : `+${digits}`), type: 'phone' as const };
  const values = /^\+?\d{3,}$/.test(digits) ? { $or: [value, phone] } : value;
  const [named, proved, claimed] = await Promise.all([
    words.length === 0
      ? []
      : ContactModel.find(
          { workspaceId, $and: words.map((word) => ({ nameWords: { $elemMatch: begins(word) } })) },
          { headId: 1 },
        )
          .limit(limits.pageEntries)
          .lean(),
    IdentityModel.find({ workspaceId, ...values }, { contactId: 1 })
      .limit(limits.pageEntries)
      .lean(),
    ClaimModel.find({ workspaceId, ...values }, { contactId: 1 })
      .limit(limits.pageEntries)
      .lean(),
  ]);
  const owners = await ContactModel.find(
    { workspaceId, _id: { $in: [...proved, ...claimed].map((row) => row.contactId) } },
    { headId: 1 },
  )
    .limit(2 * limits.pageEntries)
    .lean();
  return { _id: { $in: [...new Set([...named, ...owners].map((row) => row.headId))] } };
}

async function summaryOf(
  scope: Pick<Scope, 'workspaceId'>,
  createdAt: Date,
  face: ContactFace | undefined,
): Promise<ContactSummary | null> {
  if (!face) return null;
  const inGroup = { workspaceId: scope.workspaceId, contactId: { $in: face.memberIds } };
  const [identities, claims, newest] = await Promise.all([
    IdentityModel.find({ ...inGroup, type: { $in: ['email', 'phone'] } })
      .sort({ createdAt: 1 })
      .limit(20)
      .lean(),
    ClaimModel.find(inGroup).sort({ madeAt: 1 }).limit(20).lean(),
    EventModel.findOne({ ...inGroup, erased: { $ne: 'undone' } }, { occurredAt: 1 })
      .sort({ occurredAt: -1, _id: -1 })
      .lean(),
  ]);
  // What they only said is not shown beside what they proved: a row has one mark for all of it.
  const shown = identities.length > 0 ? identities : claims;
  const first = (type: 'email' | 'phone') => shown.find((row) => row.type === type)?.value ?? null;
  return {
    id: face.id,
    name: face.fields.name,
    company: face.fields.company,
    proved: identities.length > 0,
    email: first('email'),
    phone: first('phone'),
    lastAt: (newest?.occurredAt ?? createdAt).toISOString(),
  };
}
