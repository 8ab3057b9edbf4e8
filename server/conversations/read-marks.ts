import { AppError } from '../../shared/errors.js';
import { publishNotice } from '../timeline/publish.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { countedUpTo } from './counted.js';
import { ConversationModel, ReadModel } from './model.js';
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
