import { describe, expect, it } from 'vitest';
import { makeClaim } from '../../../server/contacts/claims.js';
import { changeContact } from '../../../server/contacts/contacts.js';
import { createContact } from '../../../server/contacts/create.js';
import { mergeContacts, unmerge } from '../../../server/contacts/merge.js';
import { proveIdentity } from '../../../server/contacts/prove.js';
import {
  changeConversation,
  getConversation,
  noteHandling,
} from '../../../server/conversations/conversations.js';
import type { ConversationRowDocument } from '../../../server/conversations/model.js';
import { append, appendsSettled } from '../../../server/timeline/append.js';
import type { DraftEvent } from '../../../server/timeline/draft.js';
import { forAudience } from '../../../server/timeline/present.js';
import { onPublished, type Published } from '../../../server/timeline/publish.js';
import { readConversation, readTimeline } from '../../../server/timeline/read.js';
import { EventKind } from '../../../shared/events/kinds.js';
import type { TimelineEvent } from '../../../shared/events/timeline.js';
import { aCompany, type Company, withStore } from '../store.js';
import { aMessage, aNote, aReply, begunUnder } from './drafts.js';

withStore();

interface Setting extends Company {
  contactId: string;
  conversation: { id: string };
}

async function aSetting(): Promise<Setting> {
  const company = await aCompany();
  const contactId = await createContact(company.scope);
  const { event } = await append(
    company.scope,
    aMessage({ contactId, conversation: begunUnder('k', company.chat._id) }),
  );
  return { ...company, contactId, conversation: { id: event.conversationId ?? '' } };
}

/** All that clients hold of one customer: an agent's thread, the visitor's, the timeline, the list's row. */
interface ClientState {
  thread: TimelineEvent[];
  visitor: TimelineEvent[];
  timeline: TimelineEvent[];
  row: ConversationRowDocument;
}

async function snapshot({ scope, contactId, conversation }: Setting): Promise<ClientState> {
  const page = { conversationId: conversation.id, after: 0, limit: 200 };
  return {
    thread: (await readConversation(scope, page, 'agent')).events,
    visitor: (await readConversation(scope, page, 'visitor')).events,
    timeline: (await readTimeline(scope, contactId, { limit: 200 })).events,
    row: await getConversation(scope, conversation.id),
  };
}

function applyPublished(state: ClientState, told: readonly Published[], setting: Setting): ClientState {
  const next = structuredClone(state);
  for (const { event, conversation, previous, visibleToVisitor } of told) {
    if (event.kind !== 'handling') next.timeline.push(event);
    if (event.conversationId !== setting.conversation.id) continue;
    next.thread.push({ ...event, previousSeq: previous.agent });
    if (visibleToVisitor) next.visitor.push(forAudience(event, 'visitor', previous.visitor ?? 0));
    if (conversation) next.row = conversation;
  }
  next.timeline.sort((a, b) =>
    a.occurredAt === b.occurredAt ? (a.id < b.id ? 1 : -1) : a.occurredAt < b.occurredAt ? 1 : -1,
  );
  return next;
}

const covered = new Set<string>();

/**
 * Stale state plus what was published equals a fresh read, for whoever looks on. Fails when the action changed
 * nothing, since then it proves nothing.
 */
async function verifyResync(action: (setting: Setting) => Promise<unknown>): Promise<void> {
  const setting = await aSetting();
  const quiet = async () => {
    await appendsSettled();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  };
  await quiet();
  const stale = await snapshot(setting);
  const told: Published[] = [];
  const stop = onPublished((published) => {
    if (published.workspaceId === setting.scope.workspaceId) told.push(published);
  });
  await action(setting);
  await quiet();
  stop();
  const fresh = await snapshot(setting);
  expect(fresh, 'the action changed nothing').not.toEqual(stale);
  expect(applyPublished(stale, told, setting)).toEqual(fresh);
  for (const { event } of told) covered.add(event.kind);
}

const inConversation = ({ contactId, conversation }: Setting, draft: DraftEvent): DraftEvent => ({
  ...draft,
  contactId,
  conversation,
});

const letter = {
  messageId: '<1@example.org>',
  inReplyTo: [],
  references: [],
  from: { name: '', address: 'ann@example.com' },
  to: [],
  cc: [],
  subject: 'Hello',
  text: 'Hello',
  attachments: [],
};

const actions: Record<EventKind, (setting: Setting) => Promise<unknown>> = {
  message: (s) => append(s.scope, aReply(s)),
  note: (s) => append(s.agent, aNote(s)),
  conversation_started: (s) =>
    append(s.scope, aMessage({ contactId: s.contactId, conversation: begunUnder('another', s.chat._id) })),
  status_changed: async (s) => {
    await changeConversation(s.agent, s.conversation.id, { status: 'closed' });
    await append(s.scope, aMessage(s));
    await changeConversation(s.agent, s.conversation.id, { status: 'spam' });
  },
  assigned: (s) => changeConversation(s.agent, s.conversation.id, { assigneeId: s.agentId }),
  handling: (s) => noteHandling(s.agent, s.agentId, s.conversation.id, 12),
  email: (s) =>
    append(s.scope, inConversation(s, { ...aMessage(), kind: 'email', channel: 'email', body: letter })),
  email_delivery: (s) =>
    append(
      s.scope,
      inConversation(s, {
        ...aNote(),
        kind: 'email_delivery',
        body: {
          eventId: 'event-1',
          messageId: '<1@example.org>',
          state: 'failed',
          answer: '550',
          attempts: 3,
        },
      }),
    ),
  call: (s) =>
    append(
      s.scope,
      inConversation(s, {
        ...aMessage(),
        kind: 'call',
        channel: 'phone',
        body: {
          callId: '1',
          from: { shown: '020 7946 0018', e164: '+442079460018' },
          to: { shown: '201' },
          startedAt: '2026-03-01T10:00:00.000Z',
          outcome: 'missed',
          ringSeconds: 20,
          talkSeconds: 0,
          numberVerified: false,
        },
      }),
    ),
  identity_proved: (s) =>
    proveIdentity(s.scope, s.contactId, { type: 'external', value: 'user-1', proof: 'jwt' }),
  claim_made: (s) =>
    makeClaim(s.scope, s.contactId, { type: 'email', value: 'ann@example.com', source: 'form' }),
  contact_changed: (s) => changeContact(s.agent, s.contactId, { fields: { name: 'Ann' } }),
  contact_blocked: (s) => changeContact(s.agent, s.contactId, { blocked: true }),
  contact_merged: async (s) => mergeContacts(s.agent, s.contactId, await createContact(s.scope)),
  contact_unmerged: async (s) => {
    const { mergeId } = await mergeContacts(s.agent, s.contactId, await createContact(s.scope));
    await unmerge(s.agent, mergeId);
  },
};

describe('stale state plus what was published equals a fresh read', () => {
  it.each(EventKind.options)('%s', (kind) => verifyResync(actions[kind]));

  it('and no kind was left out', () => {
    expect([...covered].toSorted()).toEqual([...EventKind.options].toSorted());
  });
});
