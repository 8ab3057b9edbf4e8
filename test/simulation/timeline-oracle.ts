import type { StoredEvent } from '../../server/timeline/model.js';
import type { TimelineQuery } from '../../server/timeline/timeline.js';
import type { TimelinePicture } from '../../shared/api.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Written } from '../server/timeline/memory-store.js';
import { epoch, type World, workspaceId } from './world.js';

const content = ['message', 'note', 'email', 'call'];
/** What nobody's identity brings. */
const ofNobody = ['note', 'contact_changed'];
const isHeads = ({ kind, direction, actor }: StoredEvent): boolean =>
  ofNobody.includes(kind) || (kind === 'call' && direction === 'out' && actor.type === 'agent');

/** Of contacts and their timelines: whose an event is, what stays of what was erased, what a reader is shown. */
export function createTimelineOracle(worldOf: () => World, violate: (rule: string, what: string) => void) {
  /** All that was committed, as it stands now: erased ones as their tombstones. */
  const standing = new Map<string, StoredEvent>();
  /** What contacts were told of themselves, in the order of the commits. */
  const fields = new Map<string, Record<string, string | null>>();
  const blocked = new Map<string, boolean>();
  /** By conversation: what it was decided to be last. */
  const decided = new Map<string, { status: unknown; assigned: unknown }>();
  /** Every head that a contact's group ever had. */
  const heads = new Map<string, Set<string>>();
  const headOf = (id: string): string => worldOf().store.contacts.get(`${workspaceId}\n${id}`)?.headId ?? id;
  const headsOf = (id: string): Set<string> => (heads.get(id) ?? new Set()).add(id).add(headOf(id));

  function checkOwner(event: StoredEvent): void {
    const { conversationId, contactId, actor } = event;
    if (conversationId === undefined) return;
    const row = worldOf().store.conversations.get(`${workspaceId}\n${conversationId}`);
    if (!row) return;
    if (isHeads(event)) {
      if (!headsOf(row.contactId).has(contactId))
        violate('whose it is', `${event._id} of ${row.contactId} stands with ${contactId}`);
    } else if (actor.type === 'contact') {
      const isOne = [...headsOf(contactId)].some((id) => headsOf(row.contactId).has(id));
      if (!isOne) violate('kept out', `${contactId} wrote in the conversation of ${row.contactId}`);
    } else if (contactId !== row.contactId)
      violate('whose it is', `${event._id} stands with ${contactId}, not ${row.contactId}`);
  }

  function checkTime(event: StoredEvent): void {
    const aheadMs = event.occurredAt.getTime() - event.recordedAt.getTime();
    if (aheadMs > 300_000) violate('its time', `${event._id} happened ${aheadMs} ms after it was known`);
  }

  /** Brought from an archive, long after it happened. */
  const isOld = ({ importId, recordedAt, occurredAt }: StoredEvent): boolean =>
    importId !== undefined && recordedAt.getTime() - occurredAt.getTime() > 24 * 3_600_000;

  /** A decision is made about what is, not about what was. */
  function checkDecision(event: StoredEvent): void {
    const { _id, kind, conversationId, body } = event;
    if (conversationId === undefined) return;
    const { from, to } = body as { from?: unknown; to?: unknown };
    if (kind === 'conversation_started')
      decided.set(conversationId, { status: isOld(event) ? 'closed' : 'open', assigned: null });
    const was = decided.get(conversationId);
    const what = kind === 'status_changed' ? 'status' : kind === 'assigned' ? 'assigned' : null;
    if (!was || !what) return;
    if (was[what] !== from)
      violate('no change over another', `${_id} changes ${what} from ${from}, and it was ${was[what]}`);
    was[what] = to;
  }

  function learn(event: StoredEvent): void {
    const body = event.body as { changes?: Record<string, string | null>; blocked?: boolean };
    const { contactId } = event;
    if (event.kind === 'contact_changed')
      fields.set(contactId, { ...fields.get(contactId), ...body.changes });
    if (event.kind === 'contact_blocked') blocked.set(contactId, body.blocked === true);
  }

  function isOn(contactId: string, event: StoredEvent): boolean {
    if (event.erased === 'undone') return false;
    const moved = worldOf().store.moved.get(event._id);
    const isOurs = (id: string): boolean => headOf(id) === headOf(contactId);
    if (moved && isOurs(moved.to)) return true;
    return isOurs(event.contactId) && !(moved && isOurs(moved.from));
  }

  const timelineOf = (contactId: string): StoredEvent[] =>
    [...standing.values()]
      .filter((event) => isOn(contactId, event))
      .toSorted((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime() || (a._id < b._id ? -1 : 1));

  /** What was not undone, in order. */
  const inConversation = (id: string): StoredEvent[] =>
    [...standing.values()]
      .filter(({ conversationId, erased }) => conversationId === id && erased !== 'undone')
      .toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0));

  function isAsked(event: StoredEvent, { channels, kinds, at, direction }: TimelineQuery): boolean {
    if (channels !== undefined && !channels.split(',').includes(event.channel ?? '')) return false;
    if (kinds !== undefined ? !kinds.split(',').includes(event.kind) : event.kind === 'handling')
      return false;
    const when = event.occurredAt.toISOString();
    return at === undefined || (direction === 'newer' ? when >= at : when <= at);
  }

  return {
    fails: violate,
    timelineCommits({ events, buried }: Written): void {
      for (const event of events) {
        standing.set(event._id, event);
        checkOwner(event);
        checkTime(event);
        learn(event);
        checkDecision(event);
      }
      for (const event of buried) {
        const was = standing.get(event._id);
        standing.set(event._id, event);
        // What an undone import decided was never so.
        if (event.erased === 'undone') decided.delete(event.conversationId ?? '');
        if (event.seq !== was?.seq || event.occurredAt.getTime() !== was?.occurredAt.getTime())
          violate('its place stays', `${event._id} was moved by its erasure`);
      }
    },
    merges(head: string, merged: string): void {
      for (const id of [head, merged]) heads.set(id, headsOf(id));
    },
    tombstoneOf: (eventId: string): StoredEvent | undefined => {
      const event = standing.get(eventId);
      return event?.erased === undefined ? undefined : event;
    },
    isBegun: (conversationId: string): boolean =>
      inConversation(conversationId).some(({ kind }) => kind === 'conversation_started'),
    incomingOf: (conversationId: string): number =>
      inConversation(conversationId).filter(
        ({ kind, direction }) => direction === 'in' && ['message', 'email', 'call'].includes(kind),
      ).length,
    browsed(
      contactId: string,
      query: TimelineQuery,
      shown: readonly TimelineEvent[],
      isStill: boolean,
    ): void {
      const list = shown.map(({ id }) => id);
      if (new Set(list).size < list.length) violate('timeline', `${contactId} shows an event twice: ${list}`);
      const sign = query.direction === 'newer' ? 1 : -1;
      const times = shown.map(({ occurredAt }) => Date.parse(occurredAt) * sign);
      if (times.some((time, at) => at > 0 && time < (times[at - 1] ?? 0)))
        violate('timeline', `${contactId} is out of order: ${list}`);
      if (!isStill) return;
      worldOf().hit('timeline read in peace');
      const due = timelineOf(contactId).filter((event) => isAsked(event, query));
      if (query.direction !== 'newer') due.reverse();
      const wanted = due.map(({ _id }) => _id);
      if (wanted.join() !== list.join())
        violate(
          'timeline',
          `${contactId} shows ${list}, and ${wanted} stand there (${JSON.stringify(query)})`,
        );
    },
    pictured(contactId: string, { marks, counts, years }: TimelinePicture): void {
      worldOf().hit('picture drawn in peace');
      const all = timelineOf(contactId);
      const said = all.filter(({ kind }) => content.includes(kind));
      const over = (channel: string): number =>
        said.filter((event) => event.kind !== 'note' && event.channel === channel).length;
      const wanted = {
        all: all.filter(({ kind }) => kind !== 'handling').length,
        chat: over('chat'),
        email: over('email'),
        phone: over('phone'),
        note: said.filter(({ kind }) => kind === 'note').length,
        change: all.filter(({ kind }) => kind !== 'handling' && !content.includes(kind)).length,
      };
      if (JSON.stringify(wanted) !== JSON.stringify(counts))
        violate('picture', `${contactId} counts ${JSON.stringify(counts)}, not ${JSON.stringify(wanted)}`);
      const since = epoch - 1_000;
      const drawn = said.filter(
        ({ channel, occurredAt }) => channel !== null && occurredAt.getTime() >= since,
      );
      if (drawn.map(({ _id }) => _id).join() !== marks.map(({ id }) => id).join())
        violate('picture', `${contactId} marks ${marks.length} of ${drawn.length}`);
      const old = said.filter(({ occurredAt }) => occurredAt.getTime() < since);
      const past = [...new Set(old.map(({ occurredAt }) => occurredAt.getUTCFullYear()))];
      if (past.toReversed().join() !== years.join())
        violate('picture', `${contactId} has ${years}, not ${past}`);
    },
    finalTimelines(): void {
      const { store } = worldOf();
      const rows = new Map([...store.events.values()].map((event) => [event._id, event]));
      for (const [id, event] of standing) {
        const stands = rows.get(id);
        if (!stands) violate('durable', `${id} was committed and is gone`);
        else if (event.erased && JSON.stringify(stands.body).includes('text of'))
          violate('erased', `${id} still says what it said`);
      }
      for (const contact of store.contacts.values()) {
        const { id } = contact;
        for (const [name, value] of Object.entries(fields.get(id) ?? {}))
          if (contact.fields?.[name]?.value !== value)
            violate('projection', `${id} has ${name} ${contact.fields?.[name]?.value}, not ${value}`);
        if (blocked.has(id) && contact.blocked !== blocked.get(id))
          violate('projection', `${id} is not blocked as it was said`);
      }
      for (const { _id, conversationId, readerType, seq, counted } of store.marks.values()) {
        const theirs = inConversation(conversationId).filter(
          (event) =>
            (event.seq ?? 0) <= seq &&
            (readerType === 'agent'
              ? event.direction === 'in' && ['message', 'email', 'call'].includes(event.kind)
              : event.direction === 'out' && event.kind === 'message'),
        );
        if (theirs.length !== counted)
          violate('projection', `${_id} has read ${theirs.length}, and counts ${counted}`);
      }
      for (const row of store.conversations.values()) {
        const own = inConversation(row._id);
        const last = own.findLast(({ kind }) => kind === 'status_changed')?.body as
          | { to: string }
          | undefined;
        const began = own.find(({ kind }) => kind === 'conversation_started');
        const status = last?.to ?? (began && isOld(began) ? 'closed' : 'open');
        if (row.status !== status) violate('projection', `${row._id} is ${row.status}, not ${status}`);
        const asked = own.some((event) => event.direction === 'in' && !isOld(event));
        if (row.waitingSince && !asked) violate('projection', `${row._id} waits, and nobody asked`);
      }
    },
  };
}
