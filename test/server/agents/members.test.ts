import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentModel, LinkModel, MembershipModel } from '../../../server/agents/model.js';
import { onNotice } from '../../../server/timeline/publish.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import { addWorkspace } from '../../../server/workspaces/workspaces.js';
import type { AgentSummary } from '../../../shared/api.js';
import {
  addMember,
  ask,
  becomeOwner,
  expiredLink,
  password,
  type Running,
  type SignedIn,
  signIn,
  startServer,
  tokenIn,
} from './running.js';

let server: Running;
let owner: SignedIn;
beforeAll(async () => {
  server = await startServer();
  owner = await becomeOwner(server);
});
afterAll(() => server.stop());

const newPassword = 'a quite different one';
const inWorkspace = (path: string) => `/api/workspaces/${owner.workspaceId}${path}`;
const patch = (by: SignedIn, agentId: string, body: unknown) =>
  ask(server, 'PATCH', inWorkspace(`/agents/${agentId}`), { token: by.token, body });
const invite = (by: SignedIn, email: string, role = 'agent') =>
  ask(server, 'POST', inWorkspace('/invitations'), { token: by.token, body: { email, role } });
const redeem = (link: string, given = password) =>
  ask(server, 'POST', '/api/invitations/redeem', {
    body: { token: tokenIn(link), name: 'New', password: given },
  });

/** Sessions that were said to have ended while `work` ran. */
async function ended(work: () => Promise<unknown>): Promise<string[]> {
  const agents: string[] = [];
  const stop = onNotice((notice) => {
    if (notice.type === 'session-ended') agents.push(notice.agentId);
  });
  await work();
  stop();
  return agents;
}

describe('what ends a session (G3)', () => {
  it('a new password: every other browser, at once, and reset links', async () => {
    const here = await addMember(server, owner.workspaceId, 'agent', 'pass@example.com');
    const there = await signIn(server, here.email);
    const { makeResetLink } = await import('../../../server/agents/password-reset.js');
    const { addressOf } = await import('../../../server/agents/links.js');
    const link = await makeResetLink(server.config, here.email);
    const change = (current: string) =>
      ask(server, 'PATCH', '/api/me', {
        token: here.token,
        body: { password: { current, next: newPassword } },
      });
    expect((await change('not it')).body.error?.code).toBe('credentials_wrong');
    expect(await ended(async () => expect((await change(password)).status).toBe(200))).toEqual([here.id]);
    expect((await ask(server, 'GET', '/api/me', there)).status).toBe(401);
    expect((await ask(server, 'POST', '/api/sessions/refresh', { cookie: there.cookie })).status).toBe(401);
    expect((await ask(server, 'GET', '/api/me', here)).status).toBe(200);
    const old = await ask(server, 'POST', '/api/sessions', { body: { email: here.email, password } });
    expect(old.status).toBe(401);
    const token = tokenIn(link ? addressOf(server.config, link) : '');
    const reset = await ask(server, 'POST', '/api/password-resets/redeem', { body: { token, password } });
    expect(reset.body.error?.code).toBe('link_used');
  });

  it('another role, and being put out: everywhere, at once, and sends are refused', async () => {
    const agent = await addMember(server, owner.workspaceId, 'agent', 'role@example.com');
    const promoted = await ended(async () =>
      expect((await patch(owner, agent.id, { role: 'admin' })).body).toMatchObject({ role: 'admin' }),
    );
    expect(promoted).toContain(agent.id);
    expect((await ask(server, 'GET', '/api/me', agent)).status).toBe(401);

    const again = await signIn(server, agent.email);
    expect((await ask(server, 'GET', inWorkspace('/agents'), again)).status).toBe(200);
    await patch(owner, agent.id, { active: false });
    expect((await ask(server, 'GET', inWorkspace('/agents'), again)).status).toBe(401);
    const outside = await signIn(server, agent.email, owner.workspaceId);
    expect((await ask(server, 'GET', inWorkspace('/agents'), outside)).status).toBe(404);
    const send = { token: outside.token, body: { clientId: 'abcdefgh' } };
    expect((await ask(server, 'POST', inWorkspace('/conversations/x/events'), send)).status).toBe(404);
  });
});

describe('roles', () => {
  it('are no agent’s to change, one’s own are nobody’s, and owners are made by owners alone', async () => {
    const admin = await addMember(server, owner.workspaceId, 'admin', 'admin@example.com');
    const agent = await addMember(server, owner.workspaceId, 'agent', 'agent@example.com');
    const tries: [SignedIn, string, unknown][] = [
      [agent, agent.id, { role: 'owner' }],
      [agent, admin.id, { active: false }],
      [admin, admin.id, { role: 'owner' }],
      [admin, agent.id, { role: 'owner' }],
      [admin, owner.id, { role: 'agent' }],
      [admin, owner.id, { active: false }],
      [owner, owner.id, { role: 'agent' }],
    ];
    for (const [by, target, change] of tries) expect((await patch(by, target, change)).status).toBe(403);
    expect((await invite(agent, 'x@example.com')).status).toBe(403);
    expect((await patch(admin, agent.id, { role: 'admin' })).status).toBe(200);
    expect((await patch(owner, 'nobody-here', { role: 'admin' })).status).toBe(404);
  });

  it('leave an owner, even when two owners put each other out at once', async () => {
    const second = await addMember(server, owner.workspaceId, 'owner', 'second@example.com');
    const answers = await Promise.all([
      patch(owner, second.id, { active: false }),
      patch(second, owner.id, { active: false }),
    ]);
    const done = answers.filter(({ status }) => status === 200);
    expect(done.length).toBeLessThanOrEqual(1);
    const owners = await MembershipModel.countDocuments({
      workspaceId: owner.workspaceId,
      role: 'owner',
      active: true,
    });
    expect(owners).toBeGreaterThanOrEqual(1);
    // For the tests that follow, whoever won.
    await MembershipModel.updateMany(
      { workspaceId: owner.workspaceId, agentId: { $in: [owner.id, second.id] } },
      { $set: { active: true, role: 'owner' } },
    );
    owner = await signIn(server, owner.email);
  });
});

describe('invitations and reset links (G5)', () => {
  it('are good once, also when two redeem at once', async () => {
    const { body } = await invite(owner, 'once@example.com');
    const link = String(body.link);
    const answers = await Promise.all([redeem(link), redeem(link), redeem(link)]);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const answer of answers) expect([201, 409, 410, 401]).toContain(answer.status);
    expect((await redeem(link)).status).toBe(410);
    expect(await AgentModel.countDocuments({ email: 'once@example.com' })).toBe(1);
  });

  it('stop working when a newer one was sent, when they expire, and when one character is another', async () => {
    const first = String((await invite(owner, 'late@example.com')).body.link);
    const second = String((await invite(owner, 'late@example.com')).body.link);
    expect((await redeem(first)).status).toBe(410);
    const changed = second.slice(0, -1) + (second.endsWith('A') ? 'B' : 'A');
    expect((await redeem(changed)).status).toBe(410);
    const { addressOf } = await import('../../../server/agents/links.js');
    const old = await expiredLink(server, 'invitation', {
      workspaceId: owner.workspaceId,
      email: 'late@example.com',
      role: 'agent',
    });
    expect((await redeem(addressOf(server.config, old))).status).toBe(410);
    const asReset = await ask(server, 'POST', '/api/password-resets/redeem', {
      body: { token: tokenIn(second), password },
    });
    expect(asReset.status).toBe(410);
    expect((await redeem(second)).status).toBe(201);
  });

  it('do not bring back whom somebody put out, nor whom they had invited, nor give a role that was taken', async () => {
    const { giveAccess } = await import('../../../server/agents/members.js');
    const scope = systemScope(owner.workspaceId);
    const admin = await addMember(server, owner.workspaceId, 'admin', 'leaving@example.com');
    const company = await addWorkspace('Elsewhere');
    const known = await addMember(server, company._id, 'agent', 'known@example.com');
    // Invited as an admin, then made an agent on the command line: the invitation is still in the mailbox.
    const asAdmin = String((await invite(owner, known.email, 'admin')).body.link);
    await giveAccess(server.config, scope, { email: known.email, role: 'agent' });
    expect((await redeem(asAdmin)).status).toBe(410);
    const accomplice = String((await invite(admin, 'accomplice@example.com', 'admin')).body.link);
    const others = String((await invite(owner, 'welcome@example.com')).body.link);
    await patch(owner, admin.id, { active: false });
    const back = String((await invite(owner, admin.email)).body.link);
    await patch(owner, admin.id, { role: 'agent' });
    for (const link of [accomplice, back]) expect((await redeem(link)).status).toBe(410);
    expect((await redeem(others)).status).toBe(201);
    expect(
      await MembershipModel.countDocuments({
        workspaceId: owner.workspaceId,
        agentId: admin.id,
        active: true,
      }),
    ).toBe(0);
  });

  it('are stored hashed', async () => {
    const link = String((await invite(owner, 'hash@example.com')).body.link);
    const stored = JSON.stringify(await LinkModel.find().lean());
    expect(stored).not.toContain(tokenIn(link));
    expect(stored).toContain('hash@example.com');
  });

  it('tell nobody who has an account', async () => {
    for (const email of [owner.email, 'stranger@example.com']) {
      const answer = await ask(server, 'POST', '/api/password-resets', { body: { email } });
      expect([answer.status, answer.body]).toEqual([202, {}]);
    }
  });

  it('set a new password once, sign every other browser out, and need no mail', async () => {
    const agent = await addMember(server, owner.workspaceId, 'agent', 'reset@example.com');
    const { resetAddress } = await import('../../../server/agents/password-reset.js');
    const token = tokenIn(await resetAddress(server.config, agent.email));
    const reset = () =>
      ask(server, 'POST', '/api/password-resets/redeem', { body: { token, password: newPassword } });
    const answers = await Promise.all([reset(), reset()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 410]);
    expect((await ask(server, 'GET', '/api/me', agent)).status).toBe(401);
    const old = await ask(server, 'POST', '/api/sessions', { body: { email: agent.email, password } });
    expect(old.status).toBe(401);
  });
});

describe('what is not asked for (A3)', () => {
  const extras = { role: 'owner', workspaceId: 'x', _id: 'x', emailVerified: true, $set: { role: 'owner' } };

  it('is refused in every body, and nothing is changed', async () => {
    const agent = await addMember(server, owner.workspaceId, 'agent', 'mass@example.com');
    const dump = async () =>
      JSON.stringify([
        await AgentModel.find({ _id: agent.id }).lean(),
        await MembershipModel.find({ agentId: agent.id }).lean(),
      ]);
    const before = await dump();
    for (const [key, value] of Object.entries(extras)) {
      const me = { token: agent.token, body: { locale: 'ru', [key]: value } };
      expect((await ask(server, 'PATCH', '/api/me', me)).status).toBe(400);
      expect((await invite(owner, 'new@example.com', 'owner')).status).toBe(400);
      if (key !== 'role') {
        expect((await patch(owner, agent.id, { active: true, [key]: value })).status).toBe(400);
        const body = { email: agent.email, password, [key]: value };
        expect((await ask(server, 'POST', '/api/sessions', { body })).status).toBe(400);
      }
    }
    expect(await dump()).toBe(before);
  });

  it('shows no hash and no secret in the list of colleagues', async () => {
    const { body } = await ask(server, 'GET', inWorkspace('/agents'), owner);
    const [first] = body.agents as AgentSummary[];
    expect(Object.keys(first ?? {}).sort()).toEqual([
      'active',
      'availability',
      'email',
      'id',
      'name',
      'role',
    ]);
  });
});
