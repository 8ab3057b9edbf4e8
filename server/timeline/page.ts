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
  const { conversationId } = query;
  const from = edgeOf(query);
  // The head first: all up to it is committed with it, so what is read after is complete to here.
  const head = await source.headOf(workspaceId, conversationId);
  if (head === null) throw new AppError('conversation_not_found');
  const limit = bounded(query.limit);
  const found = await source.eventsIn({
    workspaceId,
    conversationId,
    audience,
    ...from,
    order: 'after' in from ? 'asc' : 'desc',
    upTo: head,
    limit: limit + 1,
  });
  const hasMore = found.length > limit;
  const page = found.slice(0, limit);
  if ('before' in from) page.reverse();
  const events = page.map((event) => toTimelineEvent(event, audience));
  if ('before' in from) {
    return { events, upTo: Math.max(0, Math.min(from.before - 1, head)), head, isStart: !hasMore };
  }
  const completeTo = (hasMore ? page.at(-1)?.seq : undefined) ?? head;
  return { events, upTo: Math.max(from.after, completeTo), head, isStart: from.after === 0 };
}

function edgeOf({ after, before }: ReadConversation): { after: number } | { before: number } {
  if (after !== undefined && before === undefined) return { after };
  if (before !== undefined && after === undefined) return { before };
  throw new AppError('bad_request', { field: 'after' });
}
