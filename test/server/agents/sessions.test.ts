import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionModel } from '../../../server/agents/model.js';
import {
  addMember,
  ask,
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
});
afterAll(() => server.stop());

describe('set-up', () => {
  it('makes one owner, however many links there are and however many try at once', async () => {
    expect((await ask(server, 'GET', '/api/setup')).body).toEqual({ needed: true });
    const links = [await server.app.setupLink(), await server.app.setupLink(), await server.app.setupLink()];
    const attempts = links.flatMap((link, index) =>
      [0, 1, 2, 3].map((again) =>
        ask(server, 'POST', '/api/setup', {
          body: {
            token: tokenIn(link ?? ''),
            workspace: 'Kestrel',
            name: 'Olive',
            email: `owner-${index}-${again}@example.com`,
            password,
          },
        }),
      ),
    );
    const answers = await Promise.all(attempts);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(11).fill(410)]);
    const winner = answers.find(({ status }) => status === 201);
    const agent = winner?.body.agent as { email: string; workspaces: unknown[] };
    expect(agent.workspaces).toEqual([{ id: expect.any(String), name: 'Kestrel', role: 'owner' }]);
    owner = await signIn(server, agent.email);
    expect((await ask(server, 'GET', '/api/setup')).body).toEqual({ needed: false });
    expect(await server.app.setupLink()).toBeNull();
  });
});

describe('signing in', () => {
  it('says the same of a wrong password and of an address that nobody has', async () => {
    const wrong = { password: 'not the password' };
    const known = await ask(server, 'POST', '/api/sessions', { body: { ...wrong, email: owner.email } });
    const unknown = await ask(server, 'POST', '/api/sessions', {
      body: { ...wrong, email: 'no@example.com' },
    });
    expect(known.status).toBe(401);
    expect({ ...known.body.error, requestId: '' }).toEqual({ ...unknown.body.error, requestId: '' });
    expect(known.body.error?.code).toBe('credentials_wrong');
    expect(known.cookie).toBeNull();
  });

  it('takes no object for a text, in a body or in a query (A1)', async () => {
    const hostile = [{ $gt: '' }, { $ne: null }, ['a'], 1, null];
    for (const value of hostile) {
      for (const [path, body] of [
        ['/api/sessions', { email: value, password: value }],
        ['/api/sessions', { email: owner.email, password: value }],
        ['/api/password-resets', { email: value }],
        ['/api/password-resets/redeem', { token: value, password }],
        ['/api/invitations/redeem', { token: value, name: 'x', password }],
      ] as const) {
        const answer = await ask(server, 'POST', path, { body });
        expect(answer.status).toBe(400);
        expect(answer.body.error?.code).toBe('bad_request');
        expect(answer.cookie).toBeNull();
      }
    }
    const inQuery = await ask(server, 'POST', '/api/sessions?email[$ne]=x&password[$ne]=x', { body: {} });
    expect(inQuery.status).toBe(400);
  });

  it('begins a new session each time, whatever the browser brought (G2)', async () => {
    const first = await signIn(server, owner.email);
    const second = await ask(server, 'POST', '/api/sessions', {
      body: { email: owner.email, password },
      cookie: first.cookie,
      token: first.token,
    });
    expect(second.cookie).not.toBe(first.cookie);
    expect(second.cookie?.split('.')[0]).not.toBe(first.cookie.split('.')[0]);
  });

  it('takes no token from an address (G2)', async () => {
    for (const name of ['access_token', 'token', 'authorization']) {
      expect((await ask(server, 'GET', `/api/me?${name}=${owner.token}`)).status).toBe(401);
    }
    expect((await ask(server, 'GET', '/api/me', { cookie: `token=${owner.token}` })).status).toBe(401);
    expect((await ask(server, 'GET', '/api/me', { token: owner.token })).status).toBe(200);
  });

  it('keeps its cookie from scripts, from other sites and from every path but its own', async () => {
    const response = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: owner.email, password }),
    });
    const [cookie = ''] = response.headers.getSetCookie();
    expect(cookie).toMatch(/; Path=\/api\/sessions;/);
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

describe('refreshing', () => {
  const refresh = (cookie: string, headers: Record<string, string> = {}) =>
    ask(server, 'POST', '/api/sessions/refresh', { cookie, headers });

  it('exchanges the token, and gives two tabs that refresh at once the same next one', async () => {
    const { cookie } = await signIn(server, owner.email);
    const answers = await Promise.all([refresh(cookie), refresh(cookie), refresh(cookie)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map((answer) => answer.cookie)).size).toBe(1);
    expect(answers[0]?.cookie).not.toBe(cookie);
    expect(
      (await ask(server, 'GET', '/api/me', { token: String(answers[0]?.body.accessToken) })).status,
    ).toBe(200);
  });

  it('ends the session when a token that was exchanged before comes again', async () => {
    const stolen = await signIn(server, owner.email);
    const next = await refresh(stolen.cookie);
    const latest = await refresh(next.cookie ?? '');
    expect(latest.status).toBe(200);
    const reused = await refresh(stolen.cookie);
    expect(reused.status).toBe(401);
    expect(reused.cookie).toBe('');
    expect((await refresh(latest.cookie ?? '')).status).toBe(401);
    expect((await ask(server, 'GET', '/api/me', { token: stolen.token })).status).toBe(401);
  });

  it('ends it too when the token just before comes later than two tabs ever would', async () => {
    const { cookie } = await signIn(server, owner.email);
    const next = await refresh(cookie);
    const sessionId = cookie.replace('threadline_refresh=', '').split('.')[0] ?? '';
    await SessionModel.updateOne({ _id: sessionId }, { $set: { rotatedAt: new Date(Date.now() - 60_000) } });
    expect((await refresh(cookie)).status).toBe(401);
    expect((await refresh(next.cookie ?? '')).status).toBe(401);
  });

  it('is refused from another site, and from a form or a picture (A10)', async () => {
    const { cookie, token } = await signIn(server, owner.email);
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect((await refresh(cookie, headers)).status).toBe(403);
      const left = await ask(server, 'DELETE', '/api/sessions/current', { cookie, token, headers });
      expect(left.status).toBe(403);
    }
    expect((await refresh(cookie, { origin: server.app.publicUrl })).status).toBe(200);
    expect((await ask(server, 'GET', '/api/sessions/refresh', { cookie })).status).not.toBe(200);
  });

  it('changes nothing for a body that is no JSON, whatever session the browser has (A10)', async () => {
    const { cookie } = await signIn(server, owner.email);
    const body = JSON.stringify({ email: owner.email, password });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const answer = await ask(server, 'POST', '/api/sessions', {
        cookie,
        body,
        headers: { 'content-type': type },
      });
      expect(answer.status).toBe(400);
      expect(answer.cookie).toBeNull();
    }
  });
});

describe('signing out', () => {
  it('ends this browser and no other', async () => {
    const here = await signIn(server, owner.email);
    const there = await signIn(server, owner.email);
    const left = await ask(server, 'DELETE', '/api/sessions/current', here);
    expect(left.status).toBe(204);
    expect(left.cookie).toBe('');
    expect((await ask(server, 'GET', '/api/me', here)).status).toBe(401);
    expect((await ask(server, 'POST', '/api/sessions/refresh', { cookie: here.cookie })).status).toBe(401);
    expect((await ask(server, 'GET', '/api/me', there)).status).toBe(200);
  });
});

describe('one agent in several workspaces', () => {
  it('accepts an invitation to a second one with the password it has, and with no other', async () => {
    const { giveAccess, invite } = await import('../../../server/agents/members.js');
    const { addWorkspace } = await import('../../../server/workspaces/workspaces.js');
    const { systemScope } = await import('../../../server/workspaces/scope.js');
    const agent = await addMember(server, owner.workspaceId, 'agent', 'both@example.com');
    const second = await addWorkspace('Second');
    const { link } = await invite(server.config, systemScope(second._id), {
      email: agent.email,
      role: 'agent',
    });
    const body = { token: tokenIn(link), name: 'Another name' };
    const redeem = (given: string) =>
      ask(server, 'POST', '/api/invitations/redeem', { body: { ...body, password: given } });
    expect((await redeem('not the password')).body.error?.code).toBe('credentials_wrong');
    expect((await redeem(password)).status).toBe(201);
    const me = await ask(server, 'GET', '/api/me', { token: agent.token });
    expect(me.body).toMatchObject({ name: 'both', workspaces: [{ name: 'Kestrel' }, { name: 'Second' }] });
    // On the command line, too: an account with that address may be somebody else's who once held a link to it.
    const third = systemScope((await addWorkspace('Third'))._id);
    const given = await giveAccess(server.config, third, { email: agent.email, role: 'admin' });
    const workspaces = async () =>
      (await ask(server, 'GET', '/api/me', { token: agent.token })).body.workspaces as { role: string }[];
    expect(await workspaces()).toHaveLength(2);
    const accepted = await ask(server, 'POST', '/api/invitations/redeem', {
      body: { token: tokenIn(given.link ?? ''), name: 'both', password },
    });
    expect(accepted.status).toBe(201);
    expect((await workspaces()).map(({ role }) => role)).toEqual(['agent', 'agent', 'admin']);
    // Who is a member already is given another role at once.
    expect(await giveAccess(server.config, third, { email: agent.email, role: 'agent' })).toEqual({
      link: null,
    });
    expect((await workspaces()).map(({ role }) => role)).toEqual(['agent', 'agent', 'agent']);
  });
});
