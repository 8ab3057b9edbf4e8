import type { EventOf, TimelineEvent } from '../../shared/events/timeline.js';
import { dayNumber } from '../texts/time.js';
import type { Outgoing } from './log.js';

/** A conversation as it is drawn, from top to bottom. Pure. */
export type Item =
  | { type: 'day'; key: string; at: string }
  | { type: 'new'; key: string }
  | { type: 'said'; key: string; kind: 'message' | 'note'; events: (EventOf<'message'> | EventOf<'note'>)[] }
  | { type: 'email'; key: string; event: EventOf<'email'>; delivery: EventOf<'email_delivery'> | null }
  | { type: 'call'; key: string; event: EventOf<'call'> }
  | { type: 'system'; key: string; event: TimelineEvent }
  | { type: 'outgoing'; key: string; message: Outgoing };

/** Messages of one person within this time stand under one name. */
const togetherMs = 5 * 60_000;

/** @param newAfter the seq up to which this agent had read when the conversation was opened */
export function itemsOf(
  events: readonly TimelineEvent[],
  outgoing: readonly Outgoing[],
  newAfter: number,
): Item[] {
  const items: Item[] = [];
  const deliveries = new Map<string, EventOf<'email_delivery'>>();
  for (const event of events) {
    if (event.kind === 'email_delivery' && !event.erased) deliveries.set(event.body.eventId, event);
  }
  let day: number | null = null;
  let isNewDrawn = newAfter === 0;
  for (const event of events) {
    if (isSilent(event)) continue;
    const eventDay = dayNumber(new Date(event.occurredAt));
    if (eventDay !== day) {
      day = eventDay;
      items.push({ type: 'day', key: `day/${eventDay}/${event.id}`, at: event.occurredAt });
    }
    if (!isNewDrawn && event.direction === 'in' && (event.seq ?? 0) > newAfter) {
      isNewDrawn = true;
      items.push({ type: 'new', key: 'new' });
    }
    if (event.erased) {
      items.push({ type: 'system', key: event.id, event });
      continue;
    }
    switch (event.kind) {
      case 'message':
      case 'note': {
        const last = items.at(-1);
        if (last?.type === 'said' && last.kind === event.kind && goesWith(last.events.at(-1), event))
          last.events.push(event);
        else items.push({ type: 'said', key: event.id, kind: event.kind, events: [event] });
        break;
      }
      case 'email':
        items.push({ type: 'email', key: event.id, event, delivery: deliveries.get(event.id) ?? null });
        break;
      case 'call':
        items.push({ type: 'call', key: event.id, event });
        break;
      default:
        items.push({ type: 'system', key: event.id, event });
    }
  }
  for (const message of outgoing) items.push({ type: 'outgoing', key: message.clientId, message });
  return items;
}

/** Bookkeeping that nobody reads here. */
function isSilent(event: TimelineEvent): boolean {
  switch (event.kind) {
    case 'conversation_started':
    case 'handling':
    case 'email_delivery':
    case 'contact_changed':
      return true;
    case 'identity_proved':
      return event.erased !== true && event.body.type === 'visitor';
    default:
      return false;
  }
}

function goesWith(last: TimelineEvent | undefined, event: TimelineEvent): boolean {
  return (
    last !== undefined &&
    JSON.stringify(last.actor) === JSON.stringify(event.actor) &&
    Date.parse(event.occurredAt) - Date.parse(last.occurredAt) <= togetherMs
  );
}
