import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { EventModel } from '../timeline/model.js';
import { publishNotice } from '../timeline/publish.js';
import { transactOnce } from '../timeline/store.js';
import { visitorKinds } from '../timeline/visibility.js';
import type { Scope } from '../workspaces/scope.js';
import { ConversationModel, type ConversationRowDocument, ReadModel } from './model.js';
import { type Reader, readId } from './rows.js';

/**
 * Marks a conversation as read up to `seq` (bounded by its head). Monotonic: an older mark, or the same again, changes
 * nothing and tells nobody.
 * @throws AppError `conversation_not_found`
 */
export async function markRead(
  scope: Pick<Scope, 'workspaceId'>,
  reader: Reader,
  conversationId: string,
  seq: number,
): Promise<void> {
  const { workspaceId } = scope;
  const advancedTo = await transactOnce(async (session) => {
    const conversation = await ConversationModel.findOne({ _id: conversationId, workspaceId }, null, {
      session,
    }).lean();
    if (!conversation) throw new AppError('conversation_not_found');
    const _id = readId(conversationId, reader);
    const mark = await ReadModel.findOne({ _id, workspaceId }, null, { session }).lean();
    const reached = Math.min(seq, conversation.head);
    if (reached <= (mark?.seq ?? 0)) return null;
    const counted = await countedUpTo(session, conversation, reader.type, reached);
    if (mark)
      await ReadModel.updateOne({ _id, workspaceId }, { $set: { seq: reached, counted } }, { session });
    else {
      const row = { _id, workspaceId, conversationId, readerType: reader.type, readerId: reader.id };
      await ReadModel.create([{ ...row, seq: reached, counted }], { session });
    }
    return reached;
  });
  if (advancedTo === null) return;
  publishNotice({ type: 'read', workspaceId, conversationId, reader, seq: advancedTo });
}

/** How many of the other side's messages stand at or before `seq`. */
export async function countedUpTo(
  session: ClientSession | null,
  conversation: ConversationRowDocument,
  readerType: Reader['type'],
  seq: number,
): Promise<number> {
  const forAgent = readerType === 'agent';
  const total = forAgent ? conversation.incoming : conversation.outgoing;
  const last = forAgent ? conversation.lastIncomingSeq : conversation.lastOutgoingSeq;
  if (seq >= last) return total;
  const later = await EventModel.countDocuments(
    {
      workspaceId: conversation.workspaceId,
      conversationId: conversation._id,
      seq: { $gt: seq, $lte: conversation.head },
      direction: forAgent ? 'in' : 'out',
      kind: forAgent ? { $in: ['message', 'email', 'call'] } : { $in: [...visitorKinds] },
      erased: { $exists: false },
    },
    session ? { session } : {},
  );
  return total - later;
}
