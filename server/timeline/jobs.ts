import type { DueJob } from '../jobs/ports.js';
import type { StoredEvent } from './model.js';
import type { JobDraft } from './ports.js';
import { bodyOf } from './projection.js';

/**
 * The jobs that an event calls for: its kind says which. Their rows are written in the event's own transaction, so that
 * an acknowledged reply is sent even when the process ends right after.
 */
export function jobsFor(event: StoredEvent): JobDraft[] {
  if (event.kind === 'email' && event.direction === 'out' && event.importId === undefined) {
    // Only what was written here has a client id; a sent letter that was found somewhere is not sent again.
    const { clientId } = bodyOf(event, 'email');
    if (clientId === undefined) return [];
    return [
      {
        workspaceId: event.workspaceId,
        name: 'email.send',
        key: `email.send:${event._id}`,
        // The client's own name for it goes along: it leads from the click to the letter in every log.
        payload: { eventId: event._id, clientId },
      },
    ];
  }
  return [];
}

/** The same as the queue is told of it, once their rows are written: they are due at once. */
export const dueJobs = (events: readonly StoredEvent[]): DueJob[] =>
  events.flatMap((event) =>
    jobsFor(event).map(({ workspaceId, name, key }) => ({
      workspaceId,
      name,
      key,
      dueAt: event.recordedAt,
      attempts: 0,
    })),
  );
