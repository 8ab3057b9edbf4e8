import type { ConversationDetail } from '../../shared/api.js';
import type { EventBody } from '../../shared/events/kinds.js';
import { groupOf } from '../contacts/group.js';
import { isBlocked } from '../contacts/visitors.js';
import { EventModel } from '../timeline/model.js';
import { bodyOf } from '../timeline/projection.js';
import type { Scope } from '../workspaces/scope.js';
import { contactReadSeq, getConversation } from './conversations.js';
import type { ConversationRowDocument } from './model.js';
import { toRows } from './rows.js';

/** What only the composition root knows: whose sockets are open, and whether mail can leave. */
export interface DetailPorts {
  isOnline: (workspaceId: string, contactIds: readonly string[]) => Promise<boolean>;
  isEmailConfigured: () => boolean;
}

/** A conversation with how a reply to it would travel. @throws AppError `conversation_not_found` */
export async function conversationDetail(
  scope: Pick<Scope, 'workspaceId'>,
  conversationId: string,
  agentId: string,
  ports: DetailPorts,
): Promise<ConversationDetail> {
  const conversation = await getConversation(scope, conversationId);
  const [[row], reply, readSeq] = await Promise.all([
    toRows(scope, [conversation], agentId),
    replyOf(scope, conversation, ports),
    // Nobody can know whether a letter was read, and a call is heard.
    conversation.channel === 'chat' ? contactReadSeq(scope, conversationId) : undefined,
  ]);
  if (!row) throw new Error(`No row was made of conversation ${conversationId}.`);
  return { ...row, ...reply, ...(readSeq !== undefined && { contactReadSeq: readSeq }) };
}

async function replyOf(
  scope: Pick<Scope, 'workspaceId'>,
  conversation: ConversationRowDocument,
  ports: DetailPorts,
): Promise<Pick<ConversationDetail, 'reply' | 'answersTo'>> {
  if (await isBlocked(scope, conversation.contactId)) return { reply: { by: 'none', reason: 'blocked' } };
  if (conversation.channel === 'phone') return { reply: { by: 'none', reason: 'phone' } };
  if (conversation.channel === 'chat') {
    const { memberIds } = await groupOf(scope, conversation.contactId);
    return { reply: { by: 'chat', online: await ports.isOnline(scope.workspaceId, memberIds) } };
  }
  const letter = await answeredLetter(scope, conversation._id);
  const to = letter ? (letter.replyTo ?? letter.from).address : '';
  return {
    reply: {
      by: 'email',
      to,
      cc: letter?.cc.map((one) => one.address) ?? [],
      proved: letter?.proof?.verified ?? false,
      configured: ports.isEmailConfigured(),
    },
    ...(letter?.replyTo && letter.replyTo.address !== letter.from.address && { answersTo: to }),
  };
}

/** The customer's newest letter of a conversation: the one that a reply answers. */
async function answeredLetter(
  scope: Pick<Scope, 'workspaceId'>,
  conversationId: string,
): Promise<EventBody<'email'> | null> {
  const event = await EventModel.findOne({
    workspaceId: scope.workspaceId,
    conversationId,
    kind: 'email',
    direction: 'in',
    erased: { $exists: false },
  })
    .sort({ seq: -1 })
    .lean();
  return event ? bodyOf(event, 'email') : null;
}
