import { randomUUID } from 'node:crypto';
import type { ConversationPlace, DraftEvent } from '../../../server/timeline/draft.js';

type MessageDraft = Extract<DraftEvent, { kind: 'message' }>;

/** A customer's chat message; what a test cares about is given. */
export function aMessage(
  over: Partial<Omit<MessageDraft, 'kind' | 'body'>> & { text?: string } = {},
): MessageDraft {
  const { text = 'Hello', ...rest } = over;
  const contactId = rest.contactId ?? 'contact-1';
  return {
    kind: 'message',
    body: { text, attachments: [], clientId: 'client-id-1' },
    channel: 'chat',
    direction: 'in',
    actor: { type: 'contact', id: contactId },
    dedupeKey: `test:${randomUUID()}`,
    occurredAt: new Date('2026-03-01T10:00:00Z'),
    ...rest,
    contactId,
  };
}

/** An agent's answer. */
export const aReply = (over: Partial<Omit<MessageDraft, 'kind' | 'body'>> & { text?: string } = {}) =>
  aMessage({ direction: 'out', actor: { type: 'agent', id: 'agent-1' }, ...over });

export const begunUnder = (key: string, inboxId = 'inbox-1', subject = ''): ConversationPlace => ({
  open: { key, inboxId, subject },
});

export const aNote = (over: Partial<Omit<DraftEvent, 'kind' | 'body'>> = {}): DraftEvent => ({
  kind: 'note',
  body: { text: 'Called back.', attachments: [], clientId: 'client-id-1' },
  channel: 'chat',
  direction: 'internal',
  actor: { type: 'agent', id: 'agent-1' },
  dedupeKey: `test:${randomUUID()}`,
  occurredAt: new Date('2026-03-01T10:05:00Z'),
  contactId: 'contact-1',
  ...over,
});

/** That a contact's messages are refused from now on. */
export const aBlock = (contactId: string): DraftEvent => ({
  kind: 'contact_blocked',
  body: { blocked: true },
  channel: null,
  direction: 'internal',
  actor: { type: 'system' },
  dedupeKey: `block:${contactId}`,
  occurredAt: new Date(),
  contactId,
});
