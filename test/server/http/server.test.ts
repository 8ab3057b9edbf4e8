import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { demoSignInLink } from '../../../server/http/demo/session.js';
import { createHttpServer, listen } from '../../../server/http/server.js';
import { log } from '../../../server/log.js';
import { limits } from '../../../shared/limits.js';
import { post, signInOwner, type TestApp, testApp, visitorAuth } from './app.js';

let at: TestApp;
beforeAll(async () => {
  at = await testApp();
});
afterAll(() => at.stop());

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${at.url}${path}`, { headers, redirect: 'manual' });

/** Sends exactly these bytes and answers with everything that came back. */
function raw(text: string, closeAfterMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(at.app.port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setTimeout(closeAfterMs, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });
}

describe('health', () => {
  it('says version and store, and whether work is taken', async () => {
    const health = await get('/healthz');
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      status: 'ok',
      version: expect.any(String),
      store: 'embedded',
    });
    expect((await get('/readyz')).status).toBe(200);
  });
});

describe('the sockets’ server on the same port', () => {
  it('refuses what is no WebSocket, and nothing answers a second time', async () => {
    const logged = vi.spyOn(log, 'error');
    for (const transport of ['polling', 'websocket']) {
      expect((await get(`/socket.io/?EIO=4&transport=${transport}`)).status).toBe(400);
    }
    expect(logged).not.toHaveBeenCalled();
    logged.mockRestore();
  });
});

describe('A17: headers and errors', () => {
  it('carry a policy without unsafe-inline, nosniff and frame-ancestors, and name no software', async () => {
    for (const path of ['/', '/healthz', '/api/setup', '/nothing', '/demo']) {
      const { headers } = await get(path);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).not.toContain('unsafe');
      expect(policy).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('server')).toBeNull();
      expect(headers.get('strict-transport-security')).toBeNull();
      expect(headers.get('x-request-id')).toMatch(/^[\w-]{8,64}$/);
    }
  });

  it('never show a stack, a path or the query', async () => {
    const answers = [
      await post(at, '/api/sessions', '{"a":'),
      await post(at, '/api/sessions', '[1,2'),
      await post(at, '/v1/visitor/session', { inboxId: { $gt: '' } }),
      await post(at, '/api/nothing/secret-in-path?secret=1', {}),
      await post(at, '/v1/visitor/requests/%', {}),
    ];
    for (const { status, body } of answers) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(body.error).toMatchObject({ code: expect.any(String), requestId: expect.any(String) });
      expect(JSON.stringify(body)).not.toMatch(/secret|node_modules|\.[jt]s\b|at \w+ \(|SyntaxError/);
    }
  });

  it('refuse a method that a route does not know', async () => {
    expect((await fetch(`${at.url}/api/setup`, { method: 'DELETE' })).status).toBe(404);
  });
});

describe('A7: paths', () => {
  it.each([
    '/..%2f..%2fpackage.json',
    '/%2e%2e/%2e%2e/package.json',
    '/%252e%252e/%252e%252e/package.json',
    '/..\\..\\package.json',
    '/assets/..%2f..%2f..%2fpackage.json',
    '/assets/%00',
    '/threadline.js%00.html',
    '//etc/passwd',
    '/console-assets/../../package.json',
  ])('%s is not found', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: */*\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).not.toMatch(/"dependencies"|root:/);
  });
});

describe('A10: what a foreign page can send without asking', () => {
  it.each([
    ['application/x-www-form-urlencoded', 'email=a@b.example&password=x'],
    ['text/plain', '{"email":"a@b.example","password":"x"}'],
    ['multipart/form-data; boundary=x', '--x--'],
    ['', '{}'],
  ])('a body of %j is refused', async (type, body) => {
    const answer = await post(at, '/api/sessions', body, { 'content-type': type });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ code: 'bad_request', details: { field: 'content-type' } });
  });

  it('a session is not renewed or ended for a foreign page, and no picture changes anything', async () => {
    for (const headers of [{ origin: 'https://evil.io' }, { 'sec-fetch-site': 'cross-site' }]) {
      const answer = await post(
        at,
        '/api/sessions/refresh',
        {},
        { ...headers, cookie: 'threadline_refresh=a.1.b' },
      );
      expect(answer.body.error).toMatchObject({
        code: 'foreign_page',
        message: expect.not.stringMatching(/inbox|site/),
      });
    }
    expect((await get('/api/sessions/refresh')).status).toBe(404);
    expect((await get('/v1/visitor/requests/sign-out')).status).toBe(404);
  });
});

describe('A11: other origins', () => {
  it.each(['https://evil.io', 'null', 'https://localhost.evil.io', 'http://localhost'])(
    '%s may read nothing',
    async (origin) => {
      for (const path of ['/v1/visitor/session', '/api/sessions', '/healthz']) {
        const preflight = await fetch(`${at.url}${path}`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST' },
        });
        expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
        expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
      }
      const answer = await post(at, '/v1/visitor/session', visitorAuth(at), { origin });
      expect(answer.body.error?.code).toBe('origin_not_allowed');
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  it('a site that holds the widget may read its answers, without credentials', async () => {
    const origin = at.app.publicUrl;
    const preflight = await fetch(`${at.url}/v1/visitor/session`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
    expect((await post(at, '/v1/visitor/session', visitorAuth(at), { origin })).status).toBe(200);
  });
});

describe('A12: next', () => {
  it.each(['//evil.io', '/\\evil.io', 'https:evil.io', 'javascript:alert(1)'])(
    '%s stays here',
    async (next) => {
      const link = demoSignInLink(
        { secretKey: at.secretKey, publicUrl: at.url },
        { id: 'c1', name: 'Marta', email: 'marta@example.com' },
      );
      const answer = await fetch(`${link}&next=${encodeURIComponent(next)}`, { redirect: 'manual' });
      expect(answer.status).toBe(303);
      expect(answer.headers.get('location')).toBe('/demo');
    },
  );
});

describe('A14: bombs', () => {
  it('a body over the limit is refused by its length, and by its bytes', async () => {
    const big = JSON.stringify({ email: 'x'.repeat(limits.bodyBytes) });
    const answer = await post(at, '/api/sessions', big);
    expect(answer.status).toBe(413);
    expect(answer.body.error).toMatchObject({ code: 'too_large', details: { limit: limits.bodyBytes } });
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(50_000_000))],
    ['br', brotliCompressSync(Buffer.alloc(10_000_000))],
    ['deflate', Buffer.from('x')],
  ])('nothing packed with %s is unpacked', async (encoding, body) => {
    const answer = await fetch(`${at.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': encoding },
      body: new Uint8Array(body),
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'bad_request' } });
  });

  it.each([
    ['depth', '['.repeat(50_000) + ']'.repeat(50_000), 'too_deep'],
    ['keys', `{${Array.from({ length: limits.jsonKeys + 1 }, (_, n) => `"k${n}":1`).join()}}`, 'too_large'],
    ['__proto__', '{"__proto__":{"polluted":1}}', 'unsafe_key'],
    ['constructor', '{"a":{"constructor":{"prototype":{"polluted":1}}}}', 'unsafe_key'],
    ['1e400', '{"email":1e400,"password":"x"}', 'bad_request'],
    ['a lone surrogate', '{"email":"\\ud800@x.y","password":"x"}', 'bad_request'],
  ])('%s', async (_what, body, code) => {
    const began = performance.now();
    const answer = await post(at, '/api/sessions', body);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(answer.body.error?.code).toBe(code);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('A1, A2: operators where text belongs', () => {
  it.each([
    ['/api/sessions', { email: { $gt: '' }, password: { $gt: '' } }],
    ['/api/password-resets', { email: { $ne: null } }],
    ['/api/invitations/redeem', { token: { $gt: '' }, name: 'x', password: 'long enough password' }],
    ['/v1/visitor/session', { protocol: 1, inboxId: { $gt: '' } }],
    ['/v1/visitor/session', { protocol: 1, inboxId: 'x', token: { $gt: '' } }],
  ])('%s takes none', async (path, body) => {
    const answer = await post(at, path, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error?.code).toBe('bad_request');
    expect(answer.headers.get('set-cookie')).toBeNull();
  });

  it('a query names each thing once, as text', async () => {
    expect((await get('/api/me?a=1&a=2')).status).toBe(400);
    expect((await get('/api/me?email[$ne]=x')).status).toBe(401);
  });
});

describe('A16: line breaks', () => {
  it('do not reach a header of the answer', async () => {
    const answer = await raw(
      `GET /demo/sign-in?pass=x%0d%0aSet-Cookie:a=b&next=/%0d%0aSet-Cookie:c=d HTTP/1.1\r\nhost: x\r\nx-request-id: a%0d%0ab\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).not.toMatch(/^set-cookie/im);
    expect(answer).not.toContain('a%0d%0ab');
  });
});

describe('A15: those who send slowly', () => {
  it.each([
    ['headers', 'GET / HTTP/1.1\r\nhost: x\r\n', 'x-a: b\r\n'],
    [
      'a body',
      'POST /api/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n',
      ' ',
    ],
  ])('%s: are closed by a time limit while others are served', async (_what, begin, more) => {
    const sockets = Array.from({ length: 50 }, () => connect(at.app.port, '127.0.0.1'));
    const closed = sockets.map(
      (socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())),
    );
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.resume();
      socket.write(begin);
    }
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write(more);
    }, 1_000);
    expect((await get('/healthz')).status).toBe(200);
    await Promise.all(closed);
    clearInterval(drip);
    expect((await get('/healthz')).status).toBe(200);
  });
});

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024);
}

describe('A15: those who read slowly', () => {
  it('are closed when nothing of their answer moves, and hold no more of it than the system does', async () => {
    const answers: ServerResponse[] = [];
    const ended: Promise<void>[] = [];
    /** Bytes that are kept for each, at the moment at which it is given up. */
    const held: number[] = [];
    const server = createHttpServer({ stillMs: 500 }).on('request', (req, res) => {
      if (req.url === '/short') return void res.end('served');
      answers.push(res);
      ended.push(new Promise((resolve) => res.on('close', () => resolve())));
      res.socket?.once('timeout', () => held.push(res.writableLength));
      Readable.from(endless()).pipe(res);
    });
    const port = await listen(server, { port: 0, host: '127.0.0.1' });
    const readers = Array.from({ length: 50 }, () => connect(port, '127.0.0.1').pause());
    const closed = readers.map((reader) => {
      reader.on('error', () => {});
      reader.write('GET /endless HTTP/1.1\r\nhost: x\r\n\r\n');
      return new Promise<void>((resolve) => reader.on('close', () => resolve()));
    });
    await vi.waitUntil(() => answers.length === readers.length, { timeout: 30_000 });
    expect(await (await fetch(`http://127.0.0.1:${port}/short`)).text()).toBe('served');
    await Promise.all(ended);
    expect(held).toHaveLength(readers.length);
    expect(Math.max(...held)).toBeLessThan(256 * 1024);
    expect(Math.min(...held)).toBeGreaterThan(0);
    expect(await (await fetch(`http://127.0.0.1:${port}/short`)).text()).toBe('served');
    for (const reader of readers) reader.destroy();
    await Promise.all(closed);
    server.closeAllConnections();
    server.close();
  });
});

describe('/demo', () => {
  it('is a page with the public snippet and nothing else, in two languages', async () => {
    const page = await (await get('/demo')).text();
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).toContain(
      `<script src="${at.app.publicUrl}/threadline.js" data-inbox="${at.inbox._id}" async></script>`,
    );
    expect(page).not.toMatch(/ style=| on\w+=|<style/);
    expect(await (await get('/demo', { 'accept-language': 'ru' })).text()).toContain('Мастерская');
    expect((await get('/demo/style.css')).headers.get('content-type')).toContain('text/css');
  });

  it('signs an identity token only for a customer whom the operator signed in', async () => {
    const config = { secretKey: at.secretKey, publicUrl: at.url };
    const customer = { id: 'c1', name: 'Marta <b>', email: 'marta@example.com' };
    const signIn = await fetch(demoSignInLink(config, customer), { redirect: 'manual' });
    const cookie = (signIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    expect(signIn.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Lax/);
    const page = await (await get('/demo', { cookie })).text();
    const token = /data-identity-token="([\w.-]+)"/.exec(page)?.[1];
    expect(page).toContain('Marta &lt;b&gt;');
    const session = await post(at, '/v1/visitor/session', visitorAuth(at, { identityToken: token }));
    expect(session.body).toMatchObject({ identified: true });

    expect(await (await get('/demo')).text()).not.toContain('data-identity-token');
    for (const forged of [
      `${cookie}x`,
      'threadline_demo=a.b',
      `threadline_demo=${'A'.repeat(40)}.${'B'.repeat(43)}`,
    ]) {
      expect(await (await get('/demo', { cookie: forged })).text()).not.toContain('data-identity-token');
    }
    expect((await get('/demo/sign-in?pass=forged')).status).toBe(410);
  });
});

describe('the API', () => {
  it('lets in who is signed in, and hides the workspace from everybody else', async () => {
    const { accessToken, agent } = await signInOwner(at);
    expect(agent.workspaces).toMatchObject([{ id: at.workspaceId, name: 'Kestrel Cycles', role: 'owner' }]);
    const path = `/api/workspaces/${at.workspaceId}/conversations?view=all`;
    const answer = await get(path, { authorization: `Bearer ${accessToken}` });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ rows: [] });
    expect((await get(path)).status).toBe(401);
    expect(
      (await get(`/api/workspaces/other/agents`, { authorization: `Bearer ${accessToken}` })).status,
    ).toBe(404);
    expect((await get(`${path}&token=${accessToken}`)).status).toBe(401);
  });
});

describe('the listening socket', () => {
  it('refuses an address that is taken, and once it listens outlives its own errors', async () => {
    const taken = { port: at.app.port, host: '127.0.0.1' };
    await expect(listen(createHttpServer(), taken)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const server = createHttpServer().on('request', (_req, res) => res.end('served'));
    const port = await listen(server, { port: 0, host: '127.0.0.1' });
    // As the system tells it when no more files may be opened: without a listener it would end the process.
    server.emit('error', Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('served');
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
});
