import type { ReadRow } from '../../../server/conversations/model.js';
import type { StoredEvent } from '../../../server/timeline/model.js';
import {
  type ContactChange,
  DuplicateKey,
  type JobDraft,
  type TimelineTransaction,
} from '../../../server/timeline/ports.js';
import type { RemakeTransaction } from '../../../server/timeline/remake.js';
import { isVisibleToVisitor } from '../../../server/timeline/visibility.js';
import type { MemoryOptions, MemoryStore } from './memory-store.js';

/** Both ports in one transaction, as a session of the real store has them. */
export type MemoryTransaction = TimelineTransaction & RemakeTransaction;

/** A rival was faster: the transaction runs again. `before` may throw it. */
export class Conflict extends Error {}

/** A transaction as others meet it at the rows that it has written. */
export interface Holder {
  begunAt: number;
  hasEnded: boolean;
}

/** As MongoDB's, of a transaction that nobody ends. */
const transactionLifeMs = 60_000;

export const idOf = (workspaceId: string, name: string): string => `${workspaceId}\n${name}`;
const jobId = ({ workspaceId, name, key }: JobDraft) => idOf(workspaceId, `${name}\n${key}`);
const eventId = (event: StoredEvent) => idOf(event.workspaceId, event.dedupeKey);

/** Works on a copy of all that stands; the commit compares with what stands by then. */
export function begin(store: MemoryStore, options: MemoryOptions) {
  const before = options.before ?? (() => {});
  const seen = {
    events: new Map(store.events),
    conversations: new Map(store.conversations),
    marks: new Map(store.marks),
    numbers: new Map(store.numbers),
  };
  const events = new Map(store.events);
  const conversations = new Map(store.conversations);
  const marks = new Map(store.marks);
  const newEvents: StoredEvent[] = [];
  const newJobs: JobDraft[] = [];
  let jobsAt = new Date(0);
  /** By the ids of conversations: the head that is expected; undefined: whatever it is. */
  const written = new Map<string, number | undefined>();
  const buried = new Map<string, StoredEvent>();
  const movedMarks = new Set<string>();
  const changes: ContactChange[] = [];
  const taken = new Map<string, number>();
  const now = options.now ?? (() => 0);
  const self: Holder = { begunAt: now(), hasEnded: false };
  const isOver = ({ begunAt, hasEnded }: Holder) => hasEnded || now() - begunAt > transactionLifeMs;

  /** Whoever writes a row first has it until its end, or until its life is over. */
  function hold(row: string): void {
    const holder = store.held.get(row);
    if (holder && holder !== self && !isOver(holder)) throw new Conflict();
    store.held.set(row, self);
  }

  const inConversation = (workspaceId: string, conversationId: string): StoredEvent[] =>
    [...events.values()]
      .filter((one) => one.workspaceId === workspaceId && one.conversationId === conversationId)
      .toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  const marksOf = (workspaceId: string, conversationId: string): ReadRow[] =>
    [...marks.values()].filter(
      (one) => one.workspaceId === workspaceId && one.conversationId === conversationId,
    );

  const transaction: MemoryTransaction = {
    async findEvents(keys) {
      await before('findEvents');
      return keys.flatMap(({ workspaceId, dedupeKey }) => events.get(idOf(workspaceId, dedupeKey)) ?? []);
    },
    async findConversations(wanted) {
      await before('findConversations');
      return wanted.flatMap((one) => {
        if ('id' in one) return conversations.get(idOf(one.workspaceId, one.id)) ?? [];
        const found = [...conversations.values()].find(
          (state) => state.workspaceId === one.workspaceId && state.key === one.key,
        );
        return found ?? [];
      });
    },
    async findContacts(wanted) {
      await before('findContacts');
      return wanted.flatMap(({ workspaceId, id }) => {
        const found = store.contacts.get(idOf(workspaceId, id));
        if (!found) return [];
        const { headId } = found;
        const { lastMergeId } = store.contacts.get(idOf(workspaceId, headId)) ?? found;
        return { id, workspaceId, headId, lastMergeId };
      });
    },
    async takeNumbers(workspaceId, count) {
      await before('takeNumbers');
      const number = seen.numbers.get(workspaceId);
      if (number === undefined) return null;
      hold(`workspace\n${workspaceId}`);
      taken.set(workspaceId, count);
      return number + 1;
    },
    async writeConversations(list) {
      await before('writeConversations');
      for (const { state, previousHead } of list) {
        const id = idOf(state.workspaceId, state._id);
        hold(`conversation\n${id}`);
        written.set(id, previousHead);
        conversations.set(id, state);
      }
    },
    async insertEvents(list) {
      await before('insertEvents');
      for (const event of list) hold(`event\n${eventId(event)}`);
      newEvents.push(...list);
      for (const event of list) events.set(eventId(event), event);
    },
    async insertJobs(list, now) {
      await before('insertJobs');
      jobsAt = now;
      newJobs.push(...list);
    },
    async changeContacts(list) {
      await before('changeContacts');
      changes.push(...list);
    },
    async eventsAfter(workspaceId, conversationId, after, limit) {
      await before('eventsAfter');
      const found = inConversation(workspaceId, conversationId).filter(({ seq = 0 }) => seq > after);
      return found.slice(0, limit);
    },
    async findUnerased(workspaceId, ids) {
      await before('findUnerased');
      return [...events.values()].filter(
        (one) => one.workspaceId === workspaceId && ids.includes(one._id) && one.erased === undefined,
      );
    },
    async bury(tombstones) {
      await before('bury');
      for (const { _id, workspaceId, ...left } of tombstones) {
        const event = [...events.values()].find((one) => one._id === _id && one.workspaceId === workspaceId);
        if (!event) continue;
        const erased = { ...event, ...left };
        buried.set(eventId(event), erased);
        events.delete(eventId(event));
        events.set(eventId(erased), erased);
      }
    },
    async putConversation(state) {
      await before('putConversation');
      const id = idOf(state.workspaceId, state._id);
      hold(`conversation\n${id}`);
      written.set(id, undefined);
      conversations.set(id, state);
    },
    async dropConversation(workspaceId, conversationId) {
      await before('dropConversation');
      const id = idOf(workspaceId, conversationId);
      hold(`conversation\n${id}`);
      written.set(id, undefined);
      conversations.delete(id);
      for (const { _id } of marksOf(workspaceId, conversationId)) {
        movedMarks.add(_id);
        marks.delete(_id);
      }
    },
    async findMarks(workspaceId, conversationId) {
      await before('findMarks');
      return marksOf(workspaceId, conversationId);
    },
    async countedUpTo(state, reader, upTo) {
      await before('countedUpTo');
      const counts = (event: StoredEvent): boolean =>
        event.erased !== 'undone' &&
        (reader === 'agent'
          ? event.direction === 'in' && ['message', 'email', 'call'].includes(event.kind)
          : event.direction === 'out' && isVisibleToVisitor(event.kind));
      const all = inConversation(state.workspaceId, state._id).filter(counts);
      return all.filter(({ seq = 0 }) => seq <= upTo).length;
    },
    async moveMark(mark) {
      await before('moveMark');
      movedMarks.add(mark._id);
      marks.set(mark._id, mark);
    },
  };

  /** All checks stand before the first write: a transaction is whole or not at all. */
  function check(): void {
    if (isOver(self)) throw new Conflict();
    for (const workspaceId of taken.keys()) {
      if (store.numbers.get(workspaceId) !== seen.numbers.get(workspaceId)) throw new Conflict();
    }
    for (const [id, previousHead] of written) {
      const stands = store.conversations.get(id);
      if (stands !== seen.conversations.get(id)) throw new Conflict();
      if (previousHead !== undefined && (stands?.head ?? 0) !== previousHead) throw new Conflict();
      const state = conversations.get(id);
      const rival = [...store.conversations.values()].find(
        (one) => one.workspaceId === state?.workspaceId && one.key === state.key && one._id !== state._id,
      );
      if (rival) throw new DuplicateKey();
    }
    for (const id of movedMarks) if (store.marks.get(id) !== seen.marks.get(id)) throw new Conflict();
    for (const id of buried.keys()) if (store.events.get(id) !== seen.events.get(id)) throw new Conflict();
    for (const event of newEvents) if (store.events.has(eventId(event))) throw new DuplicateKey();
    for (const job of newJobs) if (store.jobs.has(jobId(job))) throw new DuplicateKey();
  }

  function commit(): void {
    check();
    for (const [workspaceId, count] of taken) {
      store.numbers.set(workspaceId, (seen.numbers.get(workspaceId) ?? 0) + count);
    }
    for (const id of written.keys()) put(store.conversations, id, conversations.get(id));
    for (const id of movedMarks) put(store.marks, id, marks.get(id));
    for (const [id, erased] of buried) {
      store.events.delete(id);
      store.events.set(eventId(erased), erased);
    }
    for (const event of newEvents) store.events.set(eventId(event), event);
    for (const job of newJobs) store.jobs.set(jobId(job), job);
    for (const { workspaceId, contactId, ...change } of changes) {
      const id = idOf(workspaceId, contactId);
      const contact = store.contacts.get(id);
      if (!contact) continue;
      const fields = { ...contact.fields, ...change.fields };
      store.contacts.set(id, { ...contact, ...change, ...(change.fields && { fields }) });
    }
    store.contactChanges.push(...changes);
    options.committed?.({ events: newEvents, jobs: newJobs, now: jobsAt, buried: [...buried.values()] });
  }

  function end(): void {
    self.hasEnded = true;
    for (const [row, holder] of store.held) if (holder === self) store.held.delete(row);
  }

  return { transaction, commit, end };
}

function put<T>(rows: Map<string, T>, id: string, row: T | undefined): void {
  if (row === undefined) rows.delete(id);
  else rows.set(id, row);
}
