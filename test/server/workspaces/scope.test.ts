import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeLink } from '../../../server/agents/links.js';
import { AgentModel, SessionModel } from '../../../server/agents/model.js';
import { newRun, receiveLetters } from '../../../server/channels/email/receive.js';
import { mergeContacts } from '../../../server/contacts/merge.js';
import { resolveOrCreate } from '../../../server/contacts/resolve.js';
import { InboxModel } from '../../../server/inboxes/model.js';
import { appendsSettled } from '../../../server/timeline/append.js';
import { EventModel } from '../../../server/timeline/model.js';
import { bodyOf } from '../../../server/timeline/projection.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import type { FileRef } from '../../../shared/events/parts.js';
import { agentRequests, visitorRequests } from '../../../shared/protocol.js';
import {
  addCompany,
  addMember,
  ask,
  becomeOwner,
  type Running,
  type SignedIn,
  startServer,
} from '../agents/running.js';
import { raw } from '../email/fixtures.js';
import {
  message,
  openDesk,
  openSocket,
  openTab,
  refusedWith,
  say,
  type Tab,
  type TestApp,
} from '../http/app.js';
import { allRoutes } from '../http/routes.js';
import { dumpOf } from '../store.js';

/**
 * Two companies on one server with the same people, and everything of the one tried by the other: each route and each
 * event of a socket, with every id that it takes. What is refused must be refused like something that never existed,
 * and nothing of the other company may change. A route or an event without a line here fails.
 */

const letter = (workspace: string): Buffer =>
  Buffer.from(
    `From: Nina <nina@tidewater.example>\nTo: help@kestrel.example\nSubject: ${workspace}\nMessage-ID: <n1@tidewater.example>\nContent-Type: text/html; charset=utf-8\n\n<p>canary-${workspace}</p>`,
  );

interface Lived {
  owner: SignedIn;
  colleague: SignedIn;
  at: TestApp;
  tab: Tab;
  base: string;
  chatInboxId: string;
  visitorId: string;
  visitorToken: string;
  contactId: string;
  otherContactId: string;
  thirdContactId: string;
  conversationId: string;
  emailConversationId: string;
  emailId: string;
  rawId: string;
  mergeId: string;
  /** Uploaded by the visitor and sent; uploaded by an agent and not sent yet. */
  sentFile: FileRef;
  looseFile: FileRef;
  /** Uploaded by the visitor and not sent yet. */
  visitorsFile: FileRef;
  eventId: string;
}

let server: Running;
let mine: Lived;
let theirs: Lived;
const tabs: Tab[] = [];

beforeAll(async () => {
  server = await startServer();
  mine = await live(await becomeOwner(server), 'mine');
  theirs = await live(await addCompany(server, 'Theirs', 'owner@theirs.example'), 'theirs');
});
afterAll(async () => {
  for (const tab of tabs) tab.close();
  await server.stop();
});

const upload = async (path: string, token: string, text: string): Promise<FileRef> => {
  const answer = await ask(server, 'POST', path, {
    token,
    body: text,
    headers: { 'content-type': 'application/octet-stream', 'x-file-name': 'a.txt' },
  });
  expect(answer.status).toBe(201);
  return answer.body as unknown as FileRef;
};

/** A company in which everything that has an id has happened once. */
async function live(owner: SignedIn, name: string): Promise<Lived> {
  const { workspaceId } = owner;
  const scope = systemScope(workspaceId);
  const base = `/api/workspaces/${workspaceId}`;
  const inboxOf = async (channel: 'chat' | 'email') => {
    const inbox = await InboxModel.findOne({ workspaceId, channel }).lean();
    if (!inbox) throw new Error(`A new workspace has an inbox for ${channel}.`);
    return inbox;
  };
  const inbox = await inboxOf('chat');
  const at = { ...server, inbox, workspaceId, secretKey: server.config.secretKey };
  const tab = await openTab(at);
  tabs.push(tab);
  const visitorToken = tab.session.token;
  const sentFile = await upload('/v1/visitor/files', visitorToken, `sent of ${name}`);
  const began = await tab.ask('message:send', message(`canary-${name}`, null, { attachments: [sentFile] }));
  if (!began.ok) throw new Error(began.error.code);
  await tab.ask('claim', { email: 'nina@tidewater.example' });
  const [received] = await receiveLetters(scope, [raw(letter(name))], {
    inbox: await inboxOf('email'),
    run: newRun(),
  });
  const email = await EventModel.findOne({ workspaceId, _id: received?.eventId ?? '' }).lean();
  if (!email) throw new Error('The letter was not received.');
  const [third, fourth] = await Promise.all(
    ['a@example.com', 'b@example.com'].map((value) =>
      resolveOrCreate(scope, { inboxId: inbox._id, type: 'email', value, proved: 'dmarc', source: 'email' }),
    ),
  );
  const asOwner = { workspaceId, actor: { type: 'agent', id: owner.id } } as const;
  const { mergeId } = await mergeContacts(asOwner, third?.contactId ?? '', fourth?.contactId ?? '', {});
  await makeLink(server.config, 'invitation', 1_000_000, {
    workspaceId,
    email: 'x@y.example',
    role: 'agent',
  });
  return {
    owner,
    colleague: await addMember(server, workspaceId, 'agent', `colleague@${name}.example`),
    at,
    tab,
    base,
    chatInboxId: inbox._id,
    visitorId: tab.session.contactId,
    visitorToken,
    contactId: tab.session.contactId,
    otherContactId: email.contactId,
    thirdContactId: third?.contactId ?? '',
    conversationId: began.event.conversationId ?? '',
    emailConversationId: email.conversationId ?? '',
    emailId: email._id,
    rawId: bodyOf(email, 'email').raw?.fileId ?? '',
    mergeId,
    sentFile,
    looseFile: await upload(`${base}/files`, owner.token, `loose of ${name}`),
    visitorsFile: await upload('/v1/visitor/files', visitorToken, `kept of ${name}`),
    eventId: began.event.id,
  };
}

/** All that is stored of the other company, its people and their sessions too. */
async function dumpOfTheirs(): Promise<string> {
  await appendsSettled();
  const ids = [theirs.owner.id, theirs.colleague.id];
  return JSON.stringify([
    await dumpOf(theirs.owner.workspaceId),
    await AgentModel.find({ _id: { $in: ids } }).lean(),
    await SessionModel.find({ agentId: { $in: ids } }).lean(),
  ]);
}

const agentSend = (id: string, attachments: FileRef[] = []) => ({
  clientId: `client-${id.slice(-8)}-${attachments.length}`,
  mode: 'note',
  text: 'x',
  attachments,
  waitedMs: 0,
});

interface Try {
  /** Below `/api/workspaces/<mine>` for a console's route; the whole address else. */
  path: string;
  body?: unknown;
  /** What it is answered with; 404 unless said otherwise. */
  status?: number;
}
/** What is tried at a route in my own workspace with their ids, or why there is nothing to try. */
type Line = ((theirs: Lived, mine: Lived) => Try[]) | 'takes no id' | 'needs no sign-in';

const range = 'from=2020-01-01T00:00:00.000Z&to=2030-01-01T00:00:00.000Z';
const inWorkspace: Record<string, Line> = {
  'GET /agents': 'takes no id',
  'POST /invitations': 'takes no id',
  'PATCH /agents/:agentId': ({ colleague, owner }) => [
    { path: `/agents/${colleague.id}`, body: { active: false } },
    { path: `/agents/${colleague.id}`, body: { role: 'admin' } },
    { path: `/agents/${owner.id}`, body: { role: 'agent' } },
  ],
  'GET /inboxes': 'takes no id',
  'POST /inboxes': 'takes no id',
  'GET /inboxes/:id': ({ chatInboxId }) => [{ path: `/inboxes/${chatInboxId}` }],
  'PATCH /inboxes/:id': ({ chatInboxId }) => [
    { path: `/inboxes/${chatInboxId}`, body: { name: 'Taken', allowedOrigins: ['*'] } },
  ],
  'POST /inboxes/:id/identity-secret': ({ chatInboxId }) => [
    { path: `/inboxes/${chatInboxId}/identity-secret`, body: {} },
  ],
  // A filter by a foreign inbox finds nothing, as one by an inbox that never was.
  'GET /conversations': ({ chatInboxId }) => [
    { path: `/conversations?view=all&inboxId=${chatInboxId}`, status: 200 },
  ],
  'GET /conversations/counts': 'takes no id',
  'GET /conversations/:id': ({ conversationId, emailConversationId }) => [
    { path: `/conversations/${conversationId}` },
    { path: `/conversations/${emailConversationId}` },
  ],
  'PATCH /conversations/:id': ({ conversationId, colleague }, own) => [
    { path: `/conversations/${conversationId}`, body: { status: 'closed' } },
    { path: `/conversations/${conversationId}`, body: { assigneeId: null } },
    // My own conversation is given to nobody of theirs.
    { path: `/conversations/${own.conversationId}`, body: { assigneeId: colleague.id }, status: 400 },
  ],
  'GET /conversations/:id/events': ({ conversationId }) => [
    { path: `/conversations/${conversationId}/events?after=0` },
    { path: `/conversations/${conversationId}/events?before=9` },
  ],
  'POST /conversations/:id/events': ({ conversationId, sentFile, looseFile, visitorsFile }, own) => [
    { path: `/conversations/${conversationId}/events`, body: agentSend(conversationId) },
    ...[sentFile, looseFile, visitorsFile].map((file) => ({
      path: `/conversations/${own.conversationId}/events`,
      body: agentSend(file.fileId, [file]),
    })),
  ],
  'POST /conversations/:id/read': ({ conversationId }) => [
    { path: `/conversations/${conversationId}/read`, body: { seq: 2 } },
  ],
  'GET /contacts': 'takes no id',
  'GET /contacts/:id': ({ contactId }) => [{ path: `/contacts/${contactId}` }],
  'PATCH /contacts/:id': ({ contactId }) => [
    { path: `/contacts/${contactId}`, body: { fields: { name: 'Taken' } } },
    { path: `/contacts/${contactId}`, body: { blocked: true } },
  ],
  'GET /contacts/:id/timeline': ({ contactId }) => [{ path: `/contacts/${contactId}/timeline` }],
  'GET /contacts/:id/picture': ({ contactId }) => [{ path: `/contacts/${contactId}/picture?${range}` }],
  'GET /contacts/:id/merge-preview/:otherId': ({ contactId, otherContactId }, own) => [
    { path: `/contacts/${contactId}/merge-preview/${otherContactId}` },
    { path: `/contacts/${own.contactId}/merge-preview/${contactId}` },
    { path: `/contacts/${contactId}/merge-preview/${own.contactId}` },
  ],
  'POST /contacts/:id/merges': ({ contactId, otherContactId }, own) => [
    { path: `/contacts/${contactId}/merges`, body: { withContactId: otherContactId } },
    { path: `/contacts/${own.contactId}/merges`, body: { withContactId: contactId } },
    { path: `/contacts/${contactId}/merges`, body: { withContactId: own.contactId } },
    {
      path: `/contacts/${own.contactId}/merges`,
      body: { withContactId: own.otherContactId, preferences: { name: contactId } },
      status: 400,
    },
  ],
  'GET /merges/:mergeId/unmerge-preview': ({ mergeId }) => [{ path: `/merges/${mergeId}/unmerge-preview` }],
  'POST /merges/:mergeId/undo': ({ mergeId, eventId }, own) => [
    { path: `/merges/${mergeId}/undo`, body: {} },
    { path: `/merges/${own.mergeId}/undo`, body: { movedEventIds: [eventId] }, status: 400 },
  ],
  'POST /suggestions/dismiss': ({ contactId, otherContactId }, own) => [
    { path: '/suggestions/dismiss', body: { contactId, otherId: otherContactId } },
    { path: '/suggestions/dismiss', body: { contactId: own.contactId, otherId: contactId } },
  ],
  'POST /files': 'takes no id',
  'GET /files/:fileId': ({ sentFile, looseFile, visitorsFile, rawId }) =>
    [sentFile.fileId, looseFile.fileId, visitorsFile.fileId, rawId].map((id) => ({ path: `/files/${id}` })),
  'GET /emails/:eventId/html': ({ emailId }) => [{ path: `/emails/${emailId}/html` }],
  'GET /emails/:eventId/source': ({ emailId }) => [{ path: `/emails/${emailId}/source` }],
};

const visitorBodies: Record<
  keyof typeof visitorRequests,
  ((theirs: Lived, mine: Lived) => object[]) | 'takes no id'
> = {
  'message:send': ({ conversationId, emailConversationId, sentFile, looseFile, visitorsFile }) => [
    message('x', conversationId),
    message('x', emailConversationId),
    ...[sentFile, looseFile, visitorsFile].map((file) => message('x', null, { attachments: [file] })),
  ],
  'events:read': ({ conversationId, emailConversationId }) => [
    { conversationId, after: 0 },
    { conversationId, before: 9 },
    { conversationId: emailConversationId, after: 0 },
  ],
  read: ({ conversationId }) => [{ conversationId, seq: 1 }],
  typing: ({ conversationId }) => [{ conversationId, typing: true }],
  page: 'takes no id',
  claim: 'takes no id',
  'sign-out': 'takes no id',
};

const ofVisitors: Record<string, Line> = {
  'POST /v1/visitor/session': ({ chatInboxId, visitorToken }, own) => [
    {
      path: '/v1/visitor/session',
      body: { protocol: 1, inboxId: chatInboxId, token: own.visitorToken },
      status: 401,
    },
    {
      path: '/v1/visitor/session',
      body: { protocol: 1, inboxId: own.chatInboxId, token: visitorToken },
      status: 401,
    },
  ],
  'POST /v1/visitor/requests/:name': (other, own) =>
    Object.entries(visitorBodies).flatMap(([name, bodies]) =>
      typeof bodies === 'string'
        ? []
        : bodies(other, own).map((body) => ({ path: `/v1/visitor/requests/${name}`, body })),
    ),
  'GET /v1/visitor/events': ({ conversationId }) => [
    { path: `/v1/visitor/events?conversationId=${conversationId}&after=0` },
  ],
  'GET /v1/visitor/unread': 'takes no id',
  'POST /v1/visitor/files': 'takes no id',
  'GET /v1/visitor/files/:fileId': ({ sentFile, looseFile, visitorsFile, rawId }) =>
    [sentFile.fileId, looseFile.fileId, visitorsFile.fileId, rawId].map((id) => ({
      path: `/v1/visitor/files/${id}`,
    })),
};

/** What belongs to a person or to nobody, and names nothing of a workspace. */
const ofNoWorkspace: Record<string, 'takes no id' | 'needs no sign-in'> = {
  'GET /healthz': 'needs no sign-in',
  'GET /readyz': 'needs no sign-in',
  'GET /metrics': 'takes no id',
  'GET /demo': 'needs no sign-in',
  'GET /demo/style.css': 'needs no sign-in',
  'GET /demo/icon.svg': 'needs no sign-in',
  'GET /demo/sign-in': 'needs no sign-in',
  'GET /demo/sign-out': 'needs no sign-in',
  'GET /api/setup': 'needs no sign-in',
  'POST /api/setup': 'needs no sign-in',
  'POST /api/sessions': 'needs no sign-in',
  'POST /api/sessions/refresh': 'needs no sign-in',
  'POST /api/password-resets': 'needs no sign-in',
  'POST /api/password-resets/redeem': 'needs no sign-in',
  'POST /api/invitations/redeem': 'needs no sign-in',
  'DELETE /api/sessions/current': 'takes no id',
  'GET /api/me': 'takes no id',
  'PATCH /api/me': 'takes no id',
};

const prefix = '/api/workspaces/:workspaceId';

/** Tries each and finds it refused, without a word of theirs in the answer, and their company as it was. */
async function tryAll(route: string, tries: readonly Try[], base: string, token: string): Promise<void> {
  const [method = ''] = route.split(' ');
  const before = await dumpOfTheirs();
  for (const { path, body, status = 404 } of tries) {
    const answer = await ask(server, method, `${base}${path}`, { token, body });
    expect([path, answer.status]).toEqual([path, status]);
    expect(JSON.stringify(answer.body)).not.toContain('canary-theirs');
    if (status === 200) expect(answer.body).toMatchObject({ rows: [] });
    expect(await dumpOfTheirs(), `${method} ${path}`).toBe(before);
  }
}
describe('another workspace, over HTTP (A4, A6)', () => {
  it('has a line for every route there is, with every id that it takes', () => {
    const written = [
      ...Object.keys(inWorkspace).map((route) => route.replace(' ', ` ${prefix}`)),
      ...Object.keys(ofVisitors),
      ...Object.keys(ofNoWorkspace),
    ];
    expect(allRoutes()).toEqual(written.sort());
    for (const [route, line] of Object.entries(inWorkspace)) {
      if (/:\w+/.test(route)) expect([route, typeof line]).toEqual([route, 'function']);
    }
  });

  const lines = Object.entries(inWorkspace).flatMap(([route, line]) =>
    typeof line === 'function' ? [[route, line] as const] : [],
  );
  it.each(lines)('%s takes no id of it', async (route, line) => {
    await tryAll(route, line(theirs, mine), mine.base, mine.owner.token);
  });

  it.each(lines)('%s is not there in it for who is not its own', async (route, line) => {
    const tries = line(theirs, theirs).map((one) => ({ ...one, status: 404 }));
    await tryAll(route, tries, theirs.base, mine.owner.token);
  });

  const visitors = Object.entries(ofVisitors).flatMap(([route, line]) =>
    typeof line === 'function' ? [[route, line] as const] : [],
  );
  it.each(visitors)('%s takes no id of it', async (route, line) => {
    await tryAll(route, line(theirs, mine), '', mine.visitorToken);
  });

  it('finds what is its own by the very same requests', async () => {
    // Were the lines mistaken in their addresses, all would be refused: with one's own ids nothing is.
    for (const [route, line] of lines) {
      if (!route.startsWith('GET')) continue;
      for (const { path } of line(mine, mine)) {
        const isPreview = path.includes('merge-preview');
        const { status } = await ask(server, 'GET', `${mine.base}${path}`, mine.owner);
        expect([path, status]).toEqual([path, isPreview && status === 409 ? 409 : 200]);
      }
    }
  });
});

describe('another workspace, on a socket (S8, W6)', () => {
  const agentBodies: Record<keyof typeof agentRequests, ((theirs: Lived) => object[]) | 'takes no id'> = {
    'message:send': ({ conversationId, emailConversationId }) => [
      { ...agentSend(conversationId), conversationId },
      { ...agentSend(emailConversationId), conversationId: emailConversationId, mode: 'reply' },
    ],
    'events:read': ({ conversationId }) => [
      { conversationId, after: 0 },
      { conversationId, before: 9 },
    ],
    read: ({ conversationId }) => [{ conversationId, seq: 1 }],
    typing: ({ conversationId }) => [{ conversationId, typing: true }],
    view: ({ conversationId }) => [{ conversationId, active: true }],
    availability: 'takes no id',
  };
  const askOn = (socket: Socket, name: string, body: unknown): Promise<unknown> =>
    socket.timeout(20_000).emitWithAck(name, body);

  it('has a line for every event of both namespaces', () => {
    expect(Object.keys(agentBodies).sort()).toEqual(Object.keys(agentRequests).sort());
    expect(Object.keys(visitorBodies).sort()).toEqual(Object.keys(visitorRequests).sort());
  });

  it('is refused to an agent and to a visitor in every event, and hears nothing of either', async () => {
    const desk = await openDesk(mine.at, mine.owner.token);
    const theirDesk = await openDesk(theirs.at, theirs.owner.token);
    const before = await dumpOfTheirs();
    const heard = theirDesk.told.length + theirs.tab.told.length;
    for (const [bodies, socket] of [
      [agentBodies, desk.socket],
      [visitorBodies, mine.tab.socket],
    ] as const) {
      for (const [name, make] of Object.entries(bodies)) {
        if (typeof make === 'string') continue;
        for (const body of make(theirs, mine)) {
          const answer = await askOn(socket, name, body);
          expect([name, answer]).toMatchObject([name, { ok: false, error: { retry: 'never' } }]);
          expect(JSON.stringify(answer)).toMatch(/"code":"(conversation_)?not_found"/);
        }
      }
    }
    expect(await dumpOfTheirs()).toBe(before);
    // What they do reaches themselves and nobody here.
    await say(theirs.tab, 'canary-theirs again', theirs.conversationId);
    await expect.poll(() => JSON.stringify(theirDesk.told)).toContain('canary-theirs again');
    expect(theirDesk.told.length + theirs.tab.told.length).toBeGreaterThan(heard);
    expect(JSON.stringify([desk.told, mine.tab.told])).not.toContain('canary-theirs');
    expect(JSON.stringify([theirDesk.told, theirs.tab.told])).not.toContain('canary-mine');
    desk.close();
    theirDesk.close();
  });

  it.each([
    [
      'a visitor’s secret on the agents’ namespace',
      () => ({ accessToken: mine.visitorToken }),
      'unauthorized',
    ],
    ['no token', () => ({}), 'bad_request'],
    [
      'a token with another signature',
      () => ({ accessToken: `${mine.owner.token.slice(0, -4)}AAAA` }),
      'unauthorized',
    ],
    ['the other company’s owner', () => ({ accessToken: theirs.owner.token }), 'not_found'],
    ['a refresh token', () => ({ accessToken: mine.owner.cookie.split('=')[1] }), 'unauthorized'],
  ])('does not open for %s', async (_who, auth, code) => {
    const given = { protocol: 1, workspaceId: mine.owner.workspaceId, ...auth() };
    expect(await refusedWith(openSocket(mine.at, '/agent', given))).toBe(code);
  });

  it('does not open a visitor’s namespace for an agent, nor one inbox by the secret of another', async () => {
    const auth = (inboxId: string, token: string) => ({ protocol: 1, inboxId, token });
    for (const [inboxId, token] of [
      [mine.chatInboxId, mine.owner.token],
      [mine.chatInboxId, theirs.visitorToken],
      [theirs.chatInboxId, mine.visitorToken],
    ] as const) {
      expect(await refusedWith(openSocket(mine.at, '/visitor', auth(inboxId, token)))).toBe('unauthorized');
    }
  });
});
