import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listInboxes } from '../../../server/inboxes/inboxes.js';
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
import {
  type Desk,
  message,
  openDesk,
  openSocket,
  openTab,
  refusedWith,
  say,
  type Tab,
  type TestApp,
} from '../http/app.js';

/**
 * Who may ask what on a socket. `member`: every active member of the workspace, whatever their role. An event that is not
 * here fails the test: its author has to say who may ask it, and for whom it does not exist.
 */
type Who = 'visitor' | 'member' | 'visitor and member';
const table: Record<string, Who> = {
  'message:send': 'visitor and member',
  'events:read': 'visitor and member',
  read: 'visitor and member',
  typing: 'visitor and member',
  page: 'visitor',
  claim: 'visitor',
  'sign-out': 'visitor',
  view: 'member',
  availability: 'member',
};

let server: Running;
let at: TestApp;
let tab: Tab;
let conversationId: string;
let people: Record<'agent' | 'admin' | 'owner', SignedIn>;
let stranger: SignedIn;
let putOut: SignedIn;

beforeAll(async () => {
  server = await startServer();
  const owner = await becomeOwner(server);
  const { workspaceId } = owner;
  people = {
    owner,
    agent: await addMember(server, workspaceId, 'agent', 'agent@example.com'),
    admin: await addMember(server, workspaceId, 'admin', 'admin@example.com'),
  };
  stranger = await addCompany(server, 'Other', 'other@example.com');
  putOut = await addMember(server, workspaceId, 'agent', 'out@example.com');
  const [inbox] = await listInboxes({ workspaceId }, 'chat');
  at = { url: server.url, app: { publicUrl: server.app.publicUrl }, inbox, workspaceId } as TestApp;
  tab = await openTab(at);
  conversationId = (await say(tab, 'hello')).conversationId;
});
afterAll(async () => {
  tab.close();
  await server.stop();
});

/** Bodies that are right, so that only who asks decides. */
const bodies = (): Record<string, object> => ({
  'message:send': message('hello', conversationId),
  'events:read': { conversationId, after: 0 },
  read: { conversationId, seq: 1 },
  typing: { conversationId, typing: true },
  page: { url: 'https://shop.example/', title: 'Shop' },
  claim: { email: 'nina@tidewater.example', name: 'Nina' },
  'sign-out': {},
  view: { conversationId, active: true },
  availability: { availability: 'available' },
});
const askAsAgent = (desk: Desk, name: string): Promise<unknown> => {
  const body = name === 'message:send' ? { ...bodies()[name], mode: 'reply' } : bodies()[name];
  return desk.socket.timeout(20_000).emitWithAck(name, body);
};
const askAsVisitor = (socket: Tab['socket'], name: string): Promise<unknown> =>
  socket.timeout(20_000).emitWithAck(name, bodies()[name]);

describe('who may ask what on a socket (A4)', () => {
  it('stands in a table for every event there is', () => {
    expect(Object.keys(table).sort()).toEqual(
      [...new Set([...Object.keys(visitorRequests), ...Object.keys(agentRequests)])].sort(),
    );
    for (const [name, who] of Object.entries(table)) {
      expect([name, name in visitorRequests, name in agentRequests]).toEqual([
        name,
        who.includes('visitor'),
        who.includes('member'),
      ]);
    }
  });

  it('a visitor what is for visitors; nothing else exists for them', async () => {
    for (const [name, who] of Object.entries(table)) {
      const own = name === 'sign-out' ? (await openTab(at)).socket : tab.socket;
      const answer = await askAsVisitor(own, name);
      expect([name, answer]).toMatchObject(
        who.includes('visitor') ? [name, { ok: true }] : [name, { ok: false, error: { code: 'not_found' } }],
      );
    }
  });

  it.each(['agent', 'admin', 'owner'] as const)(
    'an %s what is for members; nothing else exists for them',
    async (role) => {
      const desk = await openDesk(at, people[role].token);
      for (const [name, who] of Object.entries(table)) {
        expect([name, await askAsAgent(desk, name)]).toMatchObject(
          who.includes('member') ? [name, { ok: true }] : [name, { ok: false, error: { code: 'not_found' } }],
        );
      }
      desk.close();
    },
  );

  it('nobody else anything: no socket opens for them, and one that was open is closed', async () => {
    const desk = await openDesk(at, putOut.token);
    const closed = new Promise((resolve) => desk.socket.once('disconnect', resolve));
    await ask(server, 'PATCH', `/api/workspaces/${at.workspaceId}/agents/${putOut.id}`, {
      token: people.owner.token,
      body: { active: false },
    });
    await closed;
    const auth = (accessToken?: string) => ({
      protocol: 1,
      workspaceId: at.workspaceId,
      ...(accessToken !== undefined && { accessToken }),
    });
    for (const [token, code] of [
      [undefined, 'bad_request'],
      ['', 'unauthorized'],
      [tab.session.token, 'unauthorized'],
      [`${people.owner.token.slice(0, -4)}AAAA`, 'unauthorized'],
      [putOut.token, 'unauthorized'],
      [stranger.token, 'not_found'],
    ] as const) {
      expect([token, await refusedWith(openSocket(at, '/agent', auth(token)))]).toEqual([token, code]);
    }
    for (const namespace of ['/', '/visitor', '/admin']) {
      const refused = await refusedWith(openSocket(at, namespace, auth(people.owner.token)));
      expect(['bad_request', 'not_found', 'Invalid namespace']).toContain(refused);
    }
  });
});
