import type { ReadRow } from '../../../server/conversations/model.js';
import type { StoredEvent } from '../../../server/timeline/model.js';
import type { PageSource } from '../../../server/timeline/page.js';
import {
  type ContactChange,
  type ContactLink,
  Contended,
  type ConversationState,
  DuplicateKey,
  type JobDraft,
  type TimelineStore,
} from '../../../server/timeline/ports.js';
import type { RemakeStore } from '../../../server/timeline/remake.js';
import type { TimelineSource } from '../../../server/timeline/timeline.js';
import { AppError } from '../../../shared/errors.js';
import { memoryPages, memoryTimelines } from './memory-sources.js';
import { begin, Conflict, type Holder, type MemoryTransaction } from './memory-transaction.js';

/**
 * The timeline's ports in memory, with what a real store does to them: transactions see a snapshot, whoever writes a
 * row first holds it, the second runs again, a unique key taken meanwhile aborts. A transaction that nobody ends (its
 * process died) holds its rows until its life is over. Held to the mongoose sides by the contract tests.
 */
export interface MemoryStore extends MemoryConnection {
  /** Another process's way to the same data, with faults of its own. */
  connect(options: MemoryOptions): MemoryConnection;
  events: Map<string, StoredEvent>;
  conversations: Map<string, ConversationState>;
  jobs: Map<string, JobDraft>;
  contacts: Map<string, MemoryContact>;
  contactChanges: ContactChange[];
  marks: Map<string, ReadRow>;
  /** Events that stand on another timeline than they say, by their ids. */
  moved: Map<string, { from: string; to: string }>;
  /** The counter of each workspace. */
  numbers: Map<string, number>;
  removedFiles: string[];
  /** Which transaction holds which row. */
  held: Map<string, Holder>;
  commits: number;
}

export type MemoryContact = ContactLink & Pick<ContactChange, 'fields' | 'blocked'>;

export interface MemoryConnection extends TimelineStore {
  transact<T>(work: (transaction: MemoryTransaction) => Promise<T>, rivals?: number): Promise<T>;
  pages: PageSource;
  timelines: TimelineSource;
  remake: RemakeStore;
}

export interface MemoryOptions {
  /** Called before each step (`findEvents`, `insertEvents`, `commit`, ...): may wait, or throw to make it fail. */
  before?: (step: string) => Promise<void> | void;
  /** Called when a commit is durable and nobody knows it yet: throwing here loses its answer. */
  after?: () => Promise<void> | void;
  /** In the commit itself: what it made durable, in order. */
  committed?: (written: Written) => void;
  /** The store's clock, in milliseconds. Without it a transaction lives for ever. */
  now?: () => number;
}

export interface Written {
  events: readonly StoredEvent[];
  jobs: readonly JobDraft[];
  now: Date;
  /** Events as they stand once they were erased. */
  buried: readonly StoredEvent[];
}

export function memoryStore(options: MemoryOptions = {}): MemoryStore {
  const store: MemoryStore = {
    events: new Map(),
    conversations: new Map(),
    jobs: new Map(),
    contacts: new Map(),
    contactChanges: [],
    marks: new Map(),
    moved: new Map(),
    numbers: new Map(),
    removedFiles: [],
    held: new Map(),
    commits: 0,
    connect: (others) => connection(() => store, others),
    ...connection(() => store, options),
  };
  return store;
}

function connection(storeOf: () => MemoryStore, options: MemoryOptions): MemoryConnection {
  const before = options.before ?? (() => {});

  async function transact<T>(
    work: (transaction: MemoryTransaction) => Promise<T>,
    rivalsAtMost = 8,
  ): Promise<T> {
    const store = storeOf();
    for (let rivals = 0; rivals < rivalsAtMost; rivals += 1) {
      const { transaction, commit, end } = begin(store, options);
      try {
        const result = await work(transaction);
        await before('commit');
        commit();
        store.commits += 1;
        await options.after?.();
        return result;
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
      } finally {
        end();
      }
    }
    throw new Contended();
  }

  /** As `transact`, and again when a rival took a key: what it wrote is then found. */
  async function transactOnce<T>(
    work: (transaction: MemoryTransaction) => Promise<T>,
    tries = 5,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await transact(work);
      } catch (error) {
        if (error instanceof Contended) throw new AppError('store_unavailable');
        if (!(error instanceof DuplicateKey) || attempt >= tries) throw error;
      }
    }
  }

  /** Ids in order, of which the next beyond one is wanted. */
  const next = (ids: Iterable<string>, after: string): string[] =>
    [...new Set(ids)].filter((id) => id > after).toSorted((a, b) => (a < b ? -1 : 1));
  const named = (workspaceId: string): string[] =>
    [...storeOf().events.values()].flatMap((event) =>
      event.workspaceId === workspaceId ? (event.conversationId ?? []) : [],
    );

  return {
    transact,
    pages: memoryPages(storeOf, before),
    timelines: memoryTimelines(storeOf, before),
    remake: {
      transact: transactOnce,
      async workspaceIds(which) {
        await before('workspaceIds');
        const ids = [...storeOf().numbers.keys()];
        return which === 'all' ? ids : ids.filter((id) => id === which.workspaceId);
      },
      async nextNamed(workspaceId, after) {
        await before('nextNamed');
        return next(named(workspaceId), after)[0] ?? null;
      },
      async conversationsAfter(workspaceId, after, limit) {
        await before('conversationsAfter');
        const rows = [...storeOf().conversations.values()].filter((one) => one.workspaceId === workspaceId);
        return next(
          rows.map(({ _id }) => _id),
          after,
        ).slice(0, limit);
      },
      async isNamed(workspaceId, conversationId) {
        await before('isNamed');
        return named(workspaceId).includes(conversationId);
      },
      async raiseCount(workspaceId, number) {
        await before('raiseCount');
        const { numbers } = storeOf();
        const count = numbers.get(workspaceId);
        if (count !== undefined) numbers.set(workspaceId, Math.max(count, number));
      },
      async removeFiles(_workspaceId, fileIds) {
        await before('removeFiles');
        storeOf().removedFiles.push(...fileIds);
      },
    },
  };
}
