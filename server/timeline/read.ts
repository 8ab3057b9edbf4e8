import type { InferOutput } from 'valibot';
import { type ReadTimeline, type TimelinePage, timelineKinds } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { EventKind } from '../../shared/events/kinds.js';
import type { EventPage } from '../../shared/events/timeline.js';
import { limits } from '../../shared/limits.js';
import { groupOf, movedEvents } from '../contacts/group.js';
import { ConversationModel } from '../conversations/model.js';
import type { Scope } from '../workspaces/scope.js';
import { beyond, decodePlace, encodePlace } from './cursor.js';
import { EventModel, type StoredEvent } from './model.js';
import { toTimelineEvent } from './present.js';
import { type Audience, visitorKinds } from './visibility.js';

export interface ReadConversation {
  conversationId: string;
  /** Forwards from this seq, or backwards from that one: exactly one of the two. */
  after?: number | undefined;
  before?: number | undefined;
  limit?: number | undefined;
}

const bounded = (limit: number | undefined): number =>
  Math.min(limit ?? limits.pageEntriesDefault, limits.pageEntries);

/**
 * A bounded piece of a conversation in order of `seq`, complete up to `upTo` for this audience.
 * @throws AppError `conversation_not_found`, `bad_request`
 */
export async function readConversation(
  scope: Pick<Scope, 'workspaceId'>,
  query: ReadConversation,
  audience: Audience,
): Promise<EventPage> {
  const { conversationId, after, before } = query;
  if ((after === undefined) === (before === undefined)) throw new AppError('bad_request', { field: 'after' });
  const { workspaceId } = scope;
  // The head first: all up to it is committed with it, so what is read after is complete to here.
  const conversation = await ConversationModel.findOne(
    { _id: conversationId, workspaceId },
    { head: 1 },
  ).lean();
  if (!conversation) throw new AppError('conversation_not_found');
  const { head } = conversation;
  const limit = bounded(query.limit);
  const seq = after !== undefined ? { $gt: after, $lte: head } : { $lt: before ?? 0, $lte: head };
  const found = await EventModel.find({
    workspaceId,
    conversationId,
    seq,
    ...(audience === 'visitor' && { kind: { $in: [...visitorKinds] } }),
  })
    .sort({ seq: after !== undefined ? 1 : -1 })
    .limit(limit + 1)
    .lean();
  const hasMore = found.length > limit;
  const page = found.slice(0, limit);
  if (after === undefined) page.reverse();
  const events = page.map((event) => toTimelineEvent(event, audience));
  if (after === undefined) {
    return { events, upTo: Math.max(0, Math.min((before ?? 0) - 1, head)), head, isStart: !hasMore };
  }
  const lastSeq = page.at(-1)?.seq ?? head;
  return { events, upTo: hasMore ? lastSeq : Math.max(after, head), head, isStart: after === 0 };
}

export type TimelineQuery = InferOutput<typeof ReadTimeline>;

/** Left out unless they are asked for by name: bookkeeping that nobody reads. */
const quietKinds: readonly EventKind[] = ['handling'];

/**
 * One page of a contact's timeline: the whole merged group in one order, by when it happened.
 * @throws AppError `contact_not_found`, `bad_request`
 */
export async function readTimeline(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  query: TimelineQuery,
): Promise<TimelinePage> {
  const direction = query.direction ?? 'older';
  const limit = bounded(query.limit);
  const conditions: Record<string, unknown>[] = [await timelineFilter(scope, contactId)];
  if (query.channels) conditions.push({ channel: { $in: query.channels.split(',') } });
  conditions.push({ kind: kindFilter(query.kinds) });
  if (query.cursor !== undefined) conditions.push(beyond('occurredAt', decodePlace(query.cursor), direction));
  else if (query.at !== undefined) {
    conditions.push({ occurredAt: { [direction === 'older' ? '$lte' : '$gte']: new Date(query.at) } });
  }
  const order = direction === 'older' ? -1 : 1;
  const found = await EventModel.find({ $and: conditions })
    .sort({ occurredAt: order, _id: order })
    .limit(limit + 1)
    .lean();
  const page = found.slice(0, limit);
  return {
    events: page.map((event) => toTimelineEvent(event, 'agent')),
    ...cursors(page, direction, found.length > limit, query.cursor !== undefined || query.at !== undefined),
  };
}

/** In the direction of reading only while there is more; the other way whenever the page did not begin at the end. */
function cursors(
  page: readonly StoredEvent[],
  direction: 'older' | 'newer',
  hasMore: boolean,
  begunInside: boolean,
): Pick<TimelinePage, 'olderCursor' | 'newerCursor'> {
  const placeOf = (event: StoredEvent | undefined) =>
    event && encodePlace({ at: event.occurredAt, id: event._id });
  const onward = hasMore ? placeOf(page.at(-1)) : undefined;
  const back = begunInside ? placeOf(page[0]) : undefined;
  const [older, newer] = direction === 'older' ? [onward, back] : [back, onward];
  return {
    ...(older !== undefined && { olderCursor: older }),
    ...(newer !== undefined && { newerCursor: newer }),
  };
}

function kindFilter(kinds: string | undefined): Record<string, unknown> {
  if (kinds === undefined) return { $nin: [...quietKinds] };
  const known = new Set<string>(EventKind.options);
  const unknown = kinds.split(',').find((kind) => !known.has(kind));
  if (unknown !== undefined) throw new AppError('bad_request', { field: 'kinds', problem: 'Unknown kind.' });
  return { $in: timelineKinds(kinds) };
}

/** All that stands on the timeline of a contact's group, as a filter. What went with its import stands on none. */
export async function timelineFilter(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
): Promise<Record<string, unknown>> {
  const { memberIds } = await groupOf(scope, contactId);
  const moved = await movedEvents(scope, memberIds);
  const { workspaceId } = scope;
  const own = { workspaceId, contactId: { $in: memberIds }, erased: { $ne: 'undone' } };
  if (moved.to.length === 0 && moved.away.length === 0) return own;
  const kept = moved.away.length > 0 ? { ...own, _id: { $nin: moved.away } } : own;
  if (moved.to.length === 0) return kept;
  return { $or: [kept, { workspaceId, _id: { $in: moved.to }, erased: { $ne: 'undone' } }] };
}
