import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listInboxes } from '../../../server/inboxes/inboxes.js';
import { allRoutes } from '../http/routes.js';
import {
  addCompany,
  addMember,
  ask,
  becomeOwner,
  type Running,
  type SignedIn,
  startServer,
} from './running.js';

/** Who may do it. `all`: no sign-in. `signed-in`: whoever has a session. The rest: members of the workspace. */
type Who = 'all' | 'signed-in' | 'member' | 'admin';

/** Every route there is. One that is not here fails the test: its author has to say who may use it. Below `/api`: */
const sessionTable: Record<string, Who> = {
  'GET /setup': 'all',
  'POST /setup': 'all',
  'POST /sessions': 'all',
  'POST /sessions/refresh': 'all',
  'DELETE /sessions/current': 'signed-in',
  'POST /password-resets': 'all',
  'POST /password-resets/redeem': 'all',
  'POST /invitations/redeem': 'all',
  'GET /me': 'signed-in',
  'PATCH /me': 'signed-in',
};
/** Below `/api/workspaces/:workspaceId`. */
const workspaceTable: Record<string, Who> = {
  'GET /agents': 'member',
  'POST /invitations': 'admin',
  'PATCH /agents/:agentId': 'admin',
  'GET /inboxes': 'member',
  'POST /inboxes': 'admin',
  'GET /inboxes/:id': 'member',
  'PATCH /inboxes/:id': 'admin',
  'POST /inboxes/:id/identity-secret': 'admin',
  'GET /conversations': 'member',
  'GET /conversations/counts': 'member',
  'GET /conversations/:id': 'member',
  'PATCH /conversations/:id': 'member',
  'GET /conversations/:id/events': 'member',
  'POST /conversations/:id/events': 'member',
  'POST /conversations/:id/read': 'member',
  'GET /contacts': 'member',
  'GET /contacts/:id': 'member',
  'PATCH /contacts/:id': 'member',
  'GET /contacts/:id/timeline': 'member',
  'GET /contacts/:id/picture': 'member',
  'GET /contacts/:id/merge-preview/:otherId': 'member',
  'POST /contacts/:id/merges': 'member',
  'GET /merges/:mergeId/unmerge-preview': 'member',
  'POST /merges/:mergeId/undo': 'member',
  'POST /suggestions/dismiss': 'member',
  'POST /files': 'member',
  'GET /files/:fileId': 'member',
  'GET /emails/:eventId/html': 'member',
  'GET /emails/:eventId/source': 'member',
};
/** All others: for anybody, for who shows a visitor's token, or for who runs the installation. */
const openTable: Record<string, 'all' | 'visitor' | 'operator'> = {
  'GET /healthz': 'all',
  'GET /readyz': 'all',
  'GET /metrics': 'operator',
  'GET /demo': 'all',
  'GET /demo/style.css': 'all',
  'GET /demo/icon.svg': 'all',
  'GET /demo/sign-in': 'all',
  'GET /demo/sign-out': 'all',
  'POST /v1/visitor/session': 'all',
  'POST /v1/visitor/requests/:name': 'visitor',
  'GET /v1/visitor/events': 'visitor',
  'GET /v1/visitor/unread': 'visitor',
  'POST /v1/visitor/files': 'visitor',
  'GET /v1/visitor/files/:fileId': 'visitor',
};
const under = (prefix: string, table: Record<string, string>): string[] =>
  Object.keys(table).map((route) => route.replace(' ', ` ${prefix}`));

let server: Running;
let people: Record<
  'nobody' | 'visitor' | 'agent' | 'admin' | 'owner' | 'put out' | 'other owner' | 'forged',
  string
>;
let owner: SignedIn;

beforeAll(async () => {
  server = await startServer();
  owner = await becomeOwner(server);
  const { workspaceId } = owner;
  const agent = await addMember(server, workspaceId, 'agent', 'agent@example.com');
  const admin = await addMember(server, workspaceId, 'admin', 'admin@example.com');
  const other = await addCompany(server, 'Other', 'other@example.com');
  const out = await addMember(server, workspaceId, 'agent', 'out@example.com');
  await ask(server, 'PATCH', `/api/workspaces/${workspaceId}/agents/${out.id}`, {
    token: owner.token,
    body: { active: false },
  });
  const [chat] = await listInboxes({ workspaceId }, 'chat');
  const session = await ask(server, 'POST', '/v1/visitor/session', {
    body: { protocol: 1, inboxId: chat?._id },
  });
  people = {
    nobody: '',
    visitor: String(session.body.token),
    forged: `${owner.token.slice(0, -4)}AAAA`,
    agent: agent.token,
    admin: admin.token,
    owner: owner.token,
    'put out': out.token,
    'other owner': other.token,
  };
});
afterAll(() => server.stop());

const filled = (path: string): string => path.replace(/:\w+/g, 'no-such-thing');
const statusOf = async (who: keyof typeof people, route: string, base: string): Promise<number> => {
  const [method = '', path = ''] = route.split(' ');
  const token = people[who] === '' ? undefined : people[who];
  const body = method === 'GET' || method === 'DELETE' ? undefined : {};
  return (await ask(server, method, `${base}${filled(path)}`, { token, body })).status;
};

describe('who may do what (A4)', () => {
  it('stands in a table for every route there is', () => {
    const written = [
      ...under('/api', sessionTable),
      ...under('/api/workspaces/:workspaceId', workspaceTable),
      ...Object.keys(openTable),
    ];
    expect(allRoutes()).toEqual(written.sort());
  });

  it.each(Object.entries(openTable).filter(([, who]) => who === 'visitor'))(
    '%s is for who holds a visitor’s secret, and for no agent',
    async (route) => {
      for (const stranger of ['nobody', 'forged', 'agent', 'owner', 'other owner'] as const) {
        expect(await statusOf(stranger, route, ''), stranger).toBe(401);
      }
      expect([401, 403]).not.toContain(await statusOf('visitor', route, ''));
    },
  );

  it.each(Object.entries(openTable).filter(([, who]) => who === 'operator'))(
    '%s is for the operator, and for nobody who is only signed in',
    async (route) => {
      for (const stranger of Object.keys(people) as (keyof typeof people)[]) {
        expect(await statusOf(stranger, route, ''), stranger).toBe(401);
      }
    },
  );

  it.each(Object.entries(workspaceTable))('%s is for %s', async (route, who) => {
    const base = `/api/workspaces/${owner.workspaceId}`;
    for (const stranger of ['nobody', 'visitor', 'forged', 'put out'] as const) {
      expect(await statusOf(stranger, route, base), stranger).toBe(401);
    }
    // To another company's owner the workspace does not exist, whatever is asked of it.
    expect(await statusOf('other owner', route, base)).toBe(404);
    const asAgent = await statusOf('agent', route, base);
    if (who === 'admin') expect(asAgent).toBe(403);
    else expect([401, 403]).not.toContain(asAgent);
    for (const allowed of ['admin', 'owner'] as const) {
      expect([401, 403], allowed).not.toContain(await statusOf(allowed, route, base));
    }
  });

  it.each(Object.entries(sessionTable).filter(([, who]) => who === 'signed-in'))(
    '%s is for who is signed in',
    async (route) => {
      for (const stranger of ['nobody', 'visitor', 'forged', 'put out'] as const) {
        expect(await statusOf(stranger, route, '/api'), stranger).toBe(401);
      }
      if (!route.startsWith('DELETE')) expect(await statusOf('agent', route, '/api')).toBe(200);
    },
  );

  it('does not depend on how quickly the token is looked at (A5)', async () => {
    const base = `/api/workspaces/${owner.workspaceId}`;
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        statusOf(index % 2 === 0 ? 'forged' : 'put out', 'GET /contacts', base),
      ),
    );
    expect(new Set(answers)).toEqual(new Set([401]));
  });
});

describe('files over HTTP', () => {
  const upload = (content: BodyInit, headers: Record<string, string>) =>
    fetch(`${server.url}/api/workspaces/${owner.workspaceId}/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${people.agent}`,
        'content-type': 'application/octet-stream',
        ...headers,
      },
      body: content,
    });
  const download = (fileId: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/api/workspaces/${owner.workspaceId}/files/${fileId}`, {
      headers: { authorization: `Bearer ${people.agent}`, ...headers },
    });

  it.each([
    ['picture.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
    ['page.png', '<!doctype html><script>alert(1)</script>'],
    ['image.gif', 'GIF89a/*\u0001*/=1;alert(1)//'],
    ['letter.pdf', '%PDF-1.4\n<html><script>alert(1)</script>'],
  ])('%s is never shown, only downloaded, and can run nothing (F1, F2)', async (name, content) => {
    const { fileId } = (await (await upload(content, { 'x-file-name': name })).json()) as { fileId: string };
    const answer = await download(fileId);
    expect(await answer.text()).toBe(content);
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="/);
    expect(answer.headers.get('content-type')).not.toMatch(/html|svg|xml|javascript|image/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/);
  });

  it('shows a picture, whole or in part', async () => {
    const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(1_000, 7)]);
    const { fileId } = (await (await upload(png, { 'x-file-name': 'a.png' })).json()) as { fileId: string };
    const whole = await download(fileId);
    expect(whole.headers.get('content-type')).toBe('image/png');
    expect(whole.headers.get('content-disposition')).toMatch(/^inline/);
    const part = await download(fileId, { range: 'bytes=8-17' });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe('bytes 8-17/1008');
    expect(Buffer.from(await part.arrayBuffer())).toEqual(Buffer.alloc(10, 7));
    expect((await download(fileId, { range: 'bytes=2000-' })).status).toBe(416);
  });

  it('keeps CR and LF of a name out of every header (A16)', async () => {
    const name = encodeURIComponent('a\r\nSet-Cookie: x=1\r\n\r\n<b>.txt');
    const { fileId } = (await (await upload('x', { 'x-file-name': name })).json()) as { fileId: string };
    const answer = await download(fileId);
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(answer.headers.get('content-disposition')).not.toMatch(/[\r\n<>]/);
    expect((await upload('x', {})).status).toBe(400);
    expect((await upload('x', { 'x-file-name': '%E0%A4%A' })).status).toBe(400);
  });

  it('answers the same for a file of another workspace, an old link and a guess (F5, A7)', async () => {
    for (const fileId of ['no-such-file', '..%2f..%2fsecret-key', '%252e%252e', 'a%00b', '%5c..%5c']) {
      expect((await download(fileId)).status).toBe(404);
    }
  });

  it('refuses two gigabytes by their declared length, before a byte is read', async () => {
    const { request } = await import('node:http');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(
        `${server.url}/api/workspaces/${owner.workspaceId}/files`,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${people.agent}`,
            'content-type': 'application/octet-stream',
            'content-length': String(2 * 1024 ** 3),
            'x-file-name': 'huge.bin',
          },
        },
        (answer) => {
          resolve(answer.statusCode);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.flushHeaders();
    });
    expect(status).toBe(413);
  });
});
