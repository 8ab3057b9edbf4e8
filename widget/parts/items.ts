import type { Outgoing, Thread } from '../../shared/delivery/state.js';
import type { EventOf, TimelineEvent } from '../../shared/events/timeline.js';
import type { Draft } from '../client.js';

/** A line of the log, from top to bottom. */
export type Item =
  | { type: 'day'; key: string; at: string }
  | { type: 'new'; key: string }
  | { type: 'theirs'; key: string; event: EventOf<'message'>; isFirst: boolean; isLast: boolean }
  | { type: 'own'; key: string; event: EventOf<'message'>; state: 'sent' | 'seen' | null }
  | { type: 'outgoing'; key: string; item: Outgoing<Draft>; shows: boolean }
  | { type: 'status'; key: string; event: EventOf<'status_changed'> };

const isShown = (event: TimelineEvent): event is EventOf<'message'> | EventOf<'status_changed'> =>
  event.kind === 'message' || event.kind === 'status_changed';

/**
 * What a conversation shows. `newAfter`: how far it was read when it was opened, above which "New messages" stands.
 * A state in words stands under the last own message alone, and under those that are not sent.
 */
export function itemsOf(
  thread: Pick<Thread, 'events' | 'readByOther'> | undefined,
  outgoing: readonly Outgoing<Draft>[],
  newAfter: number,
  sameDay: (a: string, b: string) => boolean,
): Item[] {
  const items: Item[] = [];
  const events = (thread?.events ?? []).filter(isShown);
  const lastOwn = events.findLast((event) => event.kind === 'message' && event.direction === 'in');
  let hasNew = newAfter <= 0;
  let day = '';
  events.forEach((event, at) => {
    if (!day || !sameDay(day, event.occurredAt)) {
      day = event.occurredAt;
      items.push({ type: 'day', key: `day-${event.id}`, at: day });
    }
    const isTheirs = event.kind === 'message' && event.direction === 'out';
    if (!hasNew && isTheirs && (event.seq ?? 0) > newAfter) {
      hasNew = true;
      items.push({ type: 'new', key: 'new' });
    }
    if (event.kind === 'status_changed') {
      items.push({ type: 'status', key: event.id, event });
    } else if (isTheirs) {
      const isNeighbour = (other: TimelineEvent | undefined): boolean =>
        other?.kind === 'message' &&
        other.direction === 'out' &&
        JSON.stringify(other.actor) === JSON.stringify(event.actor);
      const isFirst = items.at(-1)?.type !== 'theirs' || !isNeighbour(events[at - 1]);
      items.push({ type: 'theirs', key: event.id, event, isFirst, isLast: !isNeighbour(events[at + 1]) });
    } else {
      const isSeen = (event.seq ?? 0) <= (thread?.readByOther ?? 0);
      const state = event === lastOwn ? (isSeen ? 'seen' : 'sent') : null;
      items.push({ type: 'own', key: event.body.clientId || event.id, event, state });
    }
  });
  outgoing.forEach((item, at) => {
    const next = outgoing[at + 1];
    const shows = item.state === 'refused' || next === undefined || next.state === 'refused';
    items.push({ type: 'outgoing', key: item.clientId, item, shows });
  });
  return items;
}
