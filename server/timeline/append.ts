import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import { wakeJobs } from '../jobs/wake.js';
import type { Scope } from '../workspaces/scope.js';
import { type DraftEvent, prepare } from './draft.js';
import { dueJobs } from './jobs.js';
import { type PlacedEvent, type Settled, settleInside } from './place.js';
import type { TimelineStore } from './ports.js';
import { audienceOf, toTimelineEvent } from './present.js';
import { publishOnce } from './publish.js';
import { mongooseStore, timelineTransaction } from './store.js';
import { systemPorts } from './system.js';
import { watch } from './watch.js';
import { createWriter } from './writer.js';

export type { DraftEvent } from './draft.js';

export interface AppendedEvent {
  /** For an actor of type `contact` with the `previousSeq` that its browser may see. */
  event: TimelineEvent;
  /** False for a retry: `event` is the first one. */
  isFirst: boolean;
}

/** After the commit and after the sender was answered: the hint to this process's listeners, and to its job runner. */
function tellWritten(placed: readonly PlacedEvent[]): void {
  publishOnce(placed);
  const jobs = dueJobs(placed.map(({ event }) => event));
  if (jobs.length > 0) wakeJobs(jobs);
}

/** The store, with somebody looking on how long a batch takes. */
const watchedStore: TimelineStore = {
  async transact(work) {
    const began = watch().clock();
    try {
      return await mongooseStore.transact(work);
    } finally {
      watch().committed(began);
    }
  },
};

const writer = createWriter({ store: watchedStore, ports: systemPorts, onWritten: tellWritten });

/**
 * The one door. Resolves when the event is durable; the same `dedupeKey` again answers with the first event.
 * @throws AppError `event_invalid`, `message_too_long`, `message_empty`, `conversation_not_found`, `contact_not_found`,
 * `conflict`: nothing was written; `rate_limited`, `store_unavailable`, `store_full`: try again later
 */
export async function append(scope: Scope, draft: DraftEvent): Promise<AppendedEvent> {
  const began = watch().clock();
  try {
    const { event, isFirst } = await writer.add(prepare(scope.workspaceId, draft));
    watch().appended(event, isFirst, began);
    return { event: toTimelineEvent(event, audienceOf(event)), isFirst };
  } catch (error) {
    watch().refused(draft, error, began);
    throw error;
  }
}

/** Appends in order and settles each draft by itself: one bad draft fails alone. Hand it at most a few hundred at once. */
export async function appendAll(
  scope: Scope,
  drafts: readonly DraftEvent[],
): Promise<(AppendedEvent | AppError)[]> {
  return Promise.all(
    drafts.map(async (draft) => {
      try {
        return await append(scope, draft);
      } catch (error) {
        if (error instanceof AppError) return error;
        throw error;
      }
    }),
  );
}

/**
 * Appends inside a transaction that writes other rows too (a merge, a proof): all of it or nothing. The caller calls
 * the returned `tell` once its transaction has committed.
 * @throws AppError as `append` does; the transaction must then abort
 */
export async function appendInside(
  session: ClientSession,
  scope: Scope,
  drafts: readonly DraftEvent[],
): Promise<{ events: AppendedEvent[]; tell: () => void }> {
  const prepared = drafts.map((draft) => prepare(scope.workspaceId, draft));
  const settled = await settleInside(timelineTransaction(session), prepared, systemPorts);
  const written = settled.map(orThrow);
  const events = written.map(({ event, isFirst }) => ({
    event: toTimelineEvent(event, audienceOf(event)),
    isFirst,
  }));
  return { events, tell: () => tellWritten(written.flatMap((one) => one.placed)) };
}

function orThrow(settled: Settled): Exclude<Settled, { error: unknown }> {
  if ('error' in settled) throw settled.error;
  return settled;
}

/** Resolves when nothing is waiting or being written: for a graceful stop, and for tests. */
export const appendsSettled = (): Promise<void> => writer.idle();

/** How many events wait at the door. */
export const appendsWaiting = (): number => writer.waiting;
