import type { TimelineEvent } from '../../shared/events/timeline.js';
import { dayNumber } from '../texts/time.js';
import type { ContentEntry, Entry, Fold } from './entry.js';
import { foldMonths } from './fold.js';

/**
 * The one timeline as it is drawn, newest on top: what belongs together stands together, days and years have
 * anchors, a silence is seen. Pure: events and a clock in, entries out.
 */

const silenceDays = 30;
/** E-mails of one thread stand together while no more than this lies between them. */
const threadGapDays = 21;
const dayMs = 86_400_000;

/** Newest first; at one time, what was recorded later first (ids are made in order of recording). */
function byNewest(a: TimelineEvent, b: TimelineEvent): number {
  if (a.occurredAt !== b.occurredAt) return a.occurredAt < b.occurredAt ? 1 : -1;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}

/** What stands on a timeline at all: bookkeeping does not. */
export function isShown(event: TimelineEvent): boolean {
  switch (event.kind) {
    case 'conversation_started':
    case 'handling':
      return false;
    case 'email_delivery':
      return event.erased === true || event.body.state === 'failed';
    case 'identity_proved':
      return event.erased === true || event.body.type !== 'visitor';
    default:
      return true;
  }
}

/** `open`: months of long ago are folded but for these. Without it nothing is folded. */
export function groupTimeline(
  events: readonly TimelineEvent[],
  now: Date,
  open: ReadonlySet<string> | null = null,
): Entry[] {
  const entries = gather([...events].filter(isShown).sort(byNewest));
  return withAnchors(open === null ? entries : foldMonths(entries, now, open), now);
}

function gather(events: readonly TimelineEvent[]): ContentEntry[] {
  const entries: ContentEntry[] = [];
  const chats = new Map<string, Extract<ContentEntry, { type: 'chat' }>>();
  const threads = new Map<string, Extract<ContentEntry, { type: 'emails' }>>();
  for (const event of events) {
    const placed = { key: event.id, at: event.occurredAt, saysDate: false };
    if (event.erased) {
      entries.push({ type: 'change', event, ...placed });
      continue;
    }
    switch (event.kind) {
      case 'message': {
        // One entry for a conversation and a day, at the place of its last message.
        const key = `${event.conversationId}/${dayNumber(new Date(event.occurredAt))}`;
        const open = chats.get(key);
        if (open) open.events.push(event);
        else {
          const entry = { type: 'chat' as const, events: [event], ...placed, key: `chat/${key}` };
          chats.set(key, entry);
          entries.push(entry);
        }
        break;
      }
      case 'email': {
        const key = event.conversationId ?? event.id;
        const open = threads.get(key);
        const last = open?.events.at(-1);
        if (
          open &&
          last &&
          Date.parse(last.occurredAt) - Date.parse(event.occurredAt) <= threadGapDays * dayMs
        ) {
          open.events.push(event);
        } else {
          const entry = { type: 'emails' as const, events: [event], ...placed, key: `mail/${event.id}` };
          threads.set(key, entry);
          entries.push(entry);
        }
        break;
      }
      case 'call':
        entries.push({ type: 'call', event, ...placed });
        break;
      case 'note':
        entries.push({ type: 'note', event, ...placed });
        break;
      case 'contact_merged':
        entries.push({ type: 'merge', event, ...placed });
        break;
      case 'claim_made':
        entries.push({ type: 'claim', event, ...placed });
        break;
      default:
        entries.push({ type: 'change', event, ...placed });
    }
  }
  return entries;
}

/** It alone calls for no anchor of its day; a fold says its months itself. */
const isSmall = (entry: ContentEntry | Fold) => ['merge', 'claim', 'change', 'fold'].includes(entry.type);

/** The oldest moment an entry reaches back to. */
function oldestOf(entry: ContentEntry | Fold): string {
  if (entry.type === 'fold')
    return entry.entries.map(oldestOf).reduce((oldest, one) => (one < oldest ? one : oldest), entry.from);
  return 'events' in entry ? (entry.events.at(-1)?.occurredAt ?? entry.at) : entry.at;
}

function withAnchors(entries: readonly (ContentEntry | Fold)[], now: Date): Entry[] {
  const shown: Entry[] = [];
  const loudDays = new Set(
    entries.filter((entry) => !isSmall(entry)).map((entry) => dayNumber(new Date(entry.at))),
  );
  let day: number | null = null;
  let year = now.getFullYear();
  let reached: string | null = null as string | null;
  for (const entry of entries) {
    const at = new Date(entry.at);
    if (reached !== null) {
      const days = Math.floor((Date.parse(reached) - at.getTime()) / dayMs);
      if (days > silenceDays) shown.push({ type: 'silence', key: `silence/${entry.key}`, days });
    }
    const entryDay = dayNumber(at);
    const isNewYear = at.getFullYear() !== year;
    if (isNewYear) {
      year = at.getFullYear();
      shown.push({ type: 'year', key: `year/${year}`, year });
    }
    let saysDate = false;
    if (entry.type === 'fold') day = null;
    else if (entryDay !== day) {
      const isToday = entryDay === dayNumber(now);
      if (isToday || (loudDays.has(entryDay) && !isNewYear)) {
        shown.push({ type: 'day', key: `day/${entryDay}`, at: entry.at });
        day = entryDay;
      } else saysDate = true;
    }
    shown.push(saysDate ? { ...entry, saysDate } : entry);
    // A folded thread reaches back behind what stands below it.
    const oldest = oldestOf(entry);
    if (reached === null || oldest < reached) reached = oldest;
  }
  return shown;
}

/** Puts newly heard or read events among those already there, each once. Keeps the list when nothing is new. */
export function mergeEvents(
  known: readonly TimelineEvent[],
  more: readonly TimelineEvent[],
): readonly TimelineEvent[] {
  const ids = new Map(known.map((event) => [event.id, event]));
  let changed = false;
  for (const event of more) {
    const old = ids.get(event.id);
    if (old && (old.erased || !event.erased)) continue;
    ids.set(event.id, event);
    changed = true;
  }
  return changed ? [...ids.values()].sort(byNewest) : known;
}
