import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationList } from '../../shared/api.js';
import type { EventPage } from '../../shared/events/timeline.js';
import { openBrowser, openPage } from './browser.js';
import { type Middlebox, openMiddlebox } from './middlebox.js';
import { type ServerProcess, type StoreProcess, startServer, startStore } from './server.js';

/**
 * The chat on networks as they are: two server processes on one store behind a balancer that takes turns, with a
 * middlebox in it that refuses WebSocket, lets it hang, or cuts. Real Chromium; whatever is said stands there once.
 */

let store: StoreProcess;
const servers: ServerProcess[] = [];
let middlebox: Middlebox;
let browser: Browser;
let accessToken = '';
let workspaceId = '';

let asks = 0;
/** A request of an agent's, past the middlebox; each goes to the other process than the one before. */
async function api<Answer>(path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${servers[asks++ % servers.length]?.url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      ...(accessToken && { authorization: `Bearer ${accessToken}` }),
      ...(body && { 'content-type': 'application/json', origin: middlebox.url }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${await answer.text()}`);
  return answer.json() as Promise<Answer>;
}

beforeAll(async () => {
  const ports: number[] = [];
  middlebox = await openMiddlebox(ports);
  store = await startStore();
  const env = {
    MONGODB_URI: store.uri,
    SECRET_KEY: 'a secret of these tests and of nothing else 1234',
    PUBLIC_URL: middlebox.url,
  };
  // One after the other: the first makes the workspace.
  for (let number = 0; number < 2; number += 1) {
    const server = await startServer(env);
    servers.push(server);
    ports.push(Number(new URL(server.url).port));
  }
  const owner = { name: 'Anna Weber', email: 'anna@kestrel.example', password: 'correct horse battery' };
  const token = servers[0]?.setupToken();
  ({ accessToken } = await api<{ accessToken: string }>('/api/setup', {
    ...owner,
    token,
    workspace: 'Kestrel Cycles',
  }));
  const me = await api<{ workspaces: { id: string }[] }>('/api/me');
  workspaceId = me.workspaces[0]?.id ?? '';
  const inboxId = /data-inbox="([^"]+)"/.exec(await (await fetch(`${middlebox.url}/demo`)).text())?.[1];
  const snippet = `<script src="${middlebox.url}/threadline.js" data-inbox="${inboxId}" async></script>`;
  middlebox.pages['/shop'] = `<!doctype html><title>Shop</title><p>Bikes.</p>${snippet}`;
  middlebox.pages['/cart'] = '<!doctype html><title>Cart</title><p>Nothing in it.</p>';
  browser = await openBrowser();
}, 120_000);

afterEach(async () => {
  middlebox.cut();
  await expect.poll(() => middlebox.sockets(), { timeout: 30_000 }).toBe(0);
  Object.assign(middlebox, { upgrades: 'pass', cutAfterMs: Number.POSITIVE_INFINITY });
});

afterAll(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.remove()));
  await store?.stop();
  await middlebox?.close();
});

const until = (page: Page, what: string): Promise<unknown> =>
  page.waitForFunction(
    `(() => { const host = document.querySelector('threadline-widget')?.shadowRoot;
      const root = host?.querySelector('threadline-panel')?.shadowRoot;
      const launcher = host?.querySelector('button'); return ${what}; })()`,
    { timeout: 30_000, polling: 50 },
  );

async function openChat(page: Page): Promise<void> {
  await until(page, 'launcher');
  await page.evaluate(() =>
    document.querySelector('threadline-widget')?.shadowRoot?.querySelector('button')?.click(),
  );
  await until(page, `root?.querySelector('textarea')`);
}

/** Writes and goes on at once, as people do. */
async function write(page: Page, text: string): Promise<void> {
  // Keys go to the tab that is looked at.
  await page.bringToFront();
  await page.evaluate(() =>
    document
      .querySelector('threadline-widget')
      ?.shadowRoot?.querySelector('threadline-panel')
      ?.shadowRoot?.querySelector('textarea')
      ?.focus(),
  );
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

/** All that stands in the chat, in its order. */
const shown = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const root = document
      .querySelector('threadline-widget')
      ?.shadowRoot?.querySelector('threadline-panel')?.shadowRoot;
    return [...(root?.querySelectorAll('.m .b') ?? [])].map((one) => (one.textContent ?? '').trim());
  });

/** Waits until the chat shows exactly this, all of it arrived. */
async function showsAll(page: Page, texts: readonly string[]): Promise<void> {
  const last = `${texts.length} && !root.querySelector('.waiting, .bar')`;
  await until(page, `root?.querySelectorAll('.m .b').length === ${last}`);
  expect(await shown(page)).toEqual(texts);
}

/** What the server keeps of the conversation that holds this text. */
async function kept(text: string): Promise<{ id: string; texts: string[] }> {
  const { rows } = await api<ConversationList>(`/api/workspaces/${workspaceId}/conversations?view=all`);
  for (const { id } of rows) {
    const path = `/api/workspaces/${workspaceId}/conversations/${id}/events?after=0`;
    const { events } = await api<EventPage>(path);
    const texts = events.flatMap((event) => (event.kind === 'message' ? [event.body?.text ?? ''] : []));
    if (texts.includes(text)) return { id, texts };
  }
  throw new Error(`no conversation holds ${text}`);
}

let answers = 0;
const answer = (conversationId: string, text: string): Promise<unknown> =>
  api(`/api/workspaces/${workspaceId}/conversations/${conversationId}/events`, {
    clientId: `answer-number-${++answers}`,
    conversationId,
    mode: 'reply',
    text,
    attachments: [],
    waitedMs: 0,
  });

async function visit(): Promise<{ page: Page; close(): Promise<void> }> {
  const { page, close } = await openPage(browser, { width: 1_280, height: 800 });
  await page.goto(`${middlebox.url}/shop`);
  await openChat(page);
  return { page, close };
}

/** Another tab of the same browser. */
async function anotherTab(page: Page): Promise<Page> {
  const tab = await page.browserContext().newPage();
  await tab.goto(`${middlebox.url}/shop`);
  await openChat(tab);
  return tab;
}

describe('where WebSocket is refused, over two processes in turns', () => {
  it('a visitor and an agent chat, the page is loaded again, and each word stands there once, in order', async () => {
    middlebox.upgrades = 'refuse';
    const { page, close } = await visit();
    const first = middlebox.asked.length;
    await write(page, 'The motor cuts out.');
    await write(page, 'On climbs, mostly.');
    await write(page, 'What can I do?');
    const said = ['The motor cuts out.', 'On climbs, mostly.', 'What can I do?'];
    await showsAll(page, said);
    const { id } = await kept('What can I do?');
    await answer(id, 'Is there an error code?');
    await answer(id, 'It stands on the display.');
    said.push('Is there an error code?', 'It stands on the display.');
    await showsAll(page, said);
    await write(page, 'E-07.');
    // In that very moment: its outbox holds it.
    await page.reload();
    await openChat(page);
    said.push('E-07.');
    await showsAll(page, said);
    await answer(id, 'That is the speed sensor.');
    said.push('That is the speed sensor.');
    await showsAll(page, said);
    expect((await kept('E-07.')).texts).toEqual(said);
    // It was HTTP, and both processes took part.
    expect(middlebox.sockets()).toBe(0);
    const posts = middlebox.asked.slice(first).filter(({ path }) => path.startsWith('/v1/visitor/requests/'));
    expect(new Set(posts.map(({ server }) => server)).size).toBe(2);
    await close();
  });

  it('goes back to WebSocket when that gets through, in the same conversation', async () => {
    middlebox.upgrades = 'refuse';
    const { page, close } = await visit();
    await write(page, 'By post.');
    await showsAll(page, ['By post.']);
    middlebox.upgrades = 'pass';
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await expect.poll(() => middlebox.sockets(), { timeout: 30_000 }).toBe(1);
    await write(page, 'By socket.');
    await answer((await kept('By post.')).id, 'Heard both.');
    await showsAll(page, ['By post.', 'By socket.', 'Heard both.']);
    await close();
  });
});

describe('S13: behind a middlebox', () => {
  it.each(['pass', 'hang'] as const)(
    'that cuts every connection early, upgrades "%s": all that is said arrives once, in order',
    async (upgrades) => {
      middlebox.upgrades = upgrades;
      const { page, close } = await visit();
      const said = ['one', 'two', 'three', 'four'].map((word) => `${word} ${upgrades}`);
      await write(page, said[0] ?? '');
      await showsAll(page, said.slice(0, 1));
      middlebox.cutAfterMs = 700;
      middlebox.cut();
      for (const text of said.slice(1)) {
        const { cuts } = middlebox;
        await write(page, text);
        // Each is written on another connection than the one before.
        await expect.poll(() => middlebox.cuts, { timeout: 30_000 }).toBeGreaterThan(cuts);
      }
      await expect.poll(() => kept(said[3] ?? '').catch(() => null), { timeout: 30_000 }).not.toBeNull();
      const { id } = await kept(said[3] ?? '');
      await answer(id, `answer ${upgrades}`);
      said.push(`answer ${upgrades}`);
      middlebox.cutAfterMs = Number.POSITIVE_INFINITY;
      await showsAll(page, said);
      expect((await kept(`answer ${upgrades}`)).texts).toEqual(said);
      await close();
    },
  );

  it('that lets nothing through says so, keeps what is written, and sends it when something does', async () => {
    const { page, close } = await visit();
    await write(page, 'Before the tunnel.');
    await showsAll(page, ['Before the tunnel.']);
    middlebox.cutAfterMs = 0;
    middlebox.cut();
    await until(page, `root.querySelector('.bar')?.textContent.includes('No connection.')`);
    await write(page, 'In the tunnel.');
    await until(page, `root.querySelectorAll('.waiting').length === 1`);
    middlebox.cutAfterMs = Number.POSITIVE_INFINITY;
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await showsAll(page, ['Before the tunnel.', 'In the tunnel.']);
    await close();
  });
});

describe('several tabs of one visitor', () => {
  it('share one connection; the one that leads is closed in the middle of sending, and each text arrives once', async () => {
    const { page: first, close } = await visit();
    await write(first, 'From the first tab.');
    await showsAll(first, ['From the first tab.']);
    const second = await anotherTab(first);
    await showsAll(second, ['From the first tab.']);
    await write(second, 'From the second tab.');
    await showsAll(first, ['From the first tab.', 'From the second tab.']);
    const third = await anotherTab(first);
    await showsAll(third, ['From the first tab.', 'From the second tab.']);
    await expect.poll(() => middlebox.sockets(), { timeout: 30_000 }).toBe(1);

    const said = ['From the first tab.', 'From the second tab.'];
    for (const text of ['one', 'two', 'three']) await write(first, text);
    await first.close();
    said.push('one', 'two', 'three');
    await showsAll(second, said);
    await write(third, 'After it was closed.');
    said.push('After it was closed.');
    await showsAll(second, said);
    await showsAll(third, said);
    expect((await kept('After it was closed.')).texts).toEqual(said);
    await expect.poll(() => middlebox.sockets(), { timeout: 30_000 }).toBe(1);
    await close();
  });

  it('W8: forget a person together, whichever of them signs out', async () => {
    const { page: first, close } = await visit();
    await write(first, 'My address is 5 Elm Road.');
    await showsAll(first, ['My address is 5 Elm Road.']);
    const second = await anotherTab(first);
    await showsAll(second, ['My address is 5 Elm Road.']);
    await second.evaluate('window.Threadline.signOut()');
    for (const page of [first, second]) {
      await until(page, `root.querySelectorAll('.m').length === 0 && root.querySelector('.big')`);
      expect(await page.evaluate(() => document.body.innerHTML)).not.toContain('Elm Road');
    }
    await write(first, 'Somebody else.');
    await showsAll(second, ['Somebody else.']);
    await close();
  });
});

describe('a page that goes away and comes back', () => {
  it('out of the back-forward cache has everything once, and W8: nothing of a person who is gone', async () => {
    const { page, close } = await visit();
    await write(page, 'Before I go.');
    await showsAll(page, ['Before I go.']);
    const { id } = await kept('Before I go.');
    // What the page shows before anything else can happen.
    await page.evaluate(() => {
      addEventListener('pageshow', ({ persisted }) =>
        queueMicrotask(() => {
          const root = document
            .querySelector('threadline-widget')
            ?.shadowRoot?.querySelector('threadline-panel')?.shadowRoot;
          Object.assign(window, { back: { persisted, lines: root?.querySelectorAll('.m').length } });
        }),
      );
    });
    await page.goto(`${middlebox.url}/cart`);
    await expect.poll(() => middlebox.sockets(), { timeout: 30_000 }).toBe(0);
    await answer(id, 'While you were away.');
    await page.goBack();
    expect(await page.evaluate('window.back')).toEqual({ persisted: true, lines: 1 });
    await showsAll(page, ['Before I go.', 'While you were away.']);
    await write(page, 'Here I am.');
    await showsAll(page, ['Before I go.', 'While you were away.', 'Here I am.']);

    await page.goto(`${middlebox.url}/cart`);
    const other = await anotherTab(page);
    await other.evaluate('window.Threadline.signOut()');
    await until(other, `root.querySelectorAll('.m').length === 0 && root.querySelector('.big')`);
    await page.goBack();
    expect(await page.evaluate('window.back')).toEqual({ persisted: true, lines: 0 });
    await until(page, `root.querySelector('.big')`);
    await close();
  });
});
