import { AppError } from '../../shared/errors.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { DueJob } from '../jobs/ports.js';
import { type DraftEvent, prepare } from './draft.js';
import { dueJobs } from './jobs.js';
import { type PlacedEvent, type Settled, settleInside } from './place.js';
import type { Ports, TimelineStore, TimelineTransaction } from './ports.js';
import { audienceOf, toTimelineEvent } from './present.js';
import { watch } from './watch.js';
import { createWriter } from './writer.js';

export interface AppendedEvent {
  /** For an actor of type `contact` with the `previousSeq` that its browser may see. */
  event: TimelineEvent;
  /** False for a retry: `event` is the first one. */
  isFirst: boolean;
}

/** The one way for events onto timelines. */
export interface Door {
  /**
   * Resolves when the event is durable; the same `dedupeKey` again answers with the first event.
   * @throws AppError `event_invalid`, `message_too_long`, `message_empty`, `conversation_not_found`, `contact_not_found`,
   * `conflict`: nothing was written; `rate_limited`, `store_unavailable`, `store_full`: try again later
   */
  append(workspaceId: string, draft: DraftEvent): Promise<AppendedEvent>;
  /**
   * Appends in order and settles each draft by itself: one bad draft fails alone. What the store did not take takes with it
   * what comes after it in its conversation, so that giving those again keeps their order.
   */
  appendAll(workspaceId: string, drafts: readonly DraftEvent[]): Promise<(AppendedEvent | AppError)[]>;
  /**
   * Appends inside a transaction that somebody else began: all of it or nothing. The caller calls the returned `tell`
   * once its transaction has committed.
   * @throws AppError as `append` does; the transaction must then abort
   */
  appendInside(
    transaction: TimelineTransaction,
    workspaceId: string,
    drafts: readonly DraftEvent[],
  ): Promise<{ events: AppendedEvent[]; tell: () => void }>;
  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void>;
  /** How many events wait. */
  readonly waiting: number;
}

export interface DoorOptions {
  store: TimelineStore;
  ports: Ports;
  /** Told after the commit and after the sender was answered: the hint to this process's listeners. */
  publish: (placed: readonly PlacedEvent[]) => void;
  /** The same to its job runner, of the jobs that came with them. */
  wakeJobs: (written: readonly DueJob[]) => void;
  batch?: number;
  queue?: number;
}

export function openDoor({ store, ports, publish, wakeJobs, ...bounds }: DoorOptions): Door {
  function tellWritten(placed: readonly PlacedEvent[]): void {
    publish(placed);
    const jobs = dueJobs(placed.map(({ event }) => event));
    if (jobs.length > 0) wakeJobs(jobs);
  }

  /** The store, with somebody looking on how long a batch takes. */
  const watchedStore: TimelineStore = {
    async transact(work, rivals) {
      const began = watch().clock();
      try {
        return await store.transact(work, rivals);
      } finally {
        watch().committed(began);
      }
    },
  };
  const writer = createWriter({ store: watchedStore, ports, onWritten: tellWritten, ...bounds });

  async function append(workspaceId: string, draft: DraftEvent): Promise<AppendedEvent> {
    const began = watch().clock();
    try {
      const { event, isFirst } = await writer.add(prepare(workspaceId, draft));
      watch().appended(event, isFirst, began);
      return { event: toTimelineEvent(event, audienceOf(event)), isFirst };
    } catch (error) {
      watch().refused(draft, error, began);
      throw error;
    }
  }

  return {
    append,
    appendAll: (workspaceId, drafts) =>
      Promise.all(
        drafts.map(async (draft) => {
          try {
            return await append(workspaceId, draft);
          } catch (error) {
            if (error instanceof AppError) return error;
            throw error;
          }
        }),
      ),
    async appendInside(transaction, workspaceId, drafts) {
      const prepared = drafts.map((draft) => prepare(workspaceId, draft));
      const written = (await settleInside(transaction, prepared, ports)).map(orThrow);
      const events = written.map(({ event, isFirst }) => ({
        event: toTimelineEvent(event, audienceOf(event)),
        isFirst,
      }));
      return { events, tell: () => tellWritten(written.flatMap((one) => one.placed)) };
    },
    idle: () => writer.idle(),
    get waiting() {
      return writer.waiting;
    },
  };
}

function orThrow(settled: Settled): Exclude<Settled, { error: unknown }> {
  if ('error' in settled) throw settled.error;
  return settled;
}
