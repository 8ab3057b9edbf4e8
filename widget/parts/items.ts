import type { Outgoing, Thread } from '../../shared/delivery/state.js';
import type { EventOf, TimelineEvent } from '../../shared/events/timeline.js';
import type { Draft } from '../client.js';

/** A line of the log, from top to bottom. `key` tells it from the others. */
export type Item = { key: string } & (
  | { type: 'day' | 'new'; at?: string; event?: undefined }
  | { type: 'theirs'; event: EventOf<'message'>; isFirst: boolean; isLast: boolean }
  /** `shows`: what became of it stands under it. */
  | { type: 'own'; event: EventOf<'message'>; shows: boolean; isSeen: boolean }
  | { type: 'outgoing'; item: Outgoing<Draft>; shows: boolean; event?: undefined }
  | { type: 'status'; event: EventOf<'status_changed'> }
);

const isMessage = (event: TimelineEvent | undefined): event is EventOf<'message'> =>
  event?.kind === 'message';
const isTheirs = (event: TimelineEvent | undefined): boolean => isMessage(event) && event.direction === 'out';

/** Which agent said it; nothing for what no agent said. */
const speaker = (event: TimelineEvent | undefined): string =>
  isTheirs(event) ? JSON.stringify(event?.actor) : '';

/**
 * What a conversation shows. `newAfter`: how far it was read when it was opened, above which "New messages" stands.
 * A state in words stands under the last own message alone, and under those that are not sent.
 */
export function itemsOf(
  thread: Pick<Thread, 'events' | 'readByOther'> | undefined,
  outgoing: readonly Outgoing<Draft>[],
  newAfter: number,
  daysAgo: (at: string) => number,
): Item[] {
  const items: Item[] = [];
  const events = (thread?.events ?? []).filter(
    (event): event is EventOf<'message'> | EventOf<'status_changed'> =>
      isMessage(event) || event.kind === 'status_changed',
  );
  const lastOwn = events.findLast((event) => isMessage(event) && !isTheirs(event));
  let hasNew = newAfter <= 0;
  let day: number | undefined;
  events.forEach((event, place) => {
    const { id, seq = 0, occurredAt: at } = event;
    if (day !== daysAgo(at)) {
      day = daysAgo(at);
      items.push({ type: 'day', key: `day-${id}`, at });
    }
    if (!hasNew && isTheirs(event) && seq > newAfter) {
      hasNew = true;
      items.push({ type: 'new', key: 'new' });
    }
    if (!isMessage(event)) items.push({ type: 'status', key: id, event });
    else if (isTheirs(event)) {
      const isFirst = items.at(-1)?.type !== 'theirs' || speaker(events[place - 1]) !== speaker(event);
      items.push({
        type: 'theirs',
        key: id,
        event,
        isFirst,
        isLast: speaker(events[place + 1]) !== speaker(event),
      });
    } else {
      const isSeen = seq <= (thread?.readByOther ?? 0);
      items.push({ type: 'own', key: event.body?.clientId || id, event, shows: event === lastOwn, isSeen });
    }
  });
  outgoing.forEach((item, place) => {
    const next = outgoing[place + 1]?.state ?? 'refused';
    items.push({ type: 'outgoing', key: item.clientId, item, shows: next === 'refused' });
  });
  return items;
}
