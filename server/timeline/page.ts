import { AppError } from '../../shared/errors.js';
import type { EventPage } from '../../shared/events/timeline.js';
import { limits } from '../../shared/limits.js';
import type { StoredEvent } from './model.js';
import { toTimelineEvent } from './present.js';
import type { Audience } from './visibility.js';

export interface ReadConversation {
  conversationId: string;
  /** Forwards from this seq, or backwards from that one: exactly one of the two. */
  after?: number | undefined;
  before?: number | undefined;
  limit?: number | undefined;
}

/** Which events of one conversation: beyond `after` or below `before`, up to `upTo`, in this direction. */
export interface EventRange {
  workspaceId: string;
  conversationId: string;
  audience: Audience;
  after?: number;
  before?: number;
  upTo: number;
  /** `desc`: the highest seq first. */
  order: 'asc' | 'desc';
  limit: number;
}

/** What reading a conversation needs of the store. The two reads need not be of one moment. */
export interface PageSource {
  /** The conversation's highest committed seq; null when there is no such conversation. */
  headOf(workspaceId: string, conversationId: string): Promise<number | null>;
  eventsIn(range: EventRange): Promise<StoredEvent[]>;
}

export const bounded = (limit: number | undefined): number =>
  Math.min(limit ?? limits.pageEntriesDefault, limits.pageEntries);

/**
 * A bounded piece of a conversation in order of `seq`, complete up to `upTo` for this audience.
 * @throws AppError `conversation_not_found`, `bad_request`
 */
export async function readPage(
  source: PageSource,
  workspaceId: string,
  query: ReadConversation,
  audience: Audience,
): Promise<EventPage> {
  const { conversationId, after, before } = query;
  if ((after === undefined) === (before === undefined)) throw new AppError('bad_request', { field: 'after' });
  // The head first: all up to it is committed with it, so what is read after is complete to here.
  const head = await source.headOf(workspaceId, conversationId);
  if (head === null) throw new AppError('conversation_not_found');
  const limit = bounded(query.limit);
  const found = await source.eventsIn({
    workspaceId,
    conversationId,
    audience,
    ...(after !== undefined ? { after, order: 'asc' } : { before: before ?? 0, order: 'desc' }),
    upTo: head,
    limit: limit + 1,
  });
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
