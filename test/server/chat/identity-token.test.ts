import { createHmac, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { readIdentityToken } from '../../../server/channels/chat/identity-token.js';
import type { InboxRow } from '../../../server/inboxes/model.js';
import { AppError } from '../../../shared/errors.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const pem = (key: typeof rsa.publicKey): string => key.export({ type: 'spki', format: 'pem' }).toString();

const inbox = (settings: Partial<InboxRow> = {}): InboxRow => ({
  _id: 'inbox-1',
  workspaceId: 'workspace-a',
  channel: 'chat',
  name: 'Website',
  greeting: '',
  accent: '#1f6f5c',
  quickReplies: [],
  asksForEmail: false,
  allowedOrigins: [],
  identitySecret: 'the-secret-of-this-inbox-and-no-other',
  identityPublicKey: null,
  address: null,
  timeZone: null,
  createdAt: new Date(),
  ...settings,
});

const now = Date.UTC(2026, 5, 1, 12);
const seconds = Math.floor(now / 1_000);
const claims = { sub: 'customer-7', aud: 'workspace-a', iat: seconds, exp: seconds + 300 };
const signed = (payload: object, options: jwt.SignOptions = {}, key: jwt.Secret = inbox().identitySecret) =>
  jwt.sign(payload, key, { noTimestamp: !('iat' in payload), ...options });
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const read = (token: string, settings: Partial<InboxRow> = {}) =>
  readIdentityToken(inbox(settings), token, now);
const refused = (token: string, settings: Partial<InboxRow> = {}): unknown => {
  try {
    return read(token, settings);
  } catch (error) {
    if (error instanceof AppError && error.code === 'identity_token_invalid') return error.details?.reason;
    throw error;
  }
};

describe('an identity token', () => {
  it('names the customer, and says what is proved', () => {
    const verified = { email_verified: true, phone_verified: true };
    const said = { ...verified, name: 'Marta', email: 'Marta@Example.com', phone: '+49 30 901820' };
    const token = signed({ ...claims, ...said });
    expect(read(token)).toEqual({
      externalId: 'customer-7',
      name: 'Marta',
      email: { value: 'marta@example.com', proved: true },
      phone: { value: '+4930901820', proved: true },
    });
  });

  it('claims, and does not prove, an address that the company has not verified or a number of no country', () => {
    const unconfirmed = { email_verified: false, phone_verified: true };
    const token = signed({ ...claims, ...unconfirmed, email: 'm@example.com', phone: '030 901820' });
    expect(read(token)).toMatchObject({ email: { proved: false }, phone: { proved: false } });
  });

  it('proves nothing that it does not call verified, and is refused where it says neither true nor false', () => {
    const said = { ...claims, email: 'm@example.com', phone: '+4930901820' };
    const isProved = (more: object) => {
      const { email, phone } = read(signed({ ...said, ...more }));
      return [email?.proved, phone?.proved];
    };
    expect(isProved({})).toEqual([false, false]);
    expect(isProved({ email_verified: true, phone_verified: true })).toEqual([true, true]);
    expect(isProved({ email_verified: true, phone_verified: false })).toEqual([true, false]);
    for (const unclear of ['false', 'true', 0, 1, null, {}]) {
      expect(refused(signed({ ...said, email_verified: unclear }))).toBe('claims');
      expect(refused(signed({ ...said, phone_verified: unclear }))).toBe('claims');
    }
  });

  it('is taken with RS256 and ES256 by the public key of the inbox', () => {
    const rs = signed(claims, { algorithm: 'RS256' }, rsa.privateKey);
    const es = signed(claims, { algorithm: 'ES256' }, ec.privateKey);
    expect(read(rs, { identityPublicKey: pem(rsa.publicKey) }).externalId).toBe('customer-7');
    expect(read(es, { identityPublicKey: pem(ec.publicKey) }).externalId).toBe('customer-7');
  });
});

describe('W2: the algorithm comes from the settings, never from the header', () => {
  it.each(['none', 'None', 'NONE', 'nOnE', ''])('refuses alg %j with an empty signature', (alg) => {
    expect(refused(`${part({ alg, typ: 'JWT' })}.${part(claims)}.`)).toBe('signature');
  });

  it('refuses HS256 signed with the public key, as PEM and as DER', () => {
    const header = part({ alg: 'HS256', typ: 'JWT' });
    const der = rsa.publicKey.export({ type: 'spki', format: 'der' });
    for (const secret of [pem(rsa.publicKey), pem(rsa.publicKey).trim(), der]) {
      const text = `${header}.${part(claims)}`;
      const token = `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
      expect(refused(token, { identityPublicKey: pem(rsa.publicKey) })).toBe('signature');
    }
  });

  it('refuses HS256 by the secret once the inbox has a public key, and HS512 always', () => {
    expect(refused(signed(claims), { identityPublicKey: pem(rsa.publicKey) })).toBe('signature');
    expect(refused(signed(claims, { algorithm: 'HS512' }))).toBe('signature');
    expect(
      refused(signed(claims, { algorithm: 'PS256' }, rsa.privateKey), {
        identityPublicKey: pem(rsa.publicKey),
      }),
    ).toBe('signature');
  });

  it('refuses a changed payload, a cut signature and what is no token', () => {
    const [header, , signature] = signed(claims).split('.');
    expect(refused(`${header}.${part({ ...claims, sub: 'other' })}.${signature}`)).toBe('signature');
    expect(refused(signed(claims).slice(0, -2))).toBe('signature');
    for (const text of ['', '.', '..', 'a.b.c', '{}']) expect(refused(text)).toBe('malformed');
  });

  it('refuses a payload that is no JSON as malformed, not as a fault of the server', () => {
    const header = part({ alg: 'HS256', typ: 'JWT' });
    const payload = Buffer.from('not json').toString('base64url');
    expect(refused(`${header}.${payload}.AAAA`)).toBe('malformed');
  });
});

describe('W3: an end is required, near, and kept', () => {
  it('takes a token until its end and one minute, and not a second more', () => {
    expect(read(signed({ ...claims, exp: seconds - 59 })).externalId).toBe('customer-7');
    expect(refused(signed({ ...claims, exp: seconds - 61 }))).toBe('expired');
  });

  it('refuses one that is not valid yet, has no end, or an end that is no number', () => {
    expect(refused(signed({ ...claims, nbf: seconds + 61 }))).toBe('not_yet');
    expect(refused(signed({ ...claims, iat: seconds + 61 }))).toBe('not_yet');
    const { exp: _exp, ...endless } = claims;
    expect(refused(signed(endless))).toBe('claims');
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...claims, exp: '9999999999' })}`;
    const token = `${text}.${createHmac('sha256', inbox().identitySecret).update(text).digest('base64url')}`;
    expect(refused(token)).toBe('signature');
  });

  it('ends one that is meant to live to 2100 after a day, and refuses it when it does not say when it began', () => {
    const far = Date.UTC(2100, 0, 1) / 1_000;
    expect(read(signed({ ...claims, exp: far })).externalId).toBe('customer-7');
    expect(refused(signed({ ...claims, iat: seconds - 25 * 3_600, exp: far }))).toBe('expired');
    const { iat: _iat, ...unsaid } = claims;
    expect(refused(signed({ ...unsaid, exp: far }))).toBe('lifetime');
    expect(read(signed(unsaid)).externalId).toBe('customer-7');
  });
});

describe('W4: a key id is only compared', () => {
  it.each(['../../dev/null', "' OR 1=1--", 'unknown', 'inbox-2', ''])('refuses kid %j', (kid) => {
    expect(refused(signed(claims, { header: { alg: 'HS256', kid } }))).toBe('key');
  });

  it('refuses a kid that is an object, and takes the inbox own id', () => {
    const text = `${part({ alg: 'HS256', kid: { $ne: null } })}.${part(claims)}`;
    const token = `${text}.${createHmac('sha256', inbox().identitySecret).update(text).digest('base64url')}`;
    expect(refused(token)).toBe('key');
    expect(read(signed(claims, { header: { alg: 'HS256', kid: 'inbox-1' } })).externalId).toBe('customer-7');
  });
});

describe('W5: a token names its workspace', () => {
  it('refuses the token of workspace A in workspace B, although both have the same secret', () => {
    expect(refused(signed(claims), { workspaceId: 'workspace-b' })).toBe('workspace');
    expect(refused(signed({ ...claims, aud: ['workspace-b', 'x'] }))).toBe('workspace');
    const { aud: _aud, ...unnamed } = claims;
    expect(refused(signed(unnamed))).toBe('workspace');
    expect(read(signed({ ...unnamed, workspace: 'workspace-a' })).externalId).toBe('customer-7');
  });

  it('refuses a customer without a name of its own', () => {
    for (const sub of ['', 7, null, { $gt: '' }, 'x'.repeat(201), '\ud800']) {
      const payload = { ...claims, sub };
      const text = `${part({ alg: 'HS256' })}.${part(payload)}`;
      const token = `${text}.${createHmac('sha256', inbox().identitySecret).update(text).digest('base64url')}`;
      expect(refused(token)).not.toHaveProperty('externalId');
    }
  });
});
