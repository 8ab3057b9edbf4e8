import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { JobModel } from '../../../server/jobs/model.js';
import { ask, becomeOwner, password, type Running, type SignedIn, startServer } from './running.js';

interface Letter {
  to: string[];
  text: string;
}

let letters: Letter[] = [];
let mailServer: SMTPServer;
let server: Running;
let owner: SignedIn;

beforeAll(async () => {
  mailServer = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        letters.push({ to, text: Buffer.concat(parts).toString('utf8') });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => mailServer.listen(0, '127.0.0.1', () => resolve()));
  const { port } = mailServer.server.address() as AddressInfo;
  server = await startServer({
    SMTP_URL: `smtp://127.0.0.1:${port}`,
    MAIL_FROM: 'Kestrel <help@kestrel.example>',
  });
  owner = await becomeOwner(server);
});
afterAll(async () => {
  await server.stop();
  await new Promise<void>((resolve) => mailServer.close(() => resolve()));
});

const letterTo = (email: string) =>
  vi.waitFor(
    () => {
      const letter = letters.find(({ to }) => to.includes(email));
      if (!letter) throw new Error(`No letter to ${email} yet.`);
      return letter;
    },
    { timeout: 20_000, interval: 50 },
  );

/** The token of the link in a letter, whose long lines may have been broken in quoted-printable. */
const tokenOf = ({ text }: Letter): string =>
  /#(?:reset|invitation)=([\w-]{43})/.exec(text.replace(/=\r\n/g, '').replace(/=3D/g, '='))?.[1] ?? '';

describe('mail to agents', () => {
  it('brings a reset link to whoever has the account, and nothing to anybody else', async () => {
    letters = [];
    for (const email of ['stranger@example.com', owner.email]) {
      const answer = await ask(server, 'POST', '/api/password-resets', { body: { email } });
      expect(answer.status).toBe(202);
    }
    const letter = await letterTo(owner.email);
    expect(letters).toHaveLength(1);
    expect(letter.text).toMatch(/^From: Kestrel <help@kestrel\.example>/m);
    const body = { token: tokenOf(letter), password: 'an entirely new one' };
    expect((await ask(server, 'POST', '/api/password-resets/redeem', { body })).status).toBe(201);
    const old = await ask(server, 'POST', '/api/sessions', { body: { email: owner.email, password } });
    expect(old.status).toBe(401);
    const signedIn = await ask(server, 'POST', '/api/sessions', {
      body: { email: owner.email, password: body.password },
    });
    owner.token = String(signedIn.body.accessToken);
  });

  it('brings an invitation, in the language of whoever invites, and leaves no token in the queue (G7)', async () => {
    await ask(server, 'PATCH', '/api/me', { token: owner.token, body: { locale: 'ru' } });
    const invited = await ask(server, 'POST', `/api/workspaces/${owner.workspaceId}/invitations`, {
      token: owner.token,
      body: { email: 'new@example.com', role: 'agent' },
    });
    expect(invited.status).toBe(201);
    const token = tokenOf(await letterTo('new@example.com'));
    expect(String(invited.body.link)).toContain(token);
    expect(JSON.stringify(await JobModel.find().lean())).not.toContain(token);
    const body = { token, name: 'New', password };
    expect((await ask(server, 'POST', '/api/invitations/redeem', { body })).status).toBe(201);
  });

  it('puts nothing that somebody typed into a header of its own (E2)', async () => {
    for (const email of [
      'a@example.com\r\nBcc: b@example.com',
      'a@example.com>,<b@example.com',
      'a b@example.com',
    ]) {
      const answer = await ask(server, 'POST', `/api/workspaces/${owner.workspaceId}/invitations`, {
        token: owner.token,
        body: { email, role: 'agent' },
      });
      expect(answer.status).toBe(400);
    }
  });
});
