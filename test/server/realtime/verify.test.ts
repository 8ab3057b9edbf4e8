import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { makeClaim } from '../../../server/contacts/claims.js';
import { mergeContacts, unmerge } from '../../../server/contacts/merge.js';
import { proveIdentity } from '../../../server/contacts/prove.js';
import { addInbox } from '../../../server/inboxes/inboxes.js';
import { append, type DraftEvent } from '../../../server/timeline/append.js';
import type { ConversationPlace } from '../../../server/timeline/draft.js';
import { onPublished } from '../../../server/timeline/publish.js';
import { type Scope, systemScope } from '../../../server/workspaces/scope.js';
import type { SessionAnswer } from '../../../shared/api.js';
import { type EventKind, eventKinds } from '../../../shared/events/kinds.js';
import { openTab, say, signInOwner, type TestApp, testApp } from '../http/app.js';
import { type Watched, watchConsole, watchVisitor } from './clients.js';

/**
 * A state that is kept and the events that were published make the state that is read anew: for every kind of event, in
 * the console and in the widget. Whoever adds a kind adds its line.
 */
let at: TestApp;
let owner: SessionAnswer;
let scope: Scope;
/** A customer with a chat, a letter and a call, and somebody else who can be merged with them. */
let contactId: string;
let otherId: string;
let chat: string;
let mail: string;
let phone: string;
let phoneInbox: string;
let mergeId = '';
let visitor: ReturnType<typeof watchVisitor>;

/** What the browser of the visitor keeps. */
const browser = new Map<string, string>();

const draft = (over: Partial<DraftEvent> & Pick<DraftEvent, 'kind' | 'body'>): DraftEvent =>
  ({
    channel: 'chat',
    direction: 'internal',
    actor: { type: 'agent', id: owner.agent.id },
    dedupeKey: `test:${randomUUID()}`,
    occurredAt: new Date(),
    contactId,
    conversation: { id: chat },
    ...over,
  }) as DraftEvent;

const aLetter = (place: ConversationPlace): DraftEvent =>
  draft({
    kind: 'email',
    body: {
      messageId: `<${randomUUID()}@okafor.example>`,
      inReplyTo: [],
      references: [],
      from: { name: 'Daniel', address: 'daniel@okafor.example' },
      to: [{ name: '', address: 'help@kestrel.example' }],
      cc: [],
      subject: 'Invoice',
      text: 'The invoice shows the wrong address.',
      attachments: [],
    },
    channel: 'email',
    direction: 'in',
    actor: { type: 'contact', id: contactId },
    conversation: place,
  });

const aCall = (place: ConversationPlace): DraftEvent =>
  draft({
    kind: 'call',
    body: {
      callId: randomUUID(),
      from: { shown: '+447700900341', e164: '+447700900341' },
      to: { shown: '200' },
      startedAt: new Date().toISOString(),
      outcome: 'missed',
      ringSeconds: 12,
      talkSeconds: 0,
      numberVerified: false,
    },
    channel: 'phone',
    direction: 'in',
    actor: { type: 'contact', id: contactId },
    inboxId: phoneInbox,
    conversation: place,
  });

const api = async (method: string, path: string, body: object): Promise<void> => {
  const answer = await fetch(`${at.url}/api/workspaces/${at.workspaceId}${path}`, {
    method,
    headers: { authorization: `Bearer ${owner.accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
};

interface Line {
  act: () => Promise<unknown>;
  /** Whether the customer's own browser shows something else after it. */
  visitorSees: boolean;
}

/** In the order in which they happen to the one customer. */
const lines: { [Kind in EventKind]: Line } = {
  conversation_started: {
    act: async () => visitor.client.write(`begins-${randomUUID()}`, null, 'Another question', []),
    visitorSees: true,
  },
  message: {
    act: async () =>
      append(
        scope,
        draft({
          kind: 'message',
          body: { text: 'Good morning', attachments: [], clientId: randomUUID() },
          direction: 'out',
        }),
      ),
    visitorSees: true,
  },
  note: {
    act: async () =>
      append(scope, draft({ kind: 'note', body: { text: 'VIP', attachments: [], clientId: randomUUID() } })),
    visitorSees: false,
  },
  email: { act: () => append(scope, aLetter({ id: mail })), visitorSees: false },
  email_delivery: {
    act: () =>
      append(
        scope,
        draft({
          kind: 'email_delivery',
          body: {
            eventId: randomUUID(),
            messageId: '<m@kestrel.example>',
            state: 'sent',
            answer: 'ok',
            attempts: 1,
          },
          channel: 'email',
          actor: { type: 'system' },
          conversation: { id: mail },
        }),
      ),
    visitorSees: false,
  },
  call: { act: () => append(scope, aCall({ id: phone })), visitorSees: false },
  assigned: {
    act: () => api('PATCH', `/conversations/${chat}`, { assigneeId: owner.agent.id }),
    visitorSees: false,
  },
  handling: {
    act: () => append(scope, draft({ kind: 'handling', body: { seconds: 20 } })),
    visitorSees: false,
  },
  status_changed: {
    act: () => api('PATCH', `/conversations/${chat}`, { status: 'closed' }),
    visitorSees: true,
  },
  identity_proved: {
    act: () =>
      proveIdentity(scope, contactId, { type: 'email', value: 'daniel@okafor.example', proof: 'agent' }),
    visitorSees: false,
  },
  claim_made: {
    act: () => makeClaim(scope, contactId, { type: 'phone', value: '+447700900341', source: 'agent' }),
    visitorSees: false,
  },
  contact_changed: {
    act: () => api('PATCH', `/contacts/${contactId}`, { fields: { city: 'Leeds' } }),
    visitorSees: false,
  },
  // What an agent joins shows nobody another's chats.
  contact_merged: {
    act: async () => {
      ({ mergeId } = await mergeContacts(scope, contactId, otherId, { reason: 'the same person' }));
    },
    visitorSees: false,
  },
  contact_unmerged: { act: () => unmerge(scope, mergeId), visitorSees: false },
  contact_blocked: {
    act: () => api('PATCH', `/contacts/${contactId}`, { blocked: true }),
    visitorSees: false,
  },
};

const patience = { timeout: 30_000, interval: 20 };
const settled = (who: Watched) => vi.waitFor(() => expect(who.isReady()).toBe(true), patience);

beforeAll(async () => {
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => browser.get(key) ?? null,
    setItem: (key: string, value: string) => void browser.set(key, value),
    removeItem: (key: string) => void browser.delete(key),
  });
  vi.stubGlobal('location', { href: 'https://shop.example/' });
  vi.stubGlobal('document', { title: 'Shop' });
  at = await testApp();
  owner = await signInOwner(at);
  scope = systemScope(at.workspaceId);
  visitor = watchVisitor(at);
  await settled(visitor);
  contactId = visitor.client.session?.contactId ?? '';
  visitor.client.write(`first-${randomUUID()}`, null, 'Hello', []);
  await vi.waitFor(() => expect(visitor.client.conversations).toHaveLength(1), patience);
  chat = visitor.client.conversations[0]?.id ?? '';

  const tab = await openTab(at);
  otherId = (await say(tab, 'Me again')).contactId;
  tab.close();
  const mailInbox = await addInbox(scope, { channel: 'email', name: 'Mail' });
  phoneInbox = (await addInbox(scope, { channel: 'phone', name: 'Line' }))._id;
  const open = (key: string, inboxId: string) => ({ open: { key, inboxId, subject: '' } });
  mail = (await append(scope, aLetter(open('mail', mailInbox._id)))).event.conversationId ?? '';
  phone = (await append(scope, aCall(open('phone', phoneInbox)))).event.conversationId ?? '';
});
afterAll(async () => {
  visitor?.close();
  await at?.stop();
  vi.unstubAllGlobals();
});

/** Acts, and holds what a client made of the events to what another reads anew. */
async function verify(kind: EventKind): Promise<void> {
  const { act, visitorSees } = lines[kind];
  const places = { conversations: [chat, mail, phone], contactId };
  const desk = watchConsole(at, owner, places);
  onTestFinished(desk.close);
  await Promise.all([settled(desk), settled(visitor)]);
  const stale = { desk: JSON.stringify(desk.state()), visitor: JSON.stringify(visitor.state()) };
  const reads = { desk: desk.reads, visitor: visitor.reads };
  const published = new Set<EventKind>();
  onTestFinished(onPublished(({ event }) => published.add(event.kind)));
  await act();
  await vi.waitFor(() => expect(published).toContain(kind), patience);

  const compare = async (who: Watched, fresh: () => Watched, changes: boolean, before: string) => {
    const other = fresh();
    onTestFinished(other.close);
    await settled(other);
    await vi.waitFor(() => expect(who.state()).toEqual(other.state()), patience);
    expect(JSON.stringify(who.state()) !== before, 'the line shows nothing').toBe(changes);
  };
  await Promise.all([
    compare(desk, () => watchConsole(at, owner, places), true, stale.desk),
    compare(visitor, () => watchVisitor(at), visitorSees, stale.visitor),
  ]);
  // By the events alone: nothing was lacking that had to be read.
  expect(desk.reads).toBe(reads.desk);
  if (kind !== 'conversation_started') expect(visitor.reads).toBe(reads.visitor);
}

describe('a state that is kept, and the events that were published, make the state that is read anew', () => {
  it('has a line for each kind of event', () => {
    expect(Object.keys(lines).toSorted()).toEqual(Object.keys(eventKinds).toSorted());
  });

  it.each(Object.keys(lines) as EventKind[])('after %s', async (kind) => {
    await verify(kind);
  });
});
