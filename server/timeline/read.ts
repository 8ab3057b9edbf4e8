import type { InferOutput } from 'valibot';
import { type ReadTimeline, type TimelinePage, timelineKinds } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { EventKind } from '../../shared/events/kinds.js';
import type { EventPage } from '../../shared/events/timeline.js';
import { groupOf, movedEvents } from '../contacts/group.js';
import { ConversationModel } from '../conversations/model.js';
import type { Scope } from '../workspaces/scope.js';
import { beyond, decodePlace, encodePlace } from './cursor.js';
import { EventModel, type StoredEvent } from './model.js';
import { bounded, type PageSource, type ReadConversation, readPage } from './page.js';
import { toTimelineEvent } from './present.js';
import { type Audience, visitorKinds } from './visibility.js';

/** The mongoose side of the port that a conversation's pages are read through. */
const mongoosePages: PageSource = {
  async headOf(workspaceId, conversationId) {
    const found = await ConversationModel.findOne({ _id: conversationId, workspaceId }, { head: 1 }).lean();
    return found?.head ?? null;
  },
  async eventsIn({ workspaceId, conversationId, audience, after, before, upTo, order, limit }) {
    return EventModel.find({
      workspaceId,
      conversationId,
      seq: {
        ...(after !== undefined && { $gt: after }),
        ...(before !== undefined && { $lt: before }),
        $lte: upTo,
      },
      ...(audience === 'visitor' && { kind: { $in: [...visitorKinds] } }),
    })
      .sort({ seq: order === 'asc' ? 1 : -1 })
      .limit(limit)
      .lean();
  },
};

/**
 * A bounded piece of a conversation in order of `seq`, complete up to `upTo` for this audience.
 * @throws AppError `conversation_not_found`, `bad_request`
 */
export const readConversation = (
  scope: Pick<Scope, 'workspaceId'>,
  query: ReadConversation,
  audience: Audience,
): Promise<EventPage> => readPage(mongoosePages, scope.workspaceId, query, audience);

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
