import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { becomeOwner, type Running, startServer } from '../agents/running.js';

let server: Running;
beforeAll(async () => {
  server = await startServer({ PUBLIC_URL: 'https://chat.example.com' });
});
afterAll(() => server.stop());

describe('A17: where the public address is https', () => {
  it('every answer locks browsers to it', async () => {
    for (const path of ['/', '/healthz', '/api/me', '/demo', '/nothing']) {
      const { headers } = await fetch(`${server.url}${path}`);
      expect([path, headers.get('strict-transport-security')]).toEqual([
        path,
        expect.stringMatching(/^max-age=\d{7,}$/),
      ]);
    }
  });

  it('cookies never travel in the clear', async () => {
    const { email } = await becomeOwner(server);
    const answer = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password: 'correct horse battery' }),
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/; Secure(;|$)/)]);
  });
});
