import type { InferOutput } from 'valibot';
import { type ReadTimeline, type TimelinePage, timelineKinds } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { EventKind } from '../../shared/events/kinds.js';
import type { Channel } from '../../shared/events/parts.js';
import { decodePlace, encodePlace, type Place } from './cursor.js';
import type { StoredEvent } from './model.js';
import { bounded } from './page.js';
import { toTimelineEvent } from './present.js';

/**
 * Whose events stand on a contact's timeline: the whole merged group's, with what an unmerge brought and without what it
 * took away. What went with its import stands on none.
 */
export interface Standing {
  workspaceId: string;
  memberIds: readonly string[];
  moved: { to: readonly string[]; away: readonly string[] };
}

/** Which of the events on a timeline; absent: all. */
export interface Which {
  /** `any`: those that came over some channel. */
  channels?: readonly Channel[] | 'any';
  kinds?: { only: readonly EventKind[] } | { but: readonly EventKind[] };
  /** Not this place itself. */
  beyond?: { place: Place; direction: 'older' | 'newer' };
  /** These moments too. */
  from?: Date;
  to?: Date;
}

/** What reading timelines needs of the store. In order of `(occurredAt, _id)`; `older`: the latest first. */
export interface TimelineSource {
  /** @throws AppError `contact_not_found` */
  standingOf(workspaceId: string, contactId: string): Promise<Standing>;
  eventsOn(
    standing: Standing,
    which: Which,
    direction: 'older' | 'newer',
    limit: number,
  ): Promise<StoredEvent[]>;
  countOn(standing: Standing, which: Which): Promise<number>;
}

export type TimelineQuery = InferOutput<typeof ReadTimeline>;

/** Left out unless they are asked for by name: bookkeeping that nobody reads. */
const quietKinds: readonly EventKind[] = ['handling'];

/**
 * One page of a contact's timeline: the whole merged group in one order, by when it happened.
 * @throws AppError `contact_not_found`, `bad_request`
 */
export async function timelinePage(
  source: TimelineSource,
  workspaceId: string,
  contactId: string,
  query: TimelineQuery,
): Promise<TimelinePage> {
  const { cursor, at, channels, direction = 'older' } = query;
  const limit = bounded(query.limit);
  const standing = await source.standingOf(workspaceId, contactId);
  const which: Which = {
    ...(channels !== undefined && { channels: channels.split(',') as Channel[] }),
    kinds: kindsOf(query.kinds),
    ...(cursor !== undefined
      ? { beyond: { place: decodePlace(cursor), direction } }
      : at !== undefined && { [direction === 'older' ? 'to' : 'from']: new Date(at) }),
  };
  const found = await source.eventsOn(standing, which, direction, limit + 1);
  const page = found.slice(0, limit);
  return {
    events: page.map((event) => toTimelineEvent(event, 'agent')),
    ...cursors(page, direction, found.length > limit, cursor !== undefined || at !== undefined),
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

function kindsOf(kinds: string | undefined): NonNullable<Which['kinds']> {
  if (kinds === undefined) return { but: quietKinds };
  const known = new Set<string>(EventKind.options);
  const unknown = kinds.split(',').find((kind) => !known.has(kind));
  if (unknown !== undefined) throw new AppError('bad_request', { field: 'kinds', problem: 'Unknown kind.' });
  return { only: timelineKinds(kinds) };
}
