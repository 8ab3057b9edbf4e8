import type { ClientSession } from 'mongoose';
import { limits } from '../../shared/limits.js';
import { countedUpTo } from '../conversations/counted.js';
import { ConversationModel, ReadModel } from '../conversations/model.js';
import { removeFiles } from '../files/files.js';
import { WorkspaceModel } from '../workspaces/model.js';
import { systemScope } from '../workspaces/scope.js';
import { EventModel } from './model.js';
import type { RemakeStore, RemakeTransaction } from './remake.js';
import { transactOnce } from './store.js';

/** The mongoose side of the port through which projections are made again and events erased. */
export const mongooseRemake: RemakeStore = {
  transact: (work) => transactOnce((session) => work(remakeTransaction(session))),

  async workspaceIds(which) {
    const filter = which === 'all' ? {} : { _id: which.workspaceId };
    return (await WorkspaceModel.find(filter, { _id: 1 }).lean()).map(({ _id }) => _id);
  },

  async nextNamed(workspaceId, after) {
    const next = await EventModel.findOne(
      { workspaceId, conversationId: { $gt: after } },
      { conversationId: 1 },
    )
      .sort({ conversationId: 1, seq: 1 })
      .lean();
    return next?.conversationId ?? null;
  },

  async conversationsAfter(workspaceId, after, limit) {
    const rows = await ConversationModel.find({ workspaceId, _id: { $gt: after } }, { _id: 1 })
      .sort({ _id: 1 })
      .limit(limit)
      .lean();
    return rows.map(({ _id }) => _id);
  },

  async isNamed(workspaceId, conversationId) {
    return (await EventModel.exists({ workspaceId, conversationId })) !== null;
  },

  async raiseCount(workspaceId, number) {
    await WorkspaceModel.updateOne({ _id: workspaceId }, { $max: { conversationCount: number } });
  },

  removeFiles: (workspaceId, fileIds) => removeFiles(systemScope(workspaceId), fileIds),
};

/** The port over a transaction that somebody else began: an undone import erases and makes again at once. */
export function remakeTransaction(session: ClientSession): RemakeTransaction {
  return {
    async eventsAfter(workspaceId, conversationId, after, limit) {
      return EventModel.find({ workspaceId, conversationId, seq: { $gt: after } }, null, { session })
        .sort({ seq: 1 })
        .limit(limit)
        .lean();
    },

    async findUnerased(workspaceId, ids) {
      const filter = { workspaceId, _id: { $in: [...ids] }, erased: { $exists: false } };
      return EventModel.find(filter, null, { session }).limit(ids.length).lean();
    },

    async bury(tombstones) {
      await EventModel.bulkWrite(
        tombstones.map(({ _id, workspaceId, ...left }) => ({
          updateOne: { filter: { _id, workspaceId }, update: { $set: left } },
        })),
        { session, ordered: true },
      );
    },

    async putConversation({ _id, workspaceId, ...rest }) {
      const { matchedCount } = await ConversationModel.updateOne(
        { _id, workspaceId },
        { $set: rest },
        { session },
      );
      if (matchedCount === 0) await ConversationModel.create([{ _id, workspaceId, ...rest }], { session });
    },

    async dropConversation(workspaceId, conversationId) {
      await ConversationModel.deleteOne({ _id: conversationId, workspaceId }, { session });
      await ReadModel.deleteMany({ workspaceId, conversationId }, { session });
    },

    async findMarks(workspaceId, conversationId) {
      return ReadModel.find({ workspaceId, conversationId }, null, { session })
        .lean()
        .limit(limits.pageEntries * 10);
    },

    countedUpTo: (state, reader, seq) => countedUpTo(session, state, reader, seq),

    async moveMark({ _id, workspaceId, seq, counted }) {
      await ReadModel.updateOne({ _id, workspaceId }, { $set: { seq, counted } }, { session });
    },
  };
}
