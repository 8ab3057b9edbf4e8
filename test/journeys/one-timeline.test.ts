import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoSignInLink } from '../../server/http/demo/session.js';
import type { ContactList, TimelinePage } from '../../shared/api.js';
import { openBrowser, openPage, picture } from './browser.js';
import { type ServerProcess, type StoreProcess, startServer, startStore } from './server.js';

/**
 * The main job, as its users do it: a visitor writes, their letters and calls are brought in, an agent sees one
 * timeline and answers, and both load their pages again. Real server, real store, real Chromium.
 */

const customer = {
  id: 'kc-20871',
  name: 'Daniel Okafor',
  email: 'daniel@okafor.example',
  phone: '+447700900341',
};
const owner = {
  workspace: 'Kestrel Cycles',
  name: 'Anna Weiss',
  email: 'anna@kestrel.example',
  password: 'correct horse battery',
};
const secretKey = 'a secret of these tests and of nothing else 1234';

const letter = (name: string, day: number, subject: string, text: string) => ({
  name,
  content: [
    'Authentication-Results: mx.kestrel.example; dmarc=pass (p=REJECT) header.from=okafor.example',
    `Received: from mail.okafor.example by mx.kestrel.example with ESMTPS; ${String(day).padStart(2, '0')} Nov 2026 12:40:05 +0000`,
    'From: Daniel Okafor <daniel@okafor.example>',
    'To: help@kestrel.example',
    `Date: ${String(day).padStart(2, '0')} Nov 2026 12:40:00 +0000`,
    `Subject: ${subject}`,
    `Message-ID: <${name}@okafor.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    text,
    '',
  ].join('\r\n'),
});
const letters = [
  letter('invoice', 9, 'Invoice KC-20871', 'The invoice shows the wrong address.'),
  letter('thanks', 12, 'Thank you', 'Thank you for the corrected invoice.'),
];
const call =
  '"","+447700900341","200","from-trunk","""Daniel"" <+447700900341>","PJSIP/trunk-1","PJSIP/200-2","Dial","PJSIP/200,30","2026-11-20 17:30:00","2026-11-20 17:30:12","2026-11-20 17:34:24","264","252","ANSWERED","DOCUMENTATION","1763659800.1",""\n';

const named = process.env.MONGODB_URI;
const places = named
  ? ['the replica set that MONGODB_URI names']
  : ['the store in the server', 'a store in another process'];

describe.each(places)('one timeline, on %s', (place) => {
  let browser: Browser;
  let server: ServerProcess;
  let store: StoreProcess | null = null;
  let files: string;
  let agent: Page;
  let visitor: Page;

  /** A request as the console makes it, from the agent's own page. */
  const api = <Answer>(path: string, body?: object): Promise<Answer> =>
    agent.evaluate(
      async (asked, sent) => {
        const session = await fetch('/api/sessions/refresh', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        });
        const { accessToken, agent: me } = await session.json();
        const answer = await fetch(`/api/workspaces/${me.workspaces[0].id}${asked}`, {
          headers: {
            authorization: `Bearer ${accessToken}`,
            ...(sent && { 'content-type': 'application/json' }),
          },
          ...(sent && { method: 'POST', body: sent }),
        });
        if (!answer.ok) throw new Error(`${asked} answered ${answer.status}`);
        return answer.json();
      },
      path,
      body && JSON.stringify(body),
    );

  const inPanel = (page: Page, what: string): Promise<unknown> =>
    page.waitForFunction(
      `(() => { const host = document.querySelector('threadline-widget')?.shadowRoot;
        const root = host?.querySelector('threadline-panel')?.shadowRoot;
        const launcher = host?.querySelector('button'); return ${what}; })()`,
      { timeout: 30_000, polling: 50 },
    );
  const openChat = async (): Promise<void> => {
    await inPanel(visitor, 'launcher');
    await visitor.evaluate(() =>
      document.querySelector('threadline-widget')?.shadowRoot?.querySelector('button')?.click(),
    );
    await inPanel(visitor, `root?.querySelector('textarea')`);
  };
  const say = async (text: string): Promise<void> => {
    await visitor.evaluate(() =>
      document
        .querySelector('threadline-widget')
        ?.shadowRoot?.querySelector('threadline-panel')
        ?.shadowRoot?.querySelector('textarea')
        ?.focus(),
    );
    await visitor.keyboard.type(text);
    await visitor.keyboard.press('Enter');
    await inPanel(
      visitor,
      `[...root.querySelectorAll('.st')].some((one) => one.textContent.trim() === 'Sent' || one.textContent.trim() === 'Seen')`,
    );
  };
  /** How often a text stands in the visitor's chat. */
  const said = (text: string): Promise<number> =>
    visitor.evaluate((wanted) => {
      const root = document
        .querySelector('threadline-widget')
        ?.shadowRoot?.querySelector('threadline-panel')?.shadowRoot;
      return (root?.textContent ?? '').split(wanted).length - 1;
    }, text);
  const shown = (selector: string, text = ''): Promise<unknown> =>
    agent.waitForFunction(
      (wanted, words) =>
        [...document.querySelectorAll(wanted)].some((one) => one.textContent?.includes(words)),
      { timeout: 30_000, polling: 50 },
      selector,
      text,
    );
  /** How often it stands in the open conversation. */
  const inConsole = (text: string): Promise<number> =>
    agent.evaluate(
      (wanted) =>
        [...document.querySelectorAll('.msg')].filter((one) => one.textContent?.includes(wanted)).length,
      text,
    );
  const openRow = async (words: string): Promise<void> => {
    await shown('.row', words);
    await agent.evaluate((wanted) => {
      const rows = [...document.querySelectorAll<HTMLElement>('.row')];
      rows.find((row) => row.textContent?.includes(wanted))?.click();
    }, words);
  };
  /** By the keyboard alone. */
  const answer = async (text: string): Promise<void> => {
    await shown('.msg');
    await agent.keyboard.press('r');
    await agent.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA', { timeout: 30_000 });
    await agent.keyboard.type(text);
    await agent.keyboard.down('Control');
    await agent.keyboard.press('Enter');
    await agent.keyboard.up('Control');
  };
  const channelsOf = async (contactId: string): Promise<string[]> => {
    const page = await api<TimelinePage>(`/contacts/${contactId}/timeline`);
    const order = page.events.map(({ occurredAt }) => occurredAt);
    expect(order).toEqual([...order].sort().reverse());
    return page.events
      .filter(({ kind }) => ['message', 'email', 'call'].includes(kind))
      .map(({ kind }) => kind);
  };

  async function begin(): Promise<void> {
    server = await startServer({
      TRUSTED_AUTH_HOST: 'mx.kestrel.example',
      SECRET_KEY: secretKey,
      ...(named || store ? { MONGODB_URI: named ?? (store?.uri as string) } : {}),
    });
    files = mkdtempSync(join(tmpdir(), 'threadline-mail-'));
    for (const { name, content } of letters) writeFileSync(join(files, `${name}.eml`), content);
    writeFileSync(join(files, 'Master.csv'), call);
    agent = (await openPage(browser, { width: 1_440, height: 900 })).page;
    await agent.goto(`${server.url}/#setup=${server.setupToken()}`);
    for (const [name, value] of Object.entries(owner)) {
      const field = await agent.waitForSelector(`input[name="${name}"]`);
      await field?.type(value);
    }
    await agent.keyboard.press('Enter');
    await shown('.nav, nav, .views', 'Unassigned');
    visitor = (await openPage(browser, { width: 1_280, height: 800 })).page;
    await visitor.goto(demoSignInLink({ secretKey, publicUrl: server.url }, customer));
  }
  async function end(): Promise<void> {
    await agent?.browserContext().close();
    await visitor?.browserContext().close();
    await server?.remove();
    rmSync(files, { recursive: true, force: true });
  }
  const importMail = async (): Promise<void> => {
    for (const { name } of letters) {
      const { code, stderr } = await server.cli([
        'mail',
        'import',
        join(files, `${name}.eml`),
        '--address',
        'help@kestrel.example',
      ]);
      expect(code, stderr).toBe(0);
    }
  };
  const importCalls = async (): Promise<void> => {
    const { code, stderr } = await server.cli(['calls', 'import', join(files, 'Master.csv')]);
    expect(code, stderr).toBe(0);
  };
  const workspaceId = (): Promise<string> =>
    agent.evaluate(() => /\/w\/([^/]+)/.exec(location.pathname)?.[1] ?? '');
  const contacts = async () => (await api<ContactList>('/contacts')).rows;

  beforeAll(async () => {
    browser = await openBrowser();
    if (place === 'a store in another process') store = await startStore();
    await begin();
  }, 120_000);
  afterAll(async () => {
    await end();
    await store?.stop();
    await browser?.close();
  });

  it('chat, then the letters, then the call: the agent sees one story and answers, and nothing is lost or doubled', async () => {
    await importMail();
    await shown('a', 'All open');
    await agent.evaluate(() => {
      const views = [...document.querySelectorAll<HTMLElement>('a')];
      views.find((view) => view.textContent?.includes('All open'))?.click();
    });
    await openChat();
    await say('The motor cuts out on climbs.');
    await importCalls();
    await shown('.row', 'cuts out');
    // What a command brought in is read with the next look at the list.
    await agent.reload();
    await shown('a', 'All open');
    await agent.evaluate(() => {
      const views = [...document.querySelectorAll<HTMLElement>('a')];
      views.find((view) => view.textContent?.includes('All open'))?.click();
    });
    await shown('.row', 'Daniel Okafor');
    const daniel = (await contacts()).filter(({ email }) => email === customer.email);
    expect(daniel).toHaveLength(1);
    const contactId = daniel[0]?.id ?? '';
    expect(await channelsOf(contactId)).toEqual(['message', 'call', 'email', 'email']);

    await openRow('cuts out');
    await shown('.msg', 'The motor cuts out on climbs.');
    for (const knot of ['chat', 'mail', 'phone']) await shown(`.tl .knot.${knot}, .knot.${knot}`);
    await answer('That is the speed sensor.');
    await inPanel(visitor, `root.textContent.includes('That is the speed sensor.')`);
    await picture(agent, 'journey-console');
    await picture(visitor, 'journey-widget');

    await Promise.all([agent.reload(), visitor.reload()]);
    await shown('.msg', 'That is the speed sensor.');
    await openChat();
    await inPanel(visitor, `root.textContent.includes('That is the speed sensor.')`);
    expect(await said('The motor cuts out on climbs.')).toBe(1);
    expect(await said('That is the speed sensor.')).toBe(1);
    expect(await inConsole('The motor cuts out on climbs.')).toBe(1);
    expect(await inConsole('That is the speed sensor.')).toBe(1);
    expect(await channelsOf(contactId)).toEqual(['message', 'message', 'call', 'email', 'email']);
  });

  it('survives kill -9 with both pages open: what is said next arrives once, and nobody loads anything again', async () => {
    await server.kill();
    await visitor.evaluate(() =>
      document
        .querySelector('threadline-widget')
        ?.shadowRoot?.querySelector('threadline-panel')
        ?.shadowRoot?.querySelector('textarea')
        ?.focus(),
    );
    await visitor.keyboard.type('Are you still there?');
    await visitor.keyboard.press('Enter');
    await server.restart();
    await shown('.msg', 'Are you still there?');
    expect(await said('Are you still there?')).toBe(1);
    const page = await api<TimelinePage>(
      `/contacts/${(await contacts()).find(({ email }) => email === customer.email)?.id}/timeline`,
    );
    expect(
      page.events.filter(
        ({ kind, body }) => kind === 'message' && 'text' in body && body.text === 'Are you still there?',
      ),
    ).toHaveLength(1);
  });

  it('keeps what the agent writes in the moment in which the page is left', async () => {
    await shown('.msg', 'Are you still there?');
    await agent.keyboard.press('r');
    await agent.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA', { timeout: 30_000 });
    await agent.keyboard.type('One moment, please.');
    const loaded = agent.waitForNavigation();
    // In one task: nothing that the page would do next is done.
    await agent.evaluate(() => {
      const pressed = { key: 'Enter', ctrlKey: true, bubbles: true, composed: true, cancelable: true };
      document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', pressed));
      location.reload();
    });
    await loaded;
    await shown('.msg', 'One moment, please.');
    await inPanel(visitor, `root.textContent.includes('One moment, please.')`);
    expect(await inConsole('One moment, please.')).toBe(1);
    expect(await said('One moment, please.')).toBe(1);
  });

  it('tells a caller it cannot place apart, suggests the customer, and one key joins them; undone by a click, all is as before', async (context) => {
    if (named) context.skip('needs an empty database of its own');
    await end();
    if (store) {
      await store.stop();
      store = await startStore();
    }
    await begin();
    await importCalls();
    await importMail();
    await openChat();
    await say('Could somebody call me back?');
    const apart = await contacts();
    const daniel = apart.find(({ name }) => name === customer.name);
    const caller = apart.find(({ phone, proved }) => phone === customer.phone && !proved);
    expect([daniel, caller]).not.toContain(undefined);
    const id = daniel?.id ?? '';
    const before = await channelsOf(id);
    expect(before).toEqual(['message', 'email', 'email']);
    expect(await channelsOf(caller?.id ?? '')).toEqual(['call']);
    await agent.goto(`${server.url}/w/${await workspaceId()}/contacts/${id}`);
    await shown('.same', customer.phone.slice(-3));
    await agent.keyboard.press('y');
    await agent.waitForSelector('.knot.phone', { timeout: 30_000 });
    for (const knot of ['chat', 'mail', 'phone']) await shown(`.knot.${knot}`);
    expect(await channelsOf(id)).toEqual(['message', 'call', 'email', 'email']);
    await agent.goto(`${server.url}/w/${await workspaceId()}/inbox/all`);
    await openRow('call me back');
    await answer('At five, on this number?');
    await inPanel(visitor, `root.textContent.includes('At five, on this number?')`);
    await Promise.all([agent.reload(), visitor.reload()]);
    await shown('.msg', 'At five, on this number?');
    await openChat();
    await inPanel(visitor, `root.textContent.includes('At five, on this number?')`);
    for (const text of ['Could somebody call me back?', 'At five, on this number?']) {
      expect(await said(text)).toBe(1);
      expect(await inConsole(text)).toBe(1);
    }
    expect(await channelsOf(id)).toEqual(['message', 'message', 'call', 'email', 'email']);

    await agent.goto(`${server.url}/w/${await workspaceId()}/contacts/${id}`);
    await agent.waitForSelector('.knot.phone', { timeout: 30_000 });
    await picture(agent, 'journey-merged');
    await agent.locator('.mergeev button').click();
    await agent.locator('dialog.ask footer .pri:not([disabled])').click();
    await agent.waitForFunction(() => document.querySelectorAll('.knot.phone').length === 0, {
      timeout: 30_000,
      polling: 50,
    });
    expect(await channelsOf(id)).toEqual(['message', ...before]);
    expect((await contacts()).map(({ id }) => id).toSorted()).toEqual(apart.map(({ id }) => id).toSorted());
  });
});
