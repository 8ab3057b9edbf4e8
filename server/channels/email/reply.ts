import { createHash } from 'node:crypto';
import { AppError } from '../../../shared/errors.js';
import type { EmailBody, MailAddress } from '../../../shared/events/email.js';
import type { EventBody } from '../../../shared/events/kinds.js';
import { limits } from '../../../shared/limits.js';
import type { ConversationRowDocument } from '../../conversations/model.js';
import type { AgentReply } from '../../conversations/send.js';
import { getInbox } from '../../inboxes/inboxes.js';
import type { DraftEvent } from '../../timeline/append.js';
import { messageText, subjectLine } from '../../timeline/draft.js';
import { EventModel } from '../../timeline/model.js';
import { bodyOf } from '../../timeline/projection.js';
import type { Scope } from '../../workspaces/scope.js';
import { domainOf, mailAddress } from './address.js';
import { linkOurs } from './thread.js';

/** How many ids of a long thread a reply names: the first and the newest (RFC 5322, 3.6.4 allows to leave out). */
const referencesKept = 20;

export interface ReplySettings {
  /** `help@example.com` or `Kestrel <help@example.com>`: the sender where the inbox has no address of its own. */
  mailFrom: string;
}

/**
 * An agent's reply as the event that it becomes: decided whole before it is written (recipients, Message-ID, subject),
 * so that every attempt to send it sends the very same letter. It leaves by the job that its row brings along.
 * @throws AppError `message_empty`, `message_too_long`, `bad_request` when there is nobody to answer
 */
export async function emailDraft(
  scope: Scope,
  conversation: ConversationRowDocument,
  reply: AgentReply,
  settings: ReplySettings,
): Promise<DraftEvent> {
  const inbox = await getInbox(scope, conversation.inboxId);
  const text = messageText(reply.text, reply.attachments.length);
  const from = senderOf(inbox, settings);
  const answered = await lastLetter(scope, conversation._id);
  const { to, cc } = recipients(answered, from.address);
  // Made of the key under which the reply is written once: a retry finds the same id.
  const id = createHash('sha256')
    .update(`${scope.workspaceId} ${reply.dedupeKey}`)
    .digest('hex')
    .slice(0, 40);
  const messageId = `<${id}@${domainOf(from.address)}>`;
  await linkOurs(scope, inbox._id, conversation, messageId);
  const body: EmailBody = {
    messageId,
    inReplyTo: answered && answered.body.messageId !== '' ? [answered.body.messageId] : [],
    references: referencesAfter(answered?.body),
    from,
    to,
    cc,
    subject: replySubject(answered?.body.subject || conversation.subject),
    text,
    attachments: reply.attachments,
    clientId: reply.clientId,
  };
  return {
    kind: 'email',
    body,
    channel: 'email',
    direction: 'out',
    actor: scope.actor,
    dedupeKey: reply.dedupeKey,
    occurredAt: reply.occurredAt,
    contactId: conversation.contactId,
    inboxId: inbox._id,
    conversation: { id: conversation._id },
  };
}

function senderOf(inbox: { name: string; address: string | null }, settings: ReplySettings): MailAddress {
  if (inbox.address !== null) return { name: inbox.name, address: inbox.address };
  const match = /^(?:(.*) )?<?([^\s<>]+)>?$/.exec(settings.mailFrom);
  return { name: match?.[1] ?? inbox.name, address: match?.[2] ?? settings.mailFrom };
}

interface LastLetter {
  direction: 'in' | 'out' | 'internal';
  body: EventBody<'email'>;
}

/** The customer's newest letter; without one, our own newest. */
async function lastLetter(scope: Scope, conversationId: string): Promise<LastLetter | null> {
  for (const direction of ['in', 'out'] as const) {
    const event = await EventModel.findOne({
      workspaceId: scope.workspaceId,
      conversationId,
      kind: 'email',
      direction,
      erased: { $exists: false },
    })
      .sort({ seq: -1 })
      .lean();
    if (event) return { direction, body: bodyOf(event, 'email') };
  }
  return null;
}

/** Where answers go, as the agent is shown it: Reply-To before From, and whoever read along. */
function recipients(answered: LastLetter | null, own: string): { to: MailAddress[]; cc: MailAddress[] } {
  const body = answered?.body;
  const candidates = body ? (answered.direction === 'in' ? [body.replyTo ?? body.from] : body.to) : [];
  const to = candidates.filter((one) => mailAddress(one.address) !== null && one.address !== own);
  if (to.length === 0)
    throw new AppError('bad_request', { field: 'to', problem: 'There is no address to answer.' });
  const seen = new Set([own, ...to.map((one) => one.address)]);
  const cc = (body?.cc ?? []).filter((one) => {
    if (mailAddress(one.address) === null || seen.has(one.address)) return false;
    seen.add(one.address);
    return true;
  });
  return { to, cc: cc.slice(0, limits.emailRecipients - to.length) };
}

function referencesAfter(answered: EventBody<'email'> | undefined): string[] {
  if (!answered) return [];
  const list = [...answered.references, answered.messageId].filter((id) => /^<[^<>\s]+>$/.test(id));
  const distinct = [...new Set(list)];
  return distinct.length <= referencesKept
    ? distinct
    : [...distinct.slice(0, 1), ...distinct.slice(1 - referencesKept)];
}

const replySubject = (subject: string): string => {
  const line = subjectLine(subject);
  return /^(?:re|aw|sv|antw|odp|отв|ответ)\s*:/i.test(line) ? line : `Re: ${line}`.trim();
};
