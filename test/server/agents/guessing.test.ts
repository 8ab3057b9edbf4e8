import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invite } from '../../../server/agents/members.js';
import { resetAddress } from '../../../server/agents/password-reset.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import {
  addCompany,
  addMember,
  ask,
  becomeOwner,
  type Running,
  type SignedIn,
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

const attempt = (email: string, password = 'not the password') =>
  ask(server, 'POST', '/api/sessions', { body: { email, password } });

describe('guessing over HTTP (G1)', () => {
  it('is refused after a few tries at one account, with how long to wait', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => attempt(owner.email)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.length - refused.length).toBeLessThanOrEqual(10);
    expect(refused[0]?.body.error).toMatchObject({ code: 'rate_limited', retry: 'same' });
    expect(refused[0]?.body.error?.details?.retryAfterMs).toBeGreaterThan(0);
  });

  it('leaves the owner a way in, and whoever is in stays in', async () => {
    expect((await ask(server, 'GET', '/api/me', { token: owner.token })).status).toBe(200);
    expect((await ask(server, 'POST', '/api/sessions/refresh', { cookie: owner.cookie })).status).toBe(200);
    const token = tokenIn(await resetAddress(server.config, owner.email));
    const reset = await ask(server, 'POST', '/api/password-resets/redeem', {
      body: { token, password: 'an entirely new one' },
    });
    expect(reset.status).toBe(201);
    expect((await ask(server, 'GET', '/api/me', { token: String(reset.body.accessToken) })).status).toBe(200);
  });

  it('is refused for one password on many accounts', async () => {
    const answers = await Promise.all(
      Array.from({ length: 80 }, (_, index) => attempt(`agent-${index}@example.com`)),
    );
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(20);
  });

  it('is refused as well by an invitation, whose link the inviter holds too', async () => {
    const other = await addCompany(server, 'Other', 'other@example.com');
    const { link } = await invite(server.config, systemScope(other.workspaceId), {
      email: 'victim@example.com',
      role: 'agent',
    });
    await addMember(server, owner.workspaceId, 'agent', 'victim@example.com');
    const redeem = () =>
      ask(server, 'POST', '/api/invitations/redeem', {
        body: { token: tokenIn(link), name: 'x', password: 'not the password' },
      });
    const codes = [];
    for (let n = 0; n < 12; n += 1) codes.push((await redeem()).body.error?.code);
    expect(codes.filter((code) => code === 'credentials_wrong').length).toBeLessThanOrEqual(10);
    expect(codes.at(-1)).toBe('rate_limited');
  });
});
