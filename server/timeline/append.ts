import type { ClientSession } from 'mongoose';
import type { AppError } from '../../shared/errors.js';
import { wakeJobs } from '../jobs/wake.js';
import type { Scope } from '../workspaces/scope.js';
import { type AppendedEvent, openDoor } from './door.js';
import type { DraftEvent } from './draft.js';
import { publishOnce } from './publish.js';
import { mongooseStore, timelineTransaction } from './store.js';
import { systemPorts } from './system.js';

export type { AppendedEvent } from './door.js';
export type { DraftEvent } from './draft.js';

/** This process's door, over the real store. */
const door = openDoor({ store: mongooseStore, ports: systemPorts, publish: publishOnce, wakeJobs });

/**
 * The one door. Resolves when the event is durable; the same `dedupeKey` again answers with the first event.
 * @throws AppError `event_invalid`, `message_too_long`, `message_empty`, `conversation_not_found`, `contact_not_found`,
 * `conflict`: nothing was written; `rate_limited`, `store_unavailable`, `store_full`: try again later
 */
export const append = (scope: Scope, draft: DraftEvent): Promise<AppendedEvent> =>
  door.append(scope.workspaceId, draft);

/** Appends in order and settles each draft by itself: one bad draft fails alone. Hand it at most a few hundred at once. */
export const appendAll = (
  scope: Scope,
  drafts: readonly DraftEvent[],
): Promise<(AppendedEvent | AppError)[]> => door.appendAll(scope.workspaceId, drafts);

/**
 * Appends inside a transaction that writes other rows too (a merge, a proof): all of it or nothing. The caller calls
 * the returned `tell` once its transaction has committed.
 * @throws AppError as `append` does; the transaction must then abort
 */
export const appendInside = (
  session: ClientSession,
  scope: Scope,
  drafts: readonly DraftEvent[],
): Promise<{ events: AppendedEvent[]; tell: () => void }> =>
  door.appendInside(timelineTransaction(session), scope.workspaceId, drafts);

/** Resolves when nothing is waiting or being written: for a graceful stop, and for tests. */
export const appendsSettled = (): Promise<void> => door.idle();

/** How many events wait at the door. */
export const appendsWaiting = (): number => door.waiting;
