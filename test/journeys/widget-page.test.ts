import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openPage } from './browser.js';
import { type ServerProcess, startServer } from './server.js';

/** The built widget on the demo shop's page, whose policy is as strict as a careful site's, against a real server. */

let server: ServerProcess;
let browser: Browser;
let accessToken = '';
let workspaceId = '';

async function api<Answer>(path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${server.url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      ...(accessToken && { authorization: `Bearer ${accessToken}` }),
      ...(body && { 'content-type': 'application/json', origin: server.url }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const read: Answer & { error?: { code: string } } = await answer.json();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${read.error?.code}`);
  return read;
}

beforeAll(async () => {
  server = await startServer();
  browser = await openBrowser();
  const owner = { name: 'Anna Weber', email: 'anna@kestrel.example', password: 'correct horse battery' };
  const set = await api<{ accessToken: string }>('/api/setup', {
    ...owner,
    token: server.setupToken(),
    workspace: 'Kestrel Cycles',
  });
  accessToken = set.accessToken;
  const me = await api<{ workspaces: { id: string }[] }>('/api/me');
  workspaceId = me.workspaces[0]?.id ?? '';
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await server?.remove();
});

const inPanel = <Result>(page: Page, work: (root: ShadowRoot) => Result): Promise<Result> =>
  page.evaluate(
    `(${work})(document.querySelector('threadline-widget').shadowRoot.querySelector('threadline-panel').shadowRoot)`,
  ) as Promise<Result>;

const until = (page: Page, what: string): Promise<unknown> =>
  page.waitForFunction(
    `(() => { const host = document.querySelector('threadline-widget')?.shadowRoot;
      const root = host?.querySelector('threadline-panel')?.shadowRoot;
      const launcher = host?.querySelector('button'); return ${what}; })()`,
    { timeout: 30_000 },
  );

const press = (page: Page): Promise<void> =>
  page.evaluate(() =>
    document.querySelector('threadline-widget')?.shadowRoot?.querySelector('button')?.click(),
  );

async function write(page: Page, text: string): Promise<void> {
  await until(page, `root?.querySelector('textarea')`);
  await inPanel(page, (root) => root.querySelector('textarea')?.focus());
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

interface Watched {
  page: Page;
  requests: string[];
  errors: string[];
  close: () => Promise<void>;
}

async function visit(): Promise<Watched> {
  const { page, errors, close } = await openPage(browser, { width: 1_280, height: 800 });
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.evaluateOnNewDocument(() => {
    const found: string[] = [];
    Object.assign(window, { violations: found });
    addEventListener('securitypolicyviolation', (event) => {
      found.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  await page.goto(`${server.url}/demo`, { waitUntil: 'load' });
  await until(page, 'launcher');
  return { page, requests, errors, close };
}

describe('the widget on a page', () => {
  it('asks for nothing but itself, opens no socket and keeps nothing before it is opened', async () => {
    const { page, requests, close } = await visit();
    expect(requests.filter((url) => /threadline\.js|\/assets\/|\/v1\/|socket\.io/.test(url))).toEqual([
      `${server.url}/threadline.js`,
    ]);
    expect(await page.evaluate(() => [localStorage.length, document.cookie])).toEqual([0, '']);
    await close();
  });

  it('C3: chats under a strict policy with Trusted Types, without a violation and without a foreign host', async () => {
    const { page, requests, errors, close } = await visit();
    await press(page);
    await write(page, 'Is my bike ready?');
    await until(page, `[...root.querySelectorAll('.st')].some((one) => one.textContent.trim() === 'Sent')`);
    await page.reload();
    await until(page, 'launcher');
    await press(page);
    await until(page, `root?.querySelectorAll('.me').length === 1`);
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(server.url) && !url.startsWith('blob:'))).toEqual([]);
    expect(errors).toEqual([]);
    await close();
  });

  it('shows an answer that came while the visitor was away as unread, before anything is opened', async () => {
    const { page, close } = await visit();
    await press(page);
    await write(page, 'Do you ship to Lyon?');
    await until(page, `[...root.querySelectorAll('.st')].some((one) => one.textContent.trim() === 'Sent')`);
    await page.goto('about:blank');
    const { rows } = await api<{ rows: { id: string; snippet: string }[] }>(
      `/api/workspaces/${workspaceId}/conversations?view=all`,
    );
    const mine = rows.find(({ snippet }) => snippet.includes('Lyon'));
    await api(`/api/workspaces/${workspaceId}/conversations/${mine?.id}/events`, {
      clientId: 'answer-from-anna',
      conversationId: mine?.id,
      mode: 'reply',
      text: 'Yes, in four to six days.',
      attachments: [],
      waitedMs: 0,
    });
    await page.goto(`${server.url}/demo`);
    await until(page, `launcher?.getAttribute('aria-label') === 'Chat with us, unread: 1'`);
    await press(page);
    await until(
      page,
      `[...root?.querySelectorAll('.ag .b') ?? []].some((one) => one.textContent.includes('four to six'))`,
    );
    await until(
      page,
      `[...root.querySelectorAll('.st')].every((one) => one.textContent.trim() !== 'Not sent.')`,
    );
    await close();
  });

  it('shows the next person at this browser nothing of the one before', async () => {
    const { page, close } = await visit();
    await press(page);
    await write(page, 'My address is 5 Elm Road.');
    await until(page, `[...root.querySelectorAll('.st')].some((one) => one.textContent.trim() === 'Sent')`);
    const before = await page.evaluate(() => JSON.stringify(localStorage));
    await page.evaluate('window.Threadline.signOut()');
    await until(page, `root.querySelectorAll('.m').length === 0`);
    await page.reload();
    await until(page, 'launcher');
    await press(page);
    await until(page, `root?.querySelector('textarea')`);
    await until(page, `root.querySelector('.qr, .big')`);
    expect(await inPanel(page, (root) => root.textContent)).not.toContain('Elm Road');
    const token = /"token\\?":\\?"([^"\\]+)/.exec(before)?.[1];
    const answer = await fetch(`${server.url}/v1/visitor/unread`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(401);
    await close();
  });
});
