import type { InferOutput } from 'valibot';
import type {
  ChangeConversation,
  ConversationCounts,
  ConversationList,
  ConversationView,
} from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { InboxModel } from '../inboxes/model.js';
import { beyond } from '../store/beyond.js';
import { newId } from '../store/id.js';
import { append, type DraftEvent } from '../timeline/append.js';
import { decodePlace, encodePlace } from '../timeline/cursor.js';
import type { Scope } from '../workspaces/scope.js';
import { ConversationModel, type ConversationRowDocument, ReadModel } from './model.js';
import { toRows } from './rows.js';

/** A conversation of this workspace. @throws AppError `conversation_not_found` */
export async function getConversation(
  scope: Pick<Scope, 'workspaceId'>,
  conversationId: string,
): Promise<ConversationRowDocument> {
  const row = await ConversationModel.findOne({
    _id: conversationId,
    workspaceId: scope.workspaceId,
  }).lean();
  if (!row) throw new AppError('conversation_not_found');
  return row;
}

export interface ListQuery {
  view: ConversationView;
  inboxId?: string | undefined;
  sort?: 'waiting' | 'recent' | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

/** What each view shows. */
function viewFilter(view: ConversationView, agentId: string): Record<string, unknown> {
  if (view === 'closed' || view === 'spam') return { status: view };
  if (view === 'mine') return { status: 'open', assigneeId: agentId };
  if (view === 'unassigned') return { status: 'open', assigneeId: null };
  return { status: 'open' };
}

/**
 * One page of a view. `recent` (default): the latest first. `waiting`: who has waited longest for us first, then those
 * to whom we owe nothing, the latest first.
 * @throws AppError `bad_request` for a cursor of another list
 */
export async function listConversations(
  scope: Pick<Scope, 'workspaceId'>,
  agentId: string,
  query: ListQuery,
): Promise<ConversationList> {
  const limit = Math.min(query.limit ?? limits.pageEntriesDefault, limits.pageEntries);
  const base = {
    workspaceId: scope.workspaceId,
    ...viewFilter(query.view, agentId),
    ...(query.inboxId !== undefined && { inboxId: query.inboxId }),
  };
  const found = await (query.sort === 'waiting'
    ? findWaiting(base, query.cursor, limit)
    : findRecent(base, query.cursor, limit + 1));
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const next = found.length > limit && last ? cursorOf(last, query.sort) : undefined;
  return {
    rows: await toRows(scope, page, agentId),
    ...(next !== undefined && { nextCursor: next }),
  };
}

type Filter = Record<string, unknown>;

const findRecent = (base: Filter, cursor: string | undefined, count: number) =>
  ConversationModel.find({
    ...base,
    ...(cursor !== undefined && beyond('lastAt', decodePlace(cursor), 'older')),
  })
    .sort({ lastAt: -1, _id: -1 })
    .limit(count)
    .lean();

/** Two lists, one after the other: a cursor that begins with `w` still stands in the first. */
async function findWaiting(
  base: Filter,
  cursor: string | undefined,
  limit: number,
): Promise<ConversationRowDocument[]> {
  const inWaiting = cursor === undefined || cursor.startsWith('w');
  const waiting = inWaiting
    ? await ConversationModel.find({
        ...base,
        ...(cursor === undefined
          ? { waitingSince: { $ne: null } }
          : beyond('waitingSince', decodePlace(cursor.slice(1)), 'newer')),
      })
        .sort({ waitingSince: 1, _id: 1 })
        .limit(limit + 1)
        .lean()
    : [];
  if (waiting.length > limit) return waiting;
  const rest = await findRecent(
    { ...base, waitingSince: null },
    inWaiting ? undefined : cursor?.slice(1),
    limit + 1 - waiting.length,
  );
  return [...waiting, ...rest];
}

function cursorOf(row: ConversationRowDocument, sort: ListQuery['sort']): string {
  if (sort !== 'waiting') return encodePlace({ at: row.lastAt, id: row._id });
  if (row.waitingSince) return `w${encodePlace({ at: row.waitingSince, id: row._id })}`;
  return `r${encodePlace({ at: row.lastAt, id: row._id })}`;
}

/** Open conversations by view and by inbox. Counted when asked, so they are always true. */
export async function countConversations(
  scope: Pick<Scope, 'workspaceId'>,
  agentId: string,
): Promise<ConversationCounts> {
  const { workspaceId } = scope;
  const count = (condition: Filter) =>
    ConversationModel.countDocuments({ workspaceId, status: 'open', ...condition });
  const inboxes = await InboxModel.find({ workspaceId }, { _id: 1 }).limit(limits.pageEntries).lean();
  const [mine, unassigned, all, ...byInbox] = await Promise.all([
    count({ assigneeId: agentId }),
    count({ assigneeId: null }),
    count({}),
    ...inboxes.map(({ _id }) => count({ inboxId: _id })),
  ]);
  return {
    mine: mine ?? 0,
    unassigned: unassigned ?? 0,
    all: all ?? 0,
    inboxes: Object.fromEntries(inboxes.map(({ _id }, index) => [_id, byInbox[index] ?? 0])),
  };
}

/** How often a change without `ifStatus` is made anew on what somebody else just made of the conversation. */
const changeTries = 5;

/**
 * Changes status or assignee, by events. What is so already is no change.
 * @throws AppError `conversation_not_found`; `conflict` when `ifStatus` is not the status now
 */
export async function changeConversation(
  scope: Scope,
  conversationId: string,
  change: InferOutput<typeof ChangeConversation>,
): Promise<ConversationRowDocument> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await getConversation(scope, conversationId);
    if (change.ifStatus !== undefined && change.ifStatus !== before.status) throw new AppError('conflict');
    try {
      for (const draft of changeDrafts(scope, before, change)) await append(scope, draft);
      return await getConversation(scope, conversationId);
    } catch (error) {
      const isOvertaken = error instanceof AppError && error.code === 'conflict';
      if (!isOvertaken || change.ifStatus !== undefined || attempt >= changeTries) throw error;
    }
  }
}

function changeDrafts(
  scope: Scope,
  before: ConversationRowDocument,
  change: InferOutput<typeof ChangeConversation>,
): DraftEvent[] {
  const common = {
    channel: before.channel,
    direction: 'internal' as const,
    actor: scope.actor,
    occurredAt: new Date(),
    contactId: before.contactId,
    conversation: { id: before._id },
  };
  const drafts: DraftEvent[] = [];
  if (change.assigneeId !== undefined && change.assigneeId !== before.assigneeId) {
    const body = { from: before.assigneeId, to: change.assigneeId };
    drafts.push({ ...common, kind: 'assigned', body, dedupeKey: `assigned:${newId()}` });
  }
  if (change.status !== undefined && change.status !== before.status) {
    const body = { from: before.status, to: change.status };
    drafts.push({ ...common, kind: 'status_changed', body, dedupeKey: `status:${newId()}` });
  }
  return drafts;
}

/**
 * Seconds that a conversation stood before an active agent: at most one such event a minute for each agent, whatever
 * number of windows says so.
 */
export async function noteHandling(
  scope: Scope,
  agentId: string,
  conversationId: string,
  seconds: number,
): Promise<void> {
  const conversation = await getConversation(scope, conversationId);
  const now = new Date();
  const minute = Math.floor(now.getTime() / 60_000);
  await append(scope, {
    kind: 'handling',
    body: { seconds: Math.max(1, Math.min(60, Math.round(seconds))) },
    channel: conversation.channel,
    direction: 'internal',
    actor: { type: 'agent', id: agentId },
    dedupeKey: `handling:${conversationId}:${agentId}:${minute}`,
    occurredAt: now,
    contactId: conversation.contactId,
    conversation: { id: conversationId },
  });
}

/** All conversations of a contact's group, the latest first. */
export async function conversationsOf(
  scope: Pick<Scope, 'workspaceId'>,
  memberIds: readonly string[],
  limit: number = limits.conversationsOpenPerContact,
): Promise<ConversationRowDocument[]> {
  return ConversationModel.find({ workspaceId: scope.workspaceId, contactId: { $in: [...memberIds] } })
    .sort({ lastAt: -1, _id: -1 })
    .limit(limit)
    .lean();
}

/** How far the customer has read, in any of their browsers. */
export async function contactReadSeq(
  scope: Pick<Scope, 'workspaceId'>,
  conversationId: string,
): Promise<number> {
  const mark = await ReadModel.findOne({
    workspaceId: scope.workspaceId,
    conversationId,
    readerType: 'contact',
  }).lean();
  return mark?.seq ?? 0;
}
