import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MembershipModel, SessionModel } from '../../../server/agents/model.js';
import { resetAddress } from '../../../server/agents/password-reset.js';
import { InboxModel } from '../../../server/inboxes/model.js';
import {
  addMember,
  ask,
  becomeOwner,
  password,
  type Running,
  type SignedIn,
  signIn,
  startServer,
  tokenIn,
} from '../agents/running.js';
import {
  clientId,
  type Desk,
  openDesk,
  openSocket,
  openTab,
  refusedWith,
  say,
  type Tab,
  type TestApp,
} from '../http/app.js';

let server: Running;
let owner: SignedIn;
let at: TestApp;
let visitor: Tab;
let conversationId: string;

beforeAll(async () => {
  server = await startServer();
  owner = await becomeOwner(server);
  const { workspaceId } = owner;
  const inbox = await InboxModel.findOne({ workspaceId, channel: 'chat' }).lean();
  if (!inbox) throw new Error('A first start makes a chat inbox.');
  at = { ...server, inbox, workspaceId, secretKey: server.config.secretKey };
  visitor = await openTab(at);
  conversationId = (await say(visitor, 'hello')).conversationId;
});
afterAll(async () => {
  visitor.close();
  await server.stop();
});

const reply = (text: string) => ({
  clientId: clientId(),
  conversationId,
  mode: 'note',
  text,
  attachments: [],
  waitedMs: 0,
});
const change = (agent: SignedIn, body: object) =>
  ask(server, 'PATCH', `/api/workspaces/${owner.workspaceId}/agents/${agent.id}`, {
    token: owner.token,
    body,
  });

/** What may happen to an agent whose console is open. `elsewhere`: another process did it, and only the store tells. */
const ends: Record<string, (agent: SignedIn) => Promise<unknown>> = {
  'is put out of the workspace': (agent) => change(agent, { active: false }),
  'gets another role': (agent) => change(agent, { role: 'admin' }),
  'sets a new password in another browser': async (agent) => {
    const { token } = await signIn(server, agent.email);
    const body = { password: { current: password, next: 'a quite different one' } };
    return ask(server, 'PATCH', '/api/me', { token, body });
  },
  'sets a new password by a link': async (agent) => {
    const token = tokenIn(await resetAddress(server.config, agent.email));
    return ask(server, 'POST', '/api/password-resets/redeem', {
      body: { token, password: 'another one again' },
    });
  },
  'is put out by another process': (agent) =>
    MembershipModel.updateOne(
      { workspaceId: owner.workspaceId, agentId: agent.id },
      { $set: { active: false } },
    ),
  'is signed out by another process': (agent) =>
    SessionModel.updateMany({ agentId: agent.id }, { $set: { endedAt: new Date() } }),
};

describe('G3: the open console of an agent who', () => {
  it.each(Object.entries(ends))(
    '%s is closed within five seconds, hears no more and sends no more',
    async (what, end) => {
      const agent = await addMember(
        server,
        owner.workspaceId,
        'agent',
        `${Object.keys(ends).indexOf(what)}@example.com`,
      );
      const [theirs, stays]: Desk[] = [await openDesk(at, agent.token), await openDesk(at, owner.token)];
      if (!theirs || !stays) throw new Error('Two consoles were opened.');
      expect(await theirs.ask('message:send', reply('before'))).toMatchObject({ ok: true });
      const closed = new Promise((resolve) => theirs.socket.once('disconnect', resolve));
      const began = performance.now();
      await end(agent);
      // What is sent in that very moment is refused or was accepted before; what is sent after it is not heard.
      await closed;
      expect(performance.now() - began).toBeLessThan(5_000);
      const heard = theirs.told.length;
      await say(visitor, `after: ${what}`, conversationId);
      await expect.poll(() => JSON.stringify(stays.told)).toContain(`after: ${what}`);
      expect(theirs.told.length).toBe(heard);
      const auth = { protocol: 1, accessToken: agent.token, workspaceId: owner.workspaceId };
      expect(await refusedWith(openSocket(at, '/agent', auth))).toMatch(/^(unauthorized|not_found)$/);
      const path = `/api/workspaces/${owner.workspaceId}/conversations/${conversationId}/events`;
      const sent = await ask(server, 'POST', path, { token: agent.token, body: reply('after') });
      expect([401, 404]).toContain(sent.status);
      expect(stays.socket.connected).toBe(true);
      stays.close();
    },
  );

  it('was put out a moment ago sends nothing on a socket that is not closed yet', async () => {
    const agent = await addMember(server, owner.workspaceId, 'agent', 'moment@example.com');
    const desk = await openDesk(at, agent.token);
    await MembershipModel.updateOne(
      { workspaceId: owner.workspaceId, agentId: agent.id },
      { $set: { active: false } },
    );
    const answer = await desk.ask('message:send', reply('too late')).catch(() => ({ ok: false }));
    expect(answer).toMatchObject({ ok: false });
    desk.close();
  });
});
