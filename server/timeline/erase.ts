import { eventKinds } from '../../shared/events/kinds.js';
import type { StoredEvent } from './model.js';
import type { RemakeStore, RemakeTransaction } from './remake.js';
import { reprojectInside } from './reproject.js';
import { filesOf, tombstoneOf } from './tombstone.js';

/** Erasure is the one exception to append-only: what an event said goes, its place stays. */

const batchSize = 200;

/**
 * Turns events into tombstones inside the caller's transaction and frees their dedupe keys, so that an undone import
 * can come again. The caller makes their conversations again (`reprojectInside`) and, once all is durable, removes the
 * files that are returned.
 */
export async function entombInside(
  transaction: Pick<RemakeTransaction, 'bury'>,
  events: readonly StoredEvent[],
  how: NonNullable<StoredEvent['erased']>,
): Promise<string[]> {
  if (events.length === 0) return [];
  await transaction.bury(
    events.map((event) => ({
      _id: event._id,
      workspaceId: event.workspaceId,
      v: eventKinds[event.kind].v,
      body: tombstoneOf(event),
      dedupeKey: `erased:${event._id}`,
      erased: how,
    })),
  );
  return events.flatMap(filesOf);
}

/**
 * Erases what the named events said: body, names, attachments. Their ids, places and times stay, and so do all counts.
 * Doing it again changes nothing; ids of other workspaces are nobody's.
 * @returns how many were erased now
 */
export async function eraseEvents(
  store: RemakeStore,
  workspaceId: string,
  eventIds: readonly string[],
): Promise<number> {
  let erased = 0;
  for (let at = 0; at < eventIds.length; at += batchSize) {
    const ids = eventIds.slice(at, at + batchSize);
    const { files, count } = await store.transact(async (inside) => {
      const events = await inside.findUnerased(workspaceId, ids);
      const held = await entombInside(inside, events, 'erased');
      const touched = new Set(events.flatMap((event) => event.conversationId ?? []));
      for (const conversationId of touched) await reprojectInside(inside, workspaceId, conversationId);
      return { files: held, count: events.length };
    });
    await store.removeFiles(workspaceId, files);
    erased += count;
  }
  return erased;
}
