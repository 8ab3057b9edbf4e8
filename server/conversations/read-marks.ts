import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { publishNotice } from '../timeline/publish.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { countedUpTo } from './counted.js';
import { ConversationModel, ReadModel, type ReadRow } from './model.js';
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
  const _id = readId(conversationId, reader);
  const made = await transactOnce(async (session) => {
    const conversation = await findConversation(scope, conversationId, session);
    if (!conversation) throw new AppError('conversation_not_found');
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
    return { seq: reached, counted };
  });
  if (made === null) return;
  try {
    await countAgain(scope, reader, conversationId, made);
  } finally {
    publishNotice({ type: 'read', workspaceId, conversationId, reader, seq: made.seq });
  }
}

/**
 * An undone import makes a conversation again and counts all marks in it that it sees. One that was being set meanwhile it
 * does not see, nor was its count seen here, and neither wrote what the other read: so both look once more afterwards.
 */
async function countAgain(
  scope: Pick<Scope, 'workspaceId'>,
  reader: Reader,
  conversationId: string,
  { seq, counted }: Pick<ReadRow, 'seq' | 'counted'>,
): Promise<void> {
  /** Null: the conversation is gone with the import. */
  const count = async (session: ClientSession | null): Promise<number | null> => {
    const conversation = await findConversation(scope, conversationId, session);
    return conversation && countedUpTo(session, conversation, reader.type, seq);
  };
  if ((await count(null)) === counted) return;
  const key = { _id: readId(conversationId, reader), workspaceId: scope.workspaceId, seq };
  // In one transaction with what it counts: whoever makes the conversation again at this moment writes this mark, too.
  await transactOnce(async (session) => {
    const now = await count(session);
    if (now === null) await ReadModel.deleteOne(key, { session });
    else await ReadModel.updateOne(key, { $set: { counted: now } }, { session });
  });
}

const findConversation = (
  { workspaceId }: Pick<Scope, 'workspaceId'>,
  conversationId: string,
  session: ClientSession | null,
) => ConversationModel.findOne({ _id: conversationId, workspaceId }, null, { session }).lean();
