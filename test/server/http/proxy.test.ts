import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSocket, post, refusedWith, type TestApp, testApp, visitorAuth } from './app.js';

/** New visitors that one address may be in a minute, and one try more. */
const tries = 121;

let at: TestApp;
const newVisitor = (forwardedFor: string) =>
  post(at, '/v1/visitor/session', visitorAuth(at), { 'x-forwarded-for': forwardedFor });
const newSocket = (forwardedFor: string) =>
  openSocket(at, '/visitor', visitorAuth(at), { origin: at.app.publicUrl, 'x-forwarded-for': forwardedFor });
/** The codes of those who were refused. */
const refusals = async (forwardedFor: (n: number) => string): Promise<unknown[]> => {
  const answers = await Promise.all(Array.from({ length: tries }, (_, n) => newVisitor(forwardedFor(n))));
  return answers.flatMap(({ body }) => body.error?.code ?? []);
};
const wrongPassword = (forwardedFor: string) =>
  post(
    at,
    '/api/sessions',
    { email: 'anna@kestrel.example', password: 'not the password' },
    { 'x-forwarded-for': forwardedFor },
  );

describe('A18: without a trusted proxy', () => {
  beforeAll(async () => {
    at = await testApp();
  });
  afterAll(() => at.stop());

  it('nobody gets another address by saying so, for limits of visitors on both ways', async () => {
    expect(await refusals((n) => `198.51.100.${n}`)).toEqual(['rate_limited']);
    for (const forged of ['192.0.2.1', '192.0.2.2, 10.0.0.1', '::1', 'unknown', '']) {
      expect(await refusedWith(newSocket(forged))).toBe('rate_limited');
    }
  });

  it('nor for guessing passwords', async () => {
    const answers = [];
    for (let n = 0; n < 12; n += 1) answers.push(await wrongPassword(`198.51.100.${n}`));
    const codes = answers.map(({ body }) => body.error?.code);
    expect(codes.slice(0, 10)).toEqual(Array(10).fill('credentials_wrong'));
    expect(codes.at(-1)).toBe('rate_limited');
    expect(answers.at(-1)?.body.error?.details?.retryAfterMs).toBeGreaterThan(0);
  });
});

describe('A18: behind one trusted proxy', () => {
  beforeAll(async () => {
    at = await testApp({ TRUST_PROXY: '1' });
  });
  afterAll(() => at.stop());

  it('what the proxy itself added counts, and nothing that stood there before', async () => {
    expect(await refusals((n) => `198.51.100.${n}, 203.0.113.5`)).toEqual(['rate_limited']);
    expect(await refusedWith(newSocket('192.0.2.77, 203.0.113.5'))).toBe('rate_limited');
    // Somebody else is not held to it, although a stranger named the same address further back.
    expect((await newVisitor('203.0.113.5, 203.0.113.6')).status).toBe(200);
    const other = newSocket('203.0.113.5, 203.0.113.6');
    await new Promise<void>((resolve, reject) => {
      other.once('session', () => resolve());
      other.once('connect_error', reject);
    });
    other.close();
  });

  it('and so for guessing passwords', async () => {
    const codes = [];
    for (let n = 0; n < 12; n += 1) {
      codes.push((await wrongPassword(`198.51.100.${n}, 203.0.113.9`)).body.error?.code);
    }
    expect(codes.at(-1)).toBe('rate_limited');
    expect((await wrongPassword('203.0.113.9, 203.0.113.10')).body.error?.code).toBe('credentials_wrong');
  });
});
