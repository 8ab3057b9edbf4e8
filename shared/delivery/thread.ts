import type { EventPage, TimelineEvent } from '../events/timeline.js';
import type { Thread } from './state.js';

/** A live event: old news, the next one, or a sign that one in between is missing. */
export function hear(thread: Thread, event: TimelineEvent): Thread {
  const seq = event.seq ?? 0;
  const heard = Math.max(thread.heard, seq);
  if (!thread.isLoaded) return { ...thread, heard };
  if (seq <= thread.upTo) return event.erased ? withErased(thread, event) : thread;
  // Unknown what stood before it: only a page can tell.
  if (event.previousSeq === undefined || event.previousSeq > thread.upTo) return { ...thread, heard };
  return { ...thread, events: [...thread.events, event], upTo: seq, heard };
}

function withErased(thread: Thread, event: TimelineEvent): Thread {
  return { ...thread, events: thread.events.map((one) => (one.id === event.id ? event : one)) };
}

/** A page that was asked for. Live events may have come in the meantime: what stands already is left out. */
export function turnPage(thread: Thread, page: EventPage): Thread {
  const from = thread.reading?.from;
  const read = { ...thread, reading: null, failures: 0 };
  if (from === 'older') {
    const first = thread.events[0]?.seq ?? thread.upTo + 1;
    const older = page.events.filter((event) => (event.seq ?? 0) < first);
    return { ...read, wantsOlder: false, isStart: page.isStart, events: [...older, ...thread.events] };
  }
  const newer = page.events.filter((event) => (event.seq ?? 0) > thread.upTo);
  const isMoved = page.upTo > thread.upTo;
  const heard = Math.max(thread.heard, page.head);
  return {
    ...read,
    events: [...thread.events, ...newer],
    upTo: Math.max(thread.upTo, page.upTo),
    heard,
    isLoaded: true,
    isStart: from === 'latest' ? page.isStart : thread.isStart,
    isStale: false,
    // A reader behind its own publish may answer with nothing new: ask again, but not at once.
    failures: !isMoved && heard > thread.upTo ? thread.failures + 1 : 0,
  };
}

/** What has to be read next for the thread to be whole; null when nothing has. */
export function nextRead(
  thread: Thread,
): { from: 'latest' | 'newer' | 'older'; query: { after: number } | { before: number } } | null {
  if (thread.reading || thread.error) return null;
  if (!thread.isLoaded) return { from: 'latest', query: { before: Number.MAX_SAFE_INTEGER } };
  if (thread.isStale || thread.heard > thread.upTo) return { from: 'newer', query: { after: thread.upTo } };
  if (thread.wantsOlder && !thread.isStart) {
    return { from: 'older', query: { before: thread.events[0]?.seq ?? thread.upTo + 1 } };
  }
  return null;
}
