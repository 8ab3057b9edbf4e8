import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFrom } from '../../../server/channels/email/address.js';
import { authenticate } from '../../../server/channels/email/authenticate.js';
import { readMessageIds } from '../../../server/channels/email/parse.js';
import { toE164 } from '../../../server/channels/phone/numbers.js';
import { isNearName, nameWords } from '../../../server/contacts/names.js';
import { canonical } from '../../../server/contacts/values.js';
import { safeFileName } from '../../../server/files/name.js';
import { InboxModel } from '../../../server/inboxes/model.js';
import { appendsSettled } from '../../../server/timeline/append.js';
import { EmailAddress } from '../../../shared/text.js';
import { addMember, ask, becomeOwner, type Running, type SignedIn, startServer } from '../agents/running.js';
import { dumpOf } from '../store.js';
import { message, openTab, say, type TestApp } from './app.js';
import { allRoutes } from './routes.js';

let server: Running;
let owner: SignedIn;
let colleague: SignedIn;
let at: TestApp;
let base: string;
let ids: {
  contact: string;
  other: string;
  conversation: string;
  inbox: string;
  merge: string;
  token: string;
};

beforeAll(async () => {
  server = await startServer();
  owner = await becomeOwner(server);
  const { workspaceId } = owner;
  base = `/api/workspaces/${workspaceId}`;
  colleague = await addMember(server, workspaceId, 'agent', 'colleague@example.com');
  const inbox = await InboxModel.findOne({ workspaceId, channel: 'chat' }).lean();
  if (!inbox) throw new Error('A first start makes a chat inbox.');
  at = { ...server, inbox, workspaceId, secretKey: server.config.secretKey };
  const [one, other] = [await openTab(at), await openTab(at)];
  const { conversationId } = await say(one, 'hello');
  await say(other, 'hello');
  const third = await openTab(at);
  const merged = await ask(server, 'POST', `${base}/contacts/${one.session.contactId}/merges`, {
    token: owner.token,
    body: { withContactId: third.session.contactId },
  });
  ids = {
    contact: one.session.contactId,
    other: other.session.contactId,
    conversation: conversationId,
    inbox: inbox._id,
    merge: String(merged.body.mergeId),
    token: one.session.token,
  };
  for (const tab of [one, other, third]) tab.close();
});
afterAll(() => server.stop());

/** A body that each route takes, so that what is refused is refused for what was added to it. */
type Body = () => { path: string; body: Record<string, unknown>; token?: string };
const send = { clientId: 'client-0001', mode: 'note', text: 'x', attachments: [], waitedMs: 0 };
const bodies: Record<string, Body | 'takes no body'> = {
  'POST /api/setup': () => ({
    path: '/api/setup',
    body: {
      token: 'x'.repeat(43),
      workspace: 'W',
      name: 'N',
      email: 'a@b.example',
      password: 'long enough words',
    },
  }),
  'POST /api/sessions': () => ({ path: '/api/sessions', body: { email: 'a@b.example', password: 'x' } }),
  'POST /api/sessions/refresh': 'takes no body',
  'DELETE /api/sessions/current': 'takes no body',
  'POST /api/password-resets': () => ({ path: '/api/password-resets', body: { email: 'a@b.example' } }),
  'POST /api/password-resets/redeem': () => ({
    path: '/api/password-resets/redeem',
    body: { token: 'x'.repeat(43), password: 'long enough words' },
  }),
  'POST /api/invitations/redeem': () => ({
    path: '/api/invitations/redeem',
    body: { token: 'x'.repeat(43), name: 'N', password: 'long enough words' },
  }),
  'PATCH /api/me': () => ({ path: '/api/me', body: { locale: 'en' }, token: owner.token }),
  'POST /api/workspaces/:workspaceId/invitations': () => ({
    path: `${base}/invitations`,
    body: { email: 'new@b.example', role: 'agent' },
    token: owner.token,
  }),
  'PATCH /api/workspaces/:workspaceId/agents/:agentId': () => ({
    path: `${base}/agents/${colleague.id}`,
    body: { active: true, role: 'agent' },
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/inboxes': () => ({
    path: `${base}/inboxes`,
    body: { channel: 'chat', name: 'Another' },
    token: owner.token,
  }),
  'PATCH /api/workspaces/:workspaceId/inboxes/:id': () => ({
    path: `${base}/inboxes/${ids.inbox}`,
    body: { greeting: 'Hi' },
    token: owner.token,
  }),
  // What is sent with it is not looked at: it only ever makes a secret anew.
  'POST /api/workspaces/:workspaceId/inboxes/:id/identity-secret': 'takes no body',
  'PATCH /api/workspaces/:workspaceId/conversations/:id': () => ({
    path: `${base}/conversations/${ids.conversation}`,
    body: { status: 'closed' },
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/conversations/:id/events': () => ({
    path: `${base}/conversations/${ids.conversation}/events`,
    body: send,
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/conversations/:id/read': () => ({
    path: `${base}/conversations/${ids.conversation}/read`,
    body: { seq: 1 },
    token: owner.token,
  }),
  'PATCH /api/workspaces/:workspaceId/contacts/:id': () => ({
    path: `${base}/contacts/${ids.contact}`,
    body: { blocked: true },
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/contacts/:id/merges': () => ({
    path: `${base}/contacts/${ids.contact}/merges`,
    body: { withContactId: ids.other },
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/merges/:mergeId/undo': () => ({
    path: `${base}/merges/${ids.merge}/undo`,
    body: { movedEventIds: [] },
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/suggestions/dismiss': () => ({
    path: `${base}/suggestions/dismiss`,
    body: { contactId: ids.contact, otherId: ids.other },
    token: owner.token,
  }),
  'POST /api/workspaces/:workspaceId/files': 'takes no body',
  'POST /v1/visitor/session': () => ({
    path: '/v1/visitor/session',
    body: { protocol: 1, inboxId: ids.inbox, token: ids.token },
  }),
  'POST /v1/visitor/requests/:name': () => ({
    path: '/v1/visitor/requests/message:send',
    body: message('x', ids.conversation) as Record<string, unknown>,
    token: ids.token,
  }),
  'POST /v1/visitor/files': 'takes no body',
};

const extras: Record<string, unknown> = {
  role: 'owner',
  workspaceId: 'x',
  _id: 'x',
  id: 'x',
  contactId: 'x',
  emailVerified: true,
  identitySecret: 'mine',
  passwordHash: 'x',
  $set: { role: 'owner' },
  createdAt: '2020-01-01T00:00:00.000Z',
};

describe('A3: what a body brings along', () => {
  it('has a line for every route that takes one', () => {
    const taking = allRoutes().filter((route) => !route.startsWith('GET '));
    expect(taking).toEqual(Object.keys(bodies).sort());
  });

  it.each(
    Object.entries(bodies).flatMap(([route, body]) =>
      body === 'takes no body' ? [] : [[route, body] as const],
    ),
  )('%s: is refused, and nothing is changed', async (route, make) => {
    const [method = ''] = route.split(' ');
    const { path, body, token } = make();
    await appendsSettled();
    const before = await dumpOf(owner.workspaceId);
    for (const [name, value] of Object.entries(extras)) {
      if (name in body) continue;
      const answer = await ask(server, method, path, { token, body: { ...body, [name]: value } });
      expect([name, answer.status, answer.body.error?.code]).toEqual([name, 400, 'bad_request']);
      expect(answer.body.error?.details?.field).toBe(name);
    }
    await appendsSettled();
    expect(await dumpOf(owner.workspaceId)).toBe(before);
  });
});

describe('A2: operators, functions and other people’s fields in a list', () => {
  const lists = ['/conversations?view=all', '/contacts', '/agents', '/inboxes'];
  const hostile = [
    '$where=sleep(1000)',
    '$function=x',
    '$expr=x',
    'fields=identitySecret',
    'select=passwordHash',
    'populate=agents',
    'filter={"$ne":null}',
    'workspaceId=x',
  ];

  it.each(lists)('%s takes none', async (list) => {
    const plain = await ask(server, 'GET', `${base}${list}`, owner);
    expect(plain.status).toBe(200);
    for (const parameter of hostile) {
      const answer = await ask(
        server,
        'GET',
        `${base}${list}${list.includes('?') ? '&' : '?'}${encodeURI(parameter)}`,
        owner,
      );
      // A list without parameters does not look at any: then it says what it says anyway.
      if (answer.status === 200) expect(answer.body).toEqual(plain.body);
      else expect([parameter, answer.status]).toEqual([parameter, 400]);
      expect(JSON.stringify(answer.body)).not.toMatch(/identitySecret|passwordHash|\$argon2/);
    }
  });

  it.each([
    '/conversations?view=all&sort=passwordHash',
    '/conversations?view=$where',
    '/conversations?view=all&view=mine',
    '/conversations?view[$ne]=mine',
    '/conversations?view=all&inboxId[$gt]=',
    '/conversations?view=all&inboxId=$where',
    '/conversations?view=all&limit=1000',
    '/conversations?view=all&limit=-1',
    '/conversations?view=all&cursor=eyIkbmUiOm51bGx9',
    '/contacts?query[$regex]=.*',
    '/contacts?cursor=WzEseyIkbmUiOm51bGx9XQ',
    '/contacts/CONTACT/timeline?kinds=$where',
    '/contacts/CONTACT/timeline?kinds=message&kinds=note',
    '/contacts/CONTACT/timeline?channels[$ne]=chat',
    '/contacts/CONTACT/timeline?sort=-_id',
    '/contacts/CONTACT/picture?from[$gt]=&to=x',
    '/conversations/CONVERSATION/events?after[$gt]=0',
    '/conversations/CONVERSATION/events?after=0&before=1',
  ])('%s is refused', async (address) => {
    const path = address.replace('CONTACT', ids.contact).replace('CONVERSATION', ids.conversation);
    const answer = await ask(server, 'GET', `${base}${path}`, owner);
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'bad_request']);
  });

  it('a pattern in a search is a word like any other', async () => {
    const all = await ask(server, 'GET', `${base}/contacts`, owner);
    expect((all.body.rows as unknown[]).length).toBeGreaterThan(0);
    for (const query of ['.*', '^', '$where', '{"$ne":null}', '[a-z]+', '\\', '%', '*']) {
      const found = await ask(server, 'GET', `${base}/contacts?query=${encodeURIComponent(query)}`, owner);
      expect([query, found.status, found.body.rows]).toEqual([query, 200, []]);
    }
  });
});

describe('A13: fifty thousand characters of a trap', () => {
  const traps = [
    'a',
    ' ',
    '@',
    '.',
    '<',
    '"',
    '(',
    '-',
    '+1',
    'a@a.',
    '=?',
    'aA1 ',
    '\u0301',
    '../',
    ';x="',
  ].map((piece) => piece.repeat(50_000 / piece.length));
  const readers: Record<string, (text: string) => unknown> = {
    'an e-mail address': (text) => v.safeParse(EmailAddress, `a@${text}!`),
    'a claim': (text) => {
      try {
        return canonical('phone', text);
      } catch (error) {
        return error;
      }
    },
    'a phone number': (text) => toE164(text, 'GB'),
    'a From line': (text) => readFrom([`${text} <a@b.example>`]),
    'an Authentication-Results line': (text) =>
      authenticate(
        [{ name: 'authentication-results', value: `mx.example; dmarc=${text}` }],
        { name: '', address: 'a@b.example' },
        { trustedHost: 'mx.example' },
      ),
    'a Received line': (text) =>
      authenticate(
        [{ name: 'received', value: `from ${text} by ${text}` }],
        { name: '', address: 'a@b.example' },
        { trustedHost: 'mx.example' },
      ),
    'a References line': (text) => readMessageIds(text, 100),
    'the words of a name': (text) => nameWords(text),
    'a name beside another': (text) => isNearName(text, `${text}b`),
    'a file name': (text) => safeFileName(text),
  };

  it.each(Object.entries(readers))('as %s holds up nobody', (_what, read) => {
    for (const trap of traps) {
      const began = process.cpuUsage();
      read(trap);
      const { user, system } = process.cpuUsage(began);
      expect((user + system) / 1_000, JSON.stringify(trap.slice(0, 8))).toBeLessThan(100);
    }
  });

  it('in a search is refused by its length', async () => {
    for (const trap of traps.slice(0, 4)) {
      const answer = await ask(
        server,
        'GET',
        `${base}/contacts?query=${encodeURIComponent(trap.slice(0, 5_000))}`,
        owner,
      );
      expect(answer.status).toBe(400);
    }
  });
});
