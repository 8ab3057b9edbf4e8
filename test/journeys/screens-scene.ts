import type { Browser, Page } from 'puppeteer-core';
import { demoSignInLink } from '../../server/http/demo/session.js';
import type { ContactDetail, ContactList, ConversationList, InboxSummary, Me } from '../../shared/api.js';
import { openPage, type View } from './browser.js';
import { callRecord, type Exchange, startExchange } from './screens-exchange.js';
import { type ServerProcess, startServer } from './server.js';

/**
 * What the screens show: a workspace as `threadline demo` fills it, and one of its customers who is on the shop's page
 * right now. Everything came in by the door that real messages use.
 */

const secretKey = 'a secret of these pictures and of nothing else 42';
const owner = { name: 'Anna Weiss', email: 'anna@kestrel.example', password: 'correct horse battery' };
const customer = {
  id: 'kc-20871',
  name: 'Inês Carvalho',
  email: 'ines@carvalho-arq.example',
  phone: '+351912345678',
};

export interface Watched {
  page: Page;
  /** What the page's console said and what its policy refused, since it was asked last. */
  complaints(): Promise<string[]>;
  close(): Promise<void>;
}

/** A page that keeps what it and its policy complain about. */
export async function watch(browser: Browser, view: View): Promise<Watched> {
  const { page, errors, close } = await openPage(browser, view);
  const refused: string[] = [];
  await page.exposeFunction('tellRefused', (what: string) => refused.push(what));
  await page.evaluateOnNewDocument(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => {
      (globalThis as unknown as { tellRefused(what: string): void }).tellRefused(
        `refused by ${violatedDirective}: ${blockedURI} ${sample}`,
      );
    });
  });
  return {
    page,
    complaints: async () => {
      await page.evaluate('0');
      return [...errors.splice(0), ...refused.splice(0)];
    },
    close,
  };
}

/** Three days ago the customer called in vain, and was called back by nobody: they called again and were heard. */
async function importCalls(server: ServerProcess, { origin, elsewhere }: Exchange): Promise<void> {
  const to = '+442079460100';
  const from = customer.phone;
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  const day = 24 * 60;
  const calls = [
    { id: 'in-vain', from, to, extension: '101', at: minutesAgo(3 * day + 4), talkSeconds: 0 },
    {
      id: 'heard',
      from,
      to,
      extension: '101',
      at: minutesAgo(3 * day),
      talkSeconds: 252,
      recordUrl: `${origin}/rec/252.wav`,
    },
    {
      id: 'apart',
      from,
      to,
      extension: '102',
      at: minutesAgo(8 * day),
      talkSeconds: 61,
      recordUrl: `${elsewhere}/rec/61.wav`,
    },
  ];
  for (const call of calls) {
    const { code, stderr } = await server.cli(['calls', 'import', '-'], callRecord(call));
    if (code !== 0) throw new Error(`threadline calls import: ${stderr}`);
  }
}

export interface Scene {
  server: ServerProcess;
  /** Stops everything and removes its data. */
  remove(): Promise<void>;
  workspaceId: string;
  /** A request to the API, as the owner; `w` within the workspace. */
  api<Answer>(method: string, path: string, body?: object): Promise<Answer>;
  w<Answer>(method: string, path: string, body?: object): Promise<Answer>;
  /** The console's language is the person's, and the server keeps it. */
  speak(locale: 'en' | 'ru'): Promise<void>;
  contact(name: string): Promise<ContactDetail>;
  /** The conversation whose last words these are. */
  conversation(snippet: string): Promise<string>;
  say(conversationId: string, mode: 'reply' | 'note', text: string): Promise<unknown>;
  /** A console page, signed in. */
  agent(view: View): Promise<Watched>;
  /** The demo shop, as a stranger or as a customer whom the shop knows. */
  visitor(view: View, who: 'stranger' | 'customer'): Promise<Watched>;
}

export async function setScene(browser: Browser): Promise<Scene> {
  const exchange = await startExchange();
  const server = await startServer({ SECRET_KEY: secretKey, RECORDING_ORIGINS: exchange.origin });
  let accessToken = '';
  async function api<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    const answer = await fetch(`${server.url}${path}`, {
      method,
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
  const set = await api<{ accessToken: string }>('POST', '/api/setup', {
    ...owner,
    token: server.setupToken(),
    workspace: 'Kestrel Cycles',
  });
  accessToken = set.accessToken;
  const workspaceId = (await api<Me>('GET', '/api/me')).workspaces[0]?.id ?? '';
  const w = <Answer>(method: string, path: string, body?: object): Promise<Answer> =>
    api(method, `/api/workspaces/${workspaceId}${path}`, body);
  const { inboxes } = await w<{ inboxes: InboxSummary[] }>('GET', '/inboxes');
  const settings: Record<InboxSummary['channel'], object> = {
    chat: {
      name: 'Kestrel Cycles',
      greeting: 'Hello. Ask us about a bike, an order or a repair.',
      quickReplies: ['Where is my order?', 'Book a service', 'Help me choose a size'],
    },
    email: { name: 'Help mailbox' },
    phone: { name: 'Workshop line' },
  };
  for (const { id, channel } of inboxes) await w('PATCH', `/inboxes/${id}`, settings[channel]);
  const { code, stderr } = await server.cli(['demo']);
  if (code !== 0) throw new Error(`threadline demo: ${stderr}`);
  await importCalls(server, exchange);

  return {
    server,
    remove: async () => void (await Promise.all([server.remove(), exchange.close()])),
    workspaceId,
    api,
    w,
    speak: async (locale) => void (await api('PATCH', '/api/me', { locale })),
    async contact(name) {
      const { rows } = await w<ContactList>('GET', `/contacts?query=${encodeURIComponent(name)}`);
      return w('GET', `/contacts/${rows[0]?.id}`);
    },
    async conversation(snippet) {
      const until = performance.now() + 30_000;
      for (;;) {
        const { rows } = await w<ConversationList>('GET', '/conversations?view=all&sort=recent');
        const found = rows.find((row) => row.snippet.includes(snippet));
        if (found) return found.id;
        if (performance.now() > until)
          throw new Error(
            `no conversation with "${snippet}" among ${rows.map((row) => row.snippet).join(' | ')}`,
          );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    say: (conversationId, mode, text) =>
      w('POST', `/conversations/${conversationId}/events`, {
        clientId: crypto.randomUUID(),
        conversationId,
        mode,
        text,
        attachments: [],
        waitedMs: 0,
      }),
    async agent(view) {
      const watched = await watch(browser, view);
      await watched.page.goto(`${server.url}/sign-in`);
      for (const name of ['email', 'password'] as const)
        await (await watched.page.waitForSelector(`input[name="${name}"]`))?.type(owner[name]);
      await watched.page.keyboard.press('Enter');
      await watched.page.waitForSelector('tl-list');
      // Nobody was signed in when the page came: that question was answered 401.
      await watched.complaints();
      return watched;
    },
    async visitor(view, who) {
      const watched = await watch(browser, view);
      await watched.page.goto(
        who === 'customer'
          ? demoSignInLink({ secretKey, publicUrl: server.url }, customer)
          : `${server.url}/demo`,
      );
      await inWidget(watched.page, 'launcher');
      return watched;
    },
  };
}

/** Waits until this holds of the widget: `launcher`, and `root`, the panel's shadow root once it is there. */
export const inWidget = (page: Page, what: string): Promise<unknown> =>
  page.waitForFunction(
    `(() => { const host = document.querySelector('threadline-widget')?.shadowRoot;
      const root = host?.querySelector('threadline-panel')?.shadowRoot;
      const launcher = host?.querySelector('button'); return ${what}; })()`,
    { timeout: 30_000, polling: 50 },
  );

export async function openWidget(page: Page): Promise<void> {
  await page.evaluate(() =>
    document.querySelector('threadline-widget')?.shadowRoot?.querySelector('button')?.click(),
  );
  await inWidget(page, `root?.querySelector('textarea')`);
}

export async function write(page: Page, text: string): Promise<void> {
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
  await inWidget(
    page,
    `(() => { const mine = [...root.querySelectorAll('.me')].at(-1)?.textContent ?? '';
      return mine.includes(${JSON.stringify(text)}) && /Sent|Seen|Отправлено|Прочитано/.test(mine); })()`,
  );
}
