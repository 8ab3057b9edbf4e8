import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import type { AgentSend } from '../../shared/protocol.js';
import { attachFiles } from '../files/files.js';
import { storeNow } from '../store/clock.js';
import { type AppendedEvent, append, type DraftEvent } from '../timeline/append.js';
import type { Scope } from '../workspaces/scope.js';
import { getConversation } from './conversations.js';
import type { ConversationRowDocument } from './model.js';

/** What an agent wrote, ready to become an event: text as it came, files as they really are. */
export interface AgentReply {
  text: string;
  attachments: Awaited<ReturnType<typeof attachFiles>>;
  clientId: string;
  dedupeKey: string;
  occurredAt: Date;
}

/** How a reply leaves in a channel that a domain knows nothing of. Given by the composition root. */
export interface ReplyPorts {
  /** @throws AppError `email_not_configured` and what else stands in the way of a letter */
  emailDraft: (scope: Scope, conversation: ConversationRowDocument, reply: AgentReply) => Promise<DraftEvent>;
}

/**
 * An agent's reply or note, through the one door. The same `clientId` of the same agent again answers with the first
 * event. A reply by e-mail is durable first and leaves by a job.
 * @throws AppError `conversation_not_found`, `message_empty`, `message_too_long`, `not_found` for a file,
 * `bad_request` for a reply where there is no way to reply
 */
export async function sendAsAgent(
  scope: Scope,
  agentId: string,
  send: AgentSend,
  ports: ReplyPorts,
): Promise<AppendedEvent> {
  const conversation = await getConversation(scope, send.conversationId);
  const isNote = send.mode === 'note';
  if (!isNote && conversation.channel === 'phone') throw new AppError('bad_request', { field: 'mode' });
  const attachments = await attachFiles(
    scope,
    send.attachments.map((file) => file.fileId),
    {
      contactId: conversation.contactId,
      conversationId: conversation._id,
      visibleToVisitor: !isNote && conversation.channel === 'chat',
    },
  );
  const waitedMs = Math.min(send.waitedMs, limits.outboxWaitMs);
  const reply: AgentReply = {
    text: send.text,
    attachments,
    clientId: send.clientId,
    dedupeKey: `agent:${agentId}:${send.clientId}`,
    occurredAt: new Date(storeNow().getTime() - waitedMs),
  };
  if (!isNote && conversation.channel === 'email') {
    return append(scope, await ports.emailDraft(scope, conversation, reply));
  }
  const { text, clientId, dedupeKey, occurredAt } = reply;
  return append(scope, {
    kind: isNote ? 'note' : 'message',
    body: { text, attachments, clientId },
    channel: conversation.channel,
    direction: isNote ? 'internal' : 'out',
    actor: { type: 'agent', id: agentId },
    dedupeKey,
    occurredAt,
    contactId: conversation.contactId,
    conversation: { id: conversation._id },
  });
}
