import { AppError } from '../../../shared/errors.js';
import type { TimelineEvent } from '../../../shared/events/timeline.js';
import { limits } from '../../../shared/limits.js';
import type { SendMessage } from '../../../shared/protocol.js';
import { ConversationModel } from '../../conversations/model.js';
import { attachFiles } from '../../files/files.js';
import { storeNow } from '../../store/clock.js';
import { append } from '../../timeline/append.js';
import { ownConversation, scopeOfVisitor, type Visitor } from './visitor.js';
import { visitorKey } from './visitor-token.js';

/** What the caller remembers of a connection, so that not every message asks again whose its conversation is. */
export interface KnownConversations {
  has(conversationId: string): boolean;
  add(conversationId: string): unknown;
}

/**
 * A visitor's message, through the one door. Resolves when it is durable; the same `clientId` of the same browser
 * again answers with the first event.
 * @throws AppError `blocked`, `not_found`, `too_many_conversations`, `message_empty`, `message_too_long`, `rate_limited`,
 * `store_unavailable`, `store_full`
 */
export async function sendMessage(
  visitor: Visitor,
  message: SendMessage,
  known: KnownConversations,
): Promise<TimelineEvent> {
  if (visitor.blocked) throw new AppError('blocked');
  const scope = scopeOfVisitor(visitor);
  const { inboxId, contactId } = visitor;
  // The browser's own name for it, under the browser: nobody can be answered with another's event.
  const key = `chat:${inboxId}:${visitorKey(visitor.visitorId)}:${message.clientId}`;
  const conversation = await placeOf(visitor, message.conversationId, key, known);
  const attachments = message.attachments.length
    ? await attachFiles(
        scope,
        message.attachments.map(({ fileId }) => fileId),
        {
          contactId,
          visibleToVisitor: true,
          ...('id' in conversation && { conversationId: conversation.id }),
        },
      )
    : [];
  const waitedMs = Math.min(message.waitedMs, limits.outboxWaitMs);
  const { event } = await append(scope, {
    kind: 'message',
    body: {
      text: message.text,
      attachments,
      clientId: message.clientId,
      ...(message.touch && { touch: message.touch }),
    },
    channel: 'chat',
    direction: 'in',
    actor: scope.actor,
    dedupeKey: key,
    occurredAt: new Date(storeNow().getTime() - waitedMs),
    contactId,
    inboxId,
    conversation,
  });
  if (event.conversationId !== undefined) known.add(event.conversationId);
  return event;
}

async function placeOf(
  visitor: Visitor,
  conversationId: string | null,
  key: string,
  known: KnownConversations,
): Promise<{ id: string } | { open: { key: string; inboxId: string; subject: string } }> {
  if (conversationId !== null) {
    if (!known.has(conversationId)) {
      await ownConversation(visitor, conversationId);
      known.add(conversationId);
    }
    return { id: conversationId };
  }
  await leaveRoom(visitor, key);
  return { open: { key, inboxId: visitor.inboxId, subject: '' } };
}

/**
 * One browser cannot open conversations without end; one that it has begun is found again at any count. Nobody knows when
 * there is room again: its writer decides, and what was written elsewhere does not wait behind it.
 */
async function leaveRoom({ workspaceId, contactIds, inboxId }: Visitor, key: string): Promise<void> {
  const open = await ConversationModel.countDocuments({
    workspaceId,
    contactId: { $in: [...contactIds] },
    inboxId,
    status: 'open',
  });
  if (open < limits.conversationsOpenPerContact) return;
  if (await ConversationModel.exists({ workspaceId, key })) return;
  throw new AppError('too_many_conversations', { limit: limits.conversationsOpenPerContact });
}
