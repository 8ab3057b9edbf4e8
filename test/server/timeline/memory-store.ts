import type { StoredEvent } from '../../../server/timeline/model.js';
import type { PageSource } from '../../../server/timeline/page.js';
import {
  type ContactChange,
  type ContactLink,
  type ConversationState,
  DuplicateKey,
  type JobDraft,
  type TimelineStore,
  type TimelineTransaction,
} from '../../../server/timeline/ports.js';
import { isVisibleToVisitor } from '../../../server/timeline/visibility.js';

/**
 * The door's port in memory, with what a real store does to it: transactions see a snapshot, the second writer of a
 * conversation runs again, a unique key taken meanwhile aborts. Held to the mongoose side by store.contract.test.ts.
 */
export interface MemoryStore extends TimelineStore {
  pages: PageSource;
  /** Another process's way to the same data, with faults of its own. */
  connect(options: MemoryOptions): TimelineStore & { pages: PageSource };
  events: Map<string, StoredEvent>;
  conversations: Map<string, ConversationState>;
  jobs: Map<string, JobDraft>;
  contacts: Map<string, ContactLink>;
  contactChanges: ContactChange[];
  /** The counter of each workspace. */
  numbers: Map<string, number>;
  commits: number;
}

export interface MemoryOptions {
  /** Called before each step (`findEvents`, `insertEvents`, `commit`, ...): may wait, or throw to make it fail. */
  before?: (step: string) => Promise<void> | void;
  /** Called when a commit is durable and nobody knows it yet: throwing here loses its answer. */
  after?: () => Promise<void> | void;
  /** In the commit itself: what it made durable, in order. */
  committed?: (written: Written) => void;
}

export interface Written {
  events: readonly StoredEvent[];
  jobs: readonly JobDraft[];
  now: Date;
}

const idOf = (workspaceId: string, name: string) => `${workspaceId}\n${name}`;

const jobId = ({ workspaceId, name, key }: JobDraft) => idOf(workspaceId, `${name}\n${key}`);

/** A rival was faster: the transaction runs again. `before` may throw it. */
export class Conflict extends Error {}

export function memoryStore(options: MemoryOptions = {}): MemoryStore {
  const store: MemoryStore = {
    events: new Map(),
    conversations: new Map(),
    jobs: new Map(),
    contacts: new Map(),
    contactChanges: [],
    numbers: new Map(),
    commits: 0,
    connect: (others) => connection(() => store, others),
    ...connection(() => store, options),
  };
  return store;
}

function connection(
  storeOf: () => MemoryStore,
  options: MemoryOptions,
): TimelineStore & { pages: PageSource } {
  const before = options.before ?? (() => {});
  return {
    pages: {
      async headOf(workspaceId, conversationId) {
        await before('headOf');
        return storeOf().conversations.get(idOf(workspaceId, conversationId))?.head ?? null;
      },
      async eventsIn(range) {
        await before('eventsIn');
        const found = [...storeOf().events.values()]
          .filter((event) => isIn(range, event))
          .toSorted((a, b) => ((a.seq ?? 0) - (b.seq ?? 0)) * (range.order === 'asc' ? 1 : -1));
        return found.slice(0, range.limit);
      },
    },
    async transact(work) {
      const store = storeOf();
      for (let attempt = 1; attempt <= 100; attempt += 1) {
        try {
          const { transaction, commit } = begin(store, options);
          const result = await work(transaction);
          await before('commit');
          commit();
          store.commits += 1;
          await options.after?.();
          return result;
        } catch (error) {
          if (!(error instanceof Conflict)) throw error;
        }
      }
      throw new Error('100 conflicts in a row.');
    },
  };
}

function isIn(range: Parameters<PageSource['eventsIn']>[0], event: StoredEvent): boolean {
  const { workspaceId, conversationId, audience, after = 0, before = Number.MAX_SAFE_INTEGER, upTo } = range;
  const seq = event.seq ?? 0;
  return (
    event.workspaceId === workspaceId &&
    event.conversationId === conversationId &&
    seq > after &&
    seq < before &&
    seq <= upTo &&
    (audience === 'agent' || isVisibleToVisitor(event.kind))
  );
}

function begin(store: MemoryStore, options: MemoryOptions) {
  const before = options.before ?? (() => {});
  const events = new Map(store.events);
  const conversations = new Map(store.conversations);
  const numbers = new Map(store.numbers);
  const newEvents: StoredEvent[] = [];
  const newJobs: JobDraft[] = [];
  let jobsAt = new Date(0);
  const changed = new Map<string, { state: ConversationState; previousHead: number }>();
  const changes: ContactChange[] = [];
  const taken = new Map<string, number>();

  const transaction: TimelineTransaction = {
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
      return wanted.flatMap(({ workspaceId, id }) => store.contacts.get(idOf(workspaceId, id)) ?? []);
    },
    async takeNumbers(workspaceId, count) {
      await before('takeNumbers');
      const number = numbers.get(workspaceId);
      if (number === undefined) return null;
      taken.set(workspaceId, count);
      return number + 1;
    },
    async writeConversations(list) {
      await before('writeConversations');
      for (const change of list) changed.set(idOf(change.state.workspaceId, change.state._id), change);
    },
    async insertEvents(list) {
      await before('insertEvents');
      newEvents.push(...list);
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
  };

  function commit(): void {
    for (const workspaceId of taken.keys()) {
      if (store.numbers.get(workspaceId) !== numbers.get(workspaceId)) throw new Conflict();
    }
    for (const [id, { state, previousHead }] of changed) {
      if ((store.conversations.get(id)?.head ?? 0) !== previousHead) throw new Conflict();
      const rival = [...store.conversations.values()].find(
        (one) => one.workspaceId === state.workspaceId && one.key === state.key && one._id !== state._id,
      );
      if (rival) throw new DuplicateKey();
    }
    for (const event of newEvents) {
      if (store.events.has(idOf(event.workspaceId, event.dedupeKey))) throw new DuplicateKey();
    }
    for (const job of newJobs) if (store.jobs.has(jobId(job))) throw new DuplicateKey();
    // All checks stand before the first write: a transaction is whole or not at all.
    for (const [workspaceId, count] of taken) {
      store.numbers.set(workspaceId, (numbers.get(workspaceId) ?? 0) + count);
    }
    for (const [id, { state }] of changed) store.conversations.set(id, state);
    for (const event of newEvents) store.events.set(idOf(event.workspaceId, event.dedupeKey), event);
    for (const job of newJobs) store.jobs.set(jobId(job), job);
    store.contactChanges.push(...changes);
    options.committed?.({ events: newEvents, jobs: newJobs, now: jobsAt });
  }

  return { transaction, commit };
}
