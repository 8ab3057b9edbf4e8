import WebSocket from 'ws';
import { createApi } from '../../../console/api/endpoints.js';
import { createLive } from '../../../console/api/live.js';
import { createTransport, type Transport } from '../../../console/api/request.js';
import { createDrafts } from '../../../console/conversation/drafts.js';
import { createSync } from '../../../console/conversation/sync.js';
import { createKeys } from '../../../console/keys/listen.js';
import { type Console, createState } from '../../../console/state/console.js';
import { createPreferences } from '../../../console/state/preferences.js';
import { wire } from '../../../console/state/wire.js';
import type { SessionAnswer, TimelinePage } from '../../../shared/api.js';
import type { OutboxStorage } from '../../../shared/delivery/run.js';
import { type Client, createClient } from '../../../widget/client.js';
import { openWire } from '../../../widget/wire.js';
import type { TestApp } from '../http/app.js';

/** A client's whole state without a screen: what it holds, as plain data, and how it came to it. */
export interface Watched {
  /** Everything that it shows of these places. */
  state(): unknown;
  /** Whether it has read all that it wanted to. */
  isReady(): boolean;
  /** Pages of conversations that it asked for. */
  readonly reads: number;
  close(): void;
}

const nowhere: OutboxStorage<never> = {
  load: async () => [],
  put: async () => {},
  remove: async () => {},
  clear: async () => {},
};
const noStorage = { getItem: () => null, setItem: () => {} };

/** The console's own state, wired as it is in the browser, with these conversations and this contact open. */
export function watchConsole(
  at: TestApp,
  session: SessionAnswer,
  places: { conversations: readonly string[]; contactId: string },
): Watched {
  let reads = 0;
  const transport: Transport = createTransport({
    fetch: (path, init) => {
      if (/\/events(\?|$)/.test(String(path))) reads += 1;
      return fetch(`${at.url}${path}`, init);
    },
    now: () => performance.now(),
    onSignedOut: () => {},
  });
  transport.take(session);
  const { workspaceId } = at;
  const state = createState(Date.now(), { page: 'inbox', workspaceId, view: 'all', sort: 'recent' });
  const api = createApi(transport, () => workspaceId);
  const live = createLive({ url: at.url, accessToken: () => transport.accessToken(), random: Math.random });
  const app: Console = {
    ...state,
    transport,
    api,
    live,
    keys: createKeys({ isMac: false, now: () => 0, singleKeys: () => false }),
    preferences: createPreferences(noStorage),
    drafts: createDrafts(noStorage, 'drafts'),
    sync: createSync({ api, live, logs: state.logs, storage: () => nowhere }),
    go: () => {},
  };
  app.session.set({ state: 'signed-in', me: session.agent });
  const stop = wire(app);
  app.sync.start('test');

  let timeline: TimelinePage | null = null;
  const { contactId, conversations } = places;
  // As the timeline's element does: whoever shows it asks for what is new.
  const readTimeline = (): void => {
    api.timeline(contactId, { limit: 200 }).then(
      (page) => {
        timeline = page;
      },
      () => {},
    );
  };
  app.timelines.of(contactId).subscribe(readTimeline);
  readTimeline();
  live.connect(workspaceId);
  for (const id of conversations) {
    app.sync.follow(id);
    void api.conversation(id).then((value) => app.details.of(id).set({ state: 'ready', value }));
  }
  void api.contact(contactId).then((value) => app.contacts.of(contactId).set({ state: 'ready', value }));
  let hasRows = false;
  const views = (['all', 'closed'] as const).map((view) =>
    api.conversations({ view, sort: 'recent', limit: 50 }),
  );
  void Promise.all(views).then((pages) => {
    for (const row of pages.flatMap(({ rows }) => rows)) app.rows.of(row.id).set(row);
    hasRows = true;
  });

  const details = () => conversations.map((id) => app.details.of(id).get());
  return {
    state: () => ({
      rows: app.rows
        .keys()
        .toSorted()
        .map((id) => app.rows.of(id).get()),
      details: details(),
      logs: conversations.map((id) => {
        const { events, readByCustomer } = app.logs.of(id).get();
        return { events, readByCustomer };
      }),
      contact: app.contacts.of(contactId).get(),
      timeline,
    }),
    isReady: () =>
      live.online.get() &&
      hasRows &&
      timeline !== null &&
      app.contacts.of(contactId).get().state === 'ready' &&
      details().every((detail) => detail.state === 'ready') &&
      conversations.every((id) => app.logs.of(id).get().isLoaded),
    get reads() {
      return reads;
    },
    close() {
      stop();
      live.disconnect();
    },
  };
}

/** The widget's own client over its own wire. The browser's storage holds whose it is: `token`. */
export function watchVisitor(at: TestApp): Watched & { client: Client } {
  let reads = 0;
  const client = createClient({
    inboxId: at.inbox._id,
    openLine: (listener) => {
      const line = openWire({
        url: `${at.url.replace('http', 'ws')}/`,
        ...listener,
        makeSocket: (url) =>
          // As a browser's does, it closes after an error, and throws none.
          new WebSocket(url, { origin: at.app.publicUrl }).on(
            'error',
            () => {},
          ) as unknown as globalThis.WebSocket,
      });
      return {
        ...line,
        request(name, body) {
          if (name === 'events:read') reads += 1;
          return line.request(name, body);
        },
      };
    },
    storage: nowhere,
    touch: {
      landingPage: 'https://shop.example/',
      referrer: '',
      parameters: {},
      at: new Date().toISOString(),
    },
    identity: () => undefined,
    locale: () => 'en',
    emit: () => {},
    onChange: () => {
      for (const { id } of client?.conversations ?? []) {
        if (!client.state.threads[id]) client.input({ type: 'follow', conversationId: id });
      }
    },
  });
  client.wake();
  return {
    client,
    state: () => ({
      conversations: client.conversations.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      threads: Object.entries(client.state.threads)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([id, { events, readByOther }]) => ({ id, events, readByOther })),
    }),
    isReady: () =>
      client.isOnline &&
      client.conversations.every(({ id }) => client.state.threads[id]?.isLoaded === true) &&
      client.state.outbox.length === 0,
    get reads() {
      return reads;
    },
    close: () => client.stop(),
  };
}
