import type { ClientSession } from 'mongoose';
import { limits } from '../../shared/limits.js';
import { countedUpTo } from '../conversations/counted.js';
import { ConversationModel, ReadModel } from '../conversations/model.js';
import type { Scope } from '../workspaces/scope.js';
import { EventModel } from './model.js';
import type { ConversationState } from './ports.js';
import { begin, project } from './projection.js';

/**
 * Makes one conversation, and how far everybody has read it, again from its events, inside the caller's transaction.
 * @returns the new state; null when no event begins it, and then nothing is left of it
 */
export async function reprojectInside(
  session: ClientSession,
  scope: Pick<Scope, 'workspaceId'>,
  conversationId: string,
): Promise<ConversationState | null> {
  const { workspaceId } = scope;
  const state = await fold(session, workspaceId, conversationId);
  const place = { _id: conversationId, workspaceId };
  if (!state) {
    await ConversationModel.deleteOne(place, { session });
    await ReadModel.deleteMany({ workspaceId, conversationId }, { session });
    return null;
  }
  const { _id, workspaceId: _workspace, ...rest } = state;
  const { matchedCount } = await ConversationModel.updateOne(place, { $set: rest }, { session });
  if (matchedCount === 0) await ConversationModel.create([state], { session });
  const marks = await ReadModel.find({ workspaceId, conversationId }, null, { session })
    .lean()
    .limit(limits.pageEntries * 10);
  for (const mark of marks) {
    const seq = Math.min(mark.seq, state.head);
    const counted = await countedUpTo(session, state, mark.readerType, seq);
    if (counted === mark.counted && seq === mark.seq) continue;
    await ReadModel.updateOne({ _id: mark._id, workspaceId }, { $set: { seq, counted } }, { session });
  }
  return state;
}

async function fold(
  session: ClientSession,
  workspaceId: string,
  conversationId: string,
): Promise<ConversationState | null> {
  let state: ConversationState | null = null;
  let after = 0;
  for (;;) {
    const events = await EventModel.find({ workspaceId, conversationId, seq: { $gt: after } }, null, {
      session,
    })
      .sort({ seq: 1 })
      .limit(1_000)
      .lean();
    for (const event of events) {
      if (state) state = project(state, event);
      else if (event.kind === 'conversation_started' && event.erased !== 'undone') state = begin(event);
      after = event.seq ?? after;
    }
    if (events.length < 1_000) return state;
  }
}
