import type { TimelinePage } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Api } from '../api/endpoints.js';
import { replyOf } from '../api/request.js';
import { mergeEvents } from './group.js';
import { type Filter, queryOf } from './load.js';

const pageEvents = 60;

/** What has been read of a contact's timeline: from now or around a time, further both ways, and anew. */
export interface Reading {
  readonly events: readonly TimelineEvent[];
  readonly state: 'loading' | 'ready' | { error: ErrorReply };
  /** What the events were read for: they stand until those of another filter have come. */
  readonly filter: Filter;
  /** More is left that way. */
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  /** Forgets what was read: another contact. */
  forget(): void;
  /** Reads from now, or around a time; true when it is there, false when another question was asked meanwhile. */
  begin(contactId: string, filter: Filter, at: string | null): Promise<boolean>;
  /** Reads on. Resolves once more is there; false when there was nothing to do. */
  further(way: 'older' | 'newer'): Promise<boolean>;
  /** Something happened: reads the newest once more, unless one looks at an older piece of the past. */
  refresh(): Promise<void>;
}

/** `changed` is told whenever something that is shown has changed. */
export function createReading(api: Pick<Api, 'timeline'>, changed: () => void): Reading {
  let events: readonly TimelineEvent[] = [];
  let state: Reading['state'] = 'loading';
  let filter: Filter = 'all';
  let asked: { contactId: string; filter: Filter; at: string | null } = { contactId: '', filter, at: null };
  let older: string | null = null;
  let newer: string | null = null;
  let isReading = false;
  /** Of the last question: an answer to an earlier one is dropped. */
  let token = 0;

  const query = () => ({ ...queryOf(asked.filter), limit: pageEvents });

  async function begin(contactId: string, wanted: Filter, at: string | null): Promise<boolean> {
    token += 1;
    const mine = token;
    asked = { contactId, filter: wanted, at };
    isReading = true;
    try {
      const back = await api.timeline(contactId, { ...query(), ...(at !== null && { at }) });
      const forth: TimelinePage | null =
        at === null ? null : await api.timeline(contactId, { ...query(), at, direction: 'newer' });
      if (mine !== token) return false;
      filter = wanted;
      events = mergeEvents([], [...back.events, ...(forth?.events ?? [])]);
      older = back.olderCursor ?? null;
      newer = forth?.newerCursor ?? null;
      state = 'ready';
      changed();
      return true;
    } catch (error) {
      if (mine !== token) return false;
      state = { error: replyOf(error) };
      changed();
      return false;
    } finally {
      if (mine === token) isReading = false;
    }
  }

  async function further(way: 'older' | 'newer'): Promise<boolean> {
    const cursor = way === 'older' ? older : newer;
    if (cursor === null || isReading || state !== 'ready') return false;
    const mine = token;
    isReading = true;
    try {
      const page = await api.timeline(asked.contactId, { ...query(), cursor, direction: way });
      if (mine !== token) return false;
      events = mergeEvents(events, page.events);
      if (way === 'older') older = page.olderCursor ?? null;
      else newer = page.newerCursor ?? null;
      changed();
      return true;
    } catch (error) {
      replyOf(error);
      return false;
    } finally {
      if (mine === token) isReading = false;
    }
  }

  async function refresh(): Promise<void> {
    if (state !== 'ready') {
      await begin(asked.contactId, asked.filter, asked.at);
      return;
    }
    if (newer !== null) return;
    const mine = token;
    try {
      const page = await api.timeline(asked.contactId, query());
      if (mine !== token) return;
      if (fits(page)) events = mergeEvents(events, page.events);
      else {
        events = mergeEvents([], page.events);
        older = page.olderCursor ?? null;
      }
      changed();
    } catch (error) {
      replyOf(error);
    }
  }

  /** A merge or an unmerge brings or takes old ones: then what was read no longer fits the newest. */
  function fits(page: TimelinePage): boolean {
    const oldestRead = page.events.at(-1)?.occurredAt ?? '';
    const ids = new Set(page.events.map((event) => event.id));
    const isGone = events.some((event) => event.occurredAt > oldestRead && !ids.has(event.id));
    const isRegrouped = page.events.some(
      (event) =>
        (event.kind === 'contact_merged' || event.kind === 'contact_unmerged') &&
        !events.some((known) => known.id === event.id),
    );
    return !isGone && !isRegrouped;
  }

  return {
    get events() {
      return events;
    },
    get state() {
      return state;
    },
    get filter() {
      return filter;
    },
    get hasOlder() {
      return older !== null;
    },
    get hasNewer() {
      return newer !== null;
    },
    forget() {
      token += 1;
      events = [];
      state = 'loading';
      older = null;
      newer = null;
      isReading = false;
    },
    begin,
    further,
    refresh,
  };
}
