import { limits } from '../../shared/limits.js';
import { ConversationModel } from '../conversations/model.js';
import { WorkspaceModel } from '../workspaces/model.js';
import { EventModel } from './model.js';
import { reprojectInside } from './reproject.js';
import { transactOnce } from './store.js';

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
  which: { workspaceId: string } | 'all',
  progress: (done: Rebuilt) => void = () => {},
): Promise<Rebuilt> {
  const done: Rebuilt = { conversations: 0, removed: 0 };
  const workspaces =
    which === 'all'
      ? await WorkspaceModel.find({}, { _id: 1 }).lean()
      : await WorkspaceModel.find({ _id: which.workspaceId }, { _id: 1 }).lean();
  for (const { _id: workspaceId } of workspaces) {
    const highest = await rebuildWorkspace(workspaceId, done, progress);
    await WorkspaceModel.updateOne({ _id: workspaceId }, { $max: { conversationCount: highest } });
  }
  return done;
}

/** @returns the highest number of a conversation */
async function rebuildWorkspace(
  workspaceId: string,
  done: Rebuilt,
  progress: (done: Rebuilt) => void,
): Promise<number> {
  const scope = { workspaceId };
  let highest = 0;
  // From one conversation to the next in the index of conversations: one look for each, however long it is.
  for (let last = ''; ; ) {
    const next = await EventModel.findOne(
      { workspaceId, conversationId: { $gt: last } },
      { conversationId: 1 },
    )
      .sort({ conversationId: 1, seq: 1 })
      .lean();
    if (!next?.conversationId) break;
    last = next.conversationId;
    const conversationId = last;
    const state = await transactOnce((session) => reprojectInside(session, scope, conversationId));
    if (!state) continue;
    highest = Math.max(highest, state.number);
    done.conversations += 1;
    progress({ ...done });
  }
  await removeUnbegun(workspaceId, done);
  progress({ ...done });
  return highest;
}

async function removeUnbegun(workspaceId: string, done: Rebuilt): Promise<void> {
  for (let last = ''; ; ) {
    const rows = await ConversationModel.find({ workspaceId, _id: { $gt: last } }, { _id: 1 })
      .sort({ _id: 1 })
      .limit(limits.pageEntries)
      .lean();
    for (const { _id } of rows) {
      last = _id;
      if (await EventModel.exists({ workspaceId, conversationId: _id })) continue;
      await transactOnce((session) => reprojectInside(session, { workspaceId }, _id));
      done.removed += 1;
    }
    if (rows.length < limits.pageEntries) return;
  }
}
