import { limits } from '../../shared/limits.js';
import type { RemakeStore } from './remake.js';
import { reprojectInside } from './reproject.js';

export interface Rebuilt {
  conversations: number;
  /** Rows that no event begins, gone now. */
  removed: number;
}

/**
 * Makes every projection again from `events`: conversations with all their counts, what everybody has read, the
 * workspace's counter. Each conversation is made in a transaction of its own, so that the server may run meanwhile.
 */
export async function rebuild(
  store: RemakeStore,
  which: { workspaceId: string } | 'all',
  progress: (done: Rebuilt) => void = () => {},
): Promise<Rebuilt> {
  const done: Rebuilt = { conversations: 0, removed: 0 };
  for (const workspaceId of await store.workspaceIds(which)) {
    await store.raiseCount(workspaceId, await rebuildNamed(store, workspaceId, done, progress));
    await removeUnbegun(store, workspaceId, done);
    progress({ ...done });
  }
  return done;
}

/** @returns the highest number of a conversation */
async function rebuildNamed(
  store: RemakeStore,
  workspaceId: string,
  done: Rebuilt,
  progress: (done: Rebuilt) => void,
): Promise<number> {
  let highest = 0;
  // From one conversation to the next in the index of conversations: one look for each, however long it is.
  let id = await store.nextNamed(workspaceId, '');
  for (; id !== null; id = await store.nextNamed(workspaceId, id)) {
    const conversationId = id;
    const state = await store.transact((inside) => reprojectInside(inside, workspaceId, conversationId));
    if (!state) continue;
    highest = Math.max(highest, state.number);
    done.conversations += 1;
    progress({ ...done });
  }
  return highest;
}

async function removeUnbegun(store: RemakeStore, workspaceId: string, done: Rebuilt): Promise<void> {
  for (let last = ''; ; ) {
    const ids = await store.conversationsAfter(workspaceId, last, limits.pageEntries);
    for (const id of ids) {
      last = id;
      if (await store.isNamed(workspaceId, id)) continue;
      await store.transact((inside) => reprojectInside(inside, workspaceId, id));
      done.removed += 1;
    }
    if (ids.length < limits.pageEntries) return;
  }
}
