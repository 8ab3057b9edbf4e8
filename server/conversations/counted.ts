import type { ClientSession } from 'mongoose';
import { EventModel } from '../timeline/model.js';
import { visitorKinds } from '../timeline/visibility.js';
import type { ConversationRowDocument } from './model.js';
import type { Reader } from './rows.js';

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
      erased: { $ne: 'undone' },
    },
    session ? { session } : {},
  );
  return total - later;
}
