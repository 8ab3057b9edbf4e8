import type { ClientSession } from 'mongoose';
import { eventKinds } from '../../shared/events/kinds.js';
import { removeFiles } from '../files/files.js';
import type { Scope } from '../workspaces/scope.js';
import { EventModel, type StoredEvent } from './model.js';
import { reprojectInside } from './reproject.js';
import { transact } from './store.js';
import { filesOf, tombstoneOf } from './tombstone.js';

/** Erasure is the one exception to append-only: what an event said goes, its place stays. */

const batchSize = 200;

/**
 * Turns events into tombstones inside the caller's transaction and frees their dedupe keys, so that an undone import
 * can come again. The caller makes their conversations again (`reprojectInside`) and, once all is durable, removes the
 * files that are returned.
 */
export async function entombInside(
  session: ClientSession,
  scope: Pick<Scope, 'workspaceId'>,
  events: readonly StoredEvent[],
  how: NonNullable<StoredEvent['erased']>,
): Promise<string[]> {
  if (events.length === 0) return [];
  await EventModel.bulkWrite(
    events.map((event) => ({
      updateOne: {
        filter: { _id: event._id, workspaceId: scope.workspaceId },
        update: {
          $set: {
            body: tombstoneOf(event),
            v: eventKinds[event.kind].v,
            dedupeKey: `erased:${event._id}`,
            erased: how,
          },
        },
      },
    })),
    { session, ordered: true },
  );
  return events.flatMap(filesOf);
}

/**
 * Erases what the named events said: body, names, attachments. Their ids, places and times stay, and so do all counts.
 * Doing it again changes nothing; ids of other workspaces are nobody's.
 * @returns how many were erased now
 */
export async function eraseEvents(scope: Scope, eventIds: readonly string[]): Promise<number> {
  let erased = 0;
  for (let at = 0; at < eventIds.length; at += batchSize) {
    const ids = eventIds.slice(at, at + batchSize);
    const { files, count } = await transact(async (session) => {
      const events = await EventModel.find(
        { workspaceId: scope.workspaceId, _id: { $in: ids }, erased: { $exists: false } },
        null,
        { session },
      )
        .limit(batchSize)
        .lean();
      const held = await entombInside(session, scope, events, 'erased');
      const touched = new Set(events.flatMap((event) => event.conversationId ?? []));
      for (const conversationId of touched) await reprojectInside(session, scope, conversationId);
      return { files: held, count: events.length };
    });
    await removeFiles(scope, files);
    erased += count;
  }
  return erased;
}
