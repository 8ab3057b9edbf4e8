import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { message, openDesk, openTab, post, say, visitorAuth } from '../../server/http/app.js';
import { type MailServer, startMailServer } from '../mail.js';
import { type Attacked, password, startAttacked } from './attacked.js';

/**
 * A day of an installation at its most talkative, in a real process: setting up, signing in and failing to, inviting,
 * resetting, letters, identity tokens, refusals. Afterwards all that it wrote down is searched for what must not be there.
 */
let mail: MailServer;
let attacked: Attacked;
const smtpPassword = 'smtp-password-4c1d';
/** What people wrote: not in any log either. */
const words = 'words-of-a-visitor-77e0';
const secrets = new Map<string, string>();

const keep = (name: string, secret: unknown): string => {
  const text = String(secret);
  // Short ones would be found by chance.
  expect([name, text.length]).toEqual([name, expect.any(Number)]);
  expect(text.length, name).toBeGreaterThanOrEqual(16);
  secrets.set(name, text);
  return text;
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

beforeAll(async () => {
  mail = await startMailServer();
  attacked = await startAttacked({
    LOG_LEVEL: 'trace',
    SMTP_URL: mail.urlFor('kestrel').replace(':secret@', `:${smtpPassword}@`),
    METRICS_TOKEN: 'metrics-of-the-attacked',
  });
});
afterAll(async () => {
  await attacked.remove();
  await mail.close();
});

const tokenIn = (letter: string, kind: string): string =>
  new RegExp(`#${kind}=([\\w-]{43})`).exec(letter.replace(/=\r\n/g, '').replace(/=3D/g, '='))?.[1] ?? '';
/** The latest letter that holds a link of this kind. */
const linkFrom = (kind: string): Promise<string> =>
  vi.waitFor(() => {
    const token = mail.letters.map((letter) => tokenIn(letter, kind)).findLast((found) => found !== '');
    if (token === undefined) throw new Error(`no letter with #${kind} yet`);
    return token;
  }, 30_000);

describe('G7: secrets', () => {
  it('stand in no log, no error, no job, no figure and no answer, whatever was done', {
    timeout: 120_000,
  }, async () => {
    const { at, owner, server } = attacked;
    const base = `/api/workspaces/${at.workspaceId}`;
    const own = bearer(keep('access token', owner.accessToken));
    keep('password', password);
    keep('SMTP password', smtpPassword);
    keep('key of the installation', readFileSync(join(server.dataDir, 'secret-key'), 'utf8').trim());
    keep('metrics token', 'metrics-of-the-attacked');

    // People sign in, and fail to.
    const email = 'anna@kestrel.example';
    await post(at, '/api/sessions', { email, password: keep('a wrong password', 'a wrong password 5521') });
    const signedIn = await post(at, '/api/sessions', { email, password });
    const cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    keep('refresh token', cookie.split('=')[1]);
    await post(at, '/api/sessions/refresh', {}, { cookie });
    await post(at, '/api/sessions/refresh', {}, { cookie: `${cookie}x` });
    await post(at, '/api/password-resets', { email });
    const reset = keep('reset token', await linkFrom('reset'));
    await post(at, '/api/password-resets/redeem', { token: reset, password: 'short' });
    await post(at, '/api/password-resets/redeem', { token: `${reset}x`, password });
    const { body: invited } = await post(
      at,
      `${base}/invitations`,
      { email: 'new@kestrel.example', role: 'agent' },
      own,
    );
    expect(invited.error).toBeUndefined();
    const invitation = keep('invitation token', await linkFrom('invitation'));
    await post(at, '/api/invitations/redeem', {
      token: invitation,
      name: '',
      password: keep('new password', 'another password 9083'),
    });

    // Visitors come, with and without proof.
    const { body } = await post(at, `${base}/inboxes/${at.inbox._id}/identity-secret`, {}, own);
    const identitySecret = keep('identity secret', body.secret);
    const claims = { aud: at.workspaceId, sub: 'customer-1', email: 'nina@tidewater.example' };
    const identityToken = keep('identity token', jwt.sign(claims, identitySecret, { expiresIn: 300 }));
    const tab = await openTab(at, { identityToken });
    const visitorToken = keep('visitor token', tab.session.token);
    await post(
      at,
      '/v1/visitor/session',
      visitorAuth(at, { token: `${visitorToken}x`, identityToken: `${identityToken}x` }),
    );
    await fetch(`${at.url}/v1/visitor/unread?token=${visitorToken}`);
    const sent = message(words, null, { clientId: 'click-g7-0001' });
    await tab.ask('message:send', sent);
    await tab.ask('message:send', message(words.repeat(1_000)));
    await tab.ask('message:send', { ...message(words), conversationId: { $gt: words } });
    await tab.ask('claim', { email: words, name: words });
    await fetch(`${at.url}/v1/visitor/requests/message:send`, {
      method: 'POST',
      headers: { ...bearer(visitorToken), 'content-type': 'application/json' },
      body: `{"text":"${words}`,
    });

    // A letter comes, and is answered.
    const letter = `From: Nina <nina@tidewater.example>\r\nTo: help@kestrel.example\r\nSubject: ${words}\r\nMessage-ID: <g7@tidewater.example>\r\nDate: ${new Date().toUTCString()}\r\n\r\n${words}\r\n`;
    expect(
      (await server.cli(['mail', 'import', '-', '--address', 'help@kestrel.example'], letter)).code,
    ).toBe(0);
    const { rows } = (await (
      await fetch(`${at.url}${base}/conversations?view=all`, { headers: own })
    ).json()) as { rows: { id: string; channel: string }[] };
    const conversation = rows.find(({ channel }) => channel === 'email');
    const desk = await openDesk(at, owner.accessToken);
    const before = mail.letters.length;
    const reply = await desk.ask('message:send', {
      ...message(words, conversation?.id ?? '', { clientId: 'click-g7-0002' }),
      mode: 'reply',
    });
    expect(reply).toMatchObject({ ok: true });
    await vi.waitFor(() => expect(mail.letters.length).toBeGreaterThan(before), 30_000);
    await say(tab, words);
    const said = () =>
      server
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{'));
    await vi.waitFor(() => expect(said().join()).toMatch(/"job":"email\.send"/), 30_000);
    tab.close();
    desk.close();

    // One id leads from the click to the delivery, and to the letter that a job sent.
    const steps = (id: string): unknown[] =>
      said()
        .map((line) => JSON.parse(line) as { correlationId?: string; msg?: string })
        .filter(({ correlationId }) => correlationId === id)
        .map(({ msg }) => msg);
    expect(steps('click-g7-0001')).toEqual(['appended', 'told']);
    expect(steps('click-g7-0002')).toEqual(['appended', 'told', 'job attempted']);

    // The settings show no secret again.
    const shown: [string, string][] = [];
    for (const path of [
      '/inboxes',
      `/inboxes/${at.inbox._id}`,
      '/agents',
      '/conversations?view=all',
      '/contacts',
    ]) {
      shown.push([path, await (await fetch(`${at.url}${base}${path}`, { headers: own })).text()]);
    }
    for (const path of ['/healthz', '/readyz'])
      shown.push([path, await (await fetch(`${at.url}${path}`)).text()]);
    shown.push(['metrics', [...(await attacked.figures()).keys()].join('\n')]);
    shown.push(['config', (await server.cli(['config'])).stdout]);
    shown.push(['doctor', (await server.cli(['doctor'])).stdout]);

    const folder = mkdtempSync(join(tmpdir(), 'threadline-secrets-'));
    try {
      expect((await server.cli(['store', 'export', folder])).code).toBe(0);
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('.bson'),
      );
      const stored = (name: string) =>
        files.filter((file) => file.endsWith(name)).map((file) => readFileSync(join(folder, file), 'latin1'));
      expect(stored('jobs.bson')).toHaveLength(1);
      const log = said().join('\n');
      expect(log.length).toBeGreaterThan(1_000);
      for (const [name, secret] of secrets) {
        expect(log.includes(secret), `${name} in the log`).toBe(false);
        expect(server.output().includes(secret), `${name} in what was printed`).toBe(false);
        for (const [where, text] of shown) expect(text.includes(secret), `${name} in ${where}`).toBe(false);
        for (const text of stored('jobs.bson')) expect(text.includes(secret), `${name} in a job`).toBe(false);
        // At rest a secret is a hash, save the one that a company's own tokens are checked with.
        if (name === 'identity secret') continue;
        for (const file of files)
          expect(stored(file).join().includes(secret), `${name} in ${file}`).toBe(false);
      }
      expect(log.includes(words), 'what a visitor wrote, in the log').toBe(false);
      expect(log.includes('tidewater.example'), 'an address, in the log').toBe(false);
      for (const text of stored('jobs.bson')) expect(text.includes(words)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
