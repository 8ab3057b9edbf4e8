import type { Touch } from '../../shared/events/message.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Client, Line, LineListener } from '../../widget/client.js';
import type { IdentitySource } from '../../widget/shell.js';
import { outboxStorage } from '../../widget/storage.js';
import { takeSeat } from '../../widget/tabs.js';
import { conversationId, message } from './fake-line.js';

/**
 * Several tabs of one visitor, with the browser's own locks, channels and database, against a server in the page that
 * takes each message once, by its client id. A tab here is what a page has of it: its seat.
 */

interface Tab {
  client: () => Client;
  wake: () => void;
  sleep: () => void;
  /** How often its line was opened. */
  opened: number;
  told: [string, unknown][];
  identity: IdentitySource | undefined;
}

const touch: Touch = { landingPage: '', referrer: '', parameters: {}, at: new Date().toISOString() };
let inboxId = '';
let office = makeOffice();
let tabs: Tab[] = [];

/** The server: what it keeps, and the lines that are open to it. */
function makeOffice() {
  const events: TimelineEvent[] = [];
  const open = new Map<Line, LineListener>();
  let person = 'contact-1';
  const made = {
    events,
    open,
    /** Messages are taken and stand there, and no answer comes. */
    isMute: false,
    handshakes: [] as object[],
    get person() {
      return person;
    },
    signIn(next: string) {
      person = next;
      events.length = 0;
    },
    texts: () => events.flatMap((event) => (event.kind === 'message' ? [event.body?.text ?? ''] : [])),
    publish(event: TimelineEvent) {
      events.push(event);
      for (const { onNotice } of open.values()) onNotice('event', event as never);
    },
    session: () => ({
      protocol: 1,
      token: `secret of ${person}`,
      contactId: person,
      identified: false,
      inbox: {
        id: inboxId,
        name: 'Kestrel Cycles',
        greeting: '',
        accent: '#1d6b54',
        quickReplies: [],
        asksForEmail: false,
        availability: { online: true, agents: [] },
      },
      conversations: events.length
        ? [
            {
              id: conversationId,
              status: 'open',
              subject: '',
              head: events.length,
              readSeq: 0,
              agentReadSeq: 0,
              unread: 0,
              lastAt: new Date().toISOString(),
            },
          ]
        : [],
    }),
    answer(name: string, body: Record<string, unknown>): object | Promise<never> {
      if (name === 'events:read') {
        const after = Number(body.after ?? -1);
        const found = events.filter(({ seq = 0 }) => seq > after);
        return { ok: true, events: found, upTo: events.length, head: events.length, isStart: true };
      }
      if (name !== 'message:send') return { ok: true };
      const isSame = (event: TimelineEvent): boolean =>
        event.kind === 'message' && event.body?.clientId === body.clientId;
      if (!events.some(isSame)) {
        const event = message(events.length + 1, 'visitor', String(body.text), 0);
        event.body.clientId = String(body.clientId);
        made.publish(event);
      }
      return made.isMute ? new Promise(() => undefined) : { ok: true, event: events.find(isSame) };
    },
  };
  return made;
}

function openTab(identity?: IdentitySource): Tab {
  let client: Client;
  const tab: Tab = {
    client: () => client,
    wake: () => seat.wake(),
    sleep: () => seat.sleep(),
    opened: 0,
    told: [],
    identity,
  };
  const openLine = (listener: LineListener): Line => {
    const line: Line = {
      async request(name, body) {
        if (!office.open.has(line)) throw new Error('There is no connection.');
        return office.answer(name, structuredClone(body) as Record<string, unknown>);
      },
      wake() {
        if (office.open.has(line)) return;
        office.open.set(line, listener);
        tab.opened += 1;
        void listener.auth().then((handshake) => {
          office.handshakes.push(handshake);
          if (office.open.has(line)) listener.onNotice('session', office.session() as never);
        });
      },
      sleep() {
        if (office.open.delete(line)) listener.onClose();
      },
    };
    return line;
  };
  const seat = takeSeat(
    {
      inboxId,
      openLine,
      storage: outboxStorage(inboxId),
      touch,
      identity: () => tab.identity,
      locale: () => 'en',
      emit: (event, detail) => tab.told.push([event, detail]),
      onChange: () => undefined,
    },
    (made) => {
      client = made;
    },
  );
  tabs.push(tab);
  seat.wake();
  return tab;
}

function equal(actual: unknown, expected: unknown, what = ''): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what} is ${is}, should be ${should}`);
}

/** Waits for the state itself, with a guard. */
async function until(what: () => unknown, guardMs = 30_000): Promise<void> {
  const end = performance.now() + guardMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`Never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

let written = 0;
function write(tab: Tab, text: string): void {
  written += 1;
  const thread = tab.client().conversations[0]?.id ?? null;
  tab.client().write(`client-${inboxId}-${written}`, thread, text, []);
}

/** What a tab shows: what stands in the conversation, then what is on its way. */
function shown(tab: Tab): string[] {
  const { threads, outbox } = tab.client().state;
  const said = (threads[conversationId]?.events ?? []).flatMap((event) =>
    event.kind === 'message' ? [event.body?.text ?? ''] : [],
  );
  return [...said, ...outbox.map(({ body }) => body.text)];
}
const show = (tab: Tab): void => tab.client().input({ type: 'follow', conversationId });

const hasSession = (tab: Tab): boolean => tab.client().session !== null;

/** Two tabs that show the same conversation, the first of which leads. */
async function twoTabs(): Promise<[Tab, Tab]> {
  office.publish(message(1, 'anna', 'Hello.', 1));
  const first = openTab();
  await until(() => hasSession(first));
  const second = openTab();
  await until(() => hasSession(second));
  show(first);
  show(second);
  await until(() => shown(first).length === 1 && shown(second).length === 1);
  return [first, second];
}

beforeEach(() => {
  inboxId = crypto.randomUUID();
  office = makeOffice();
  tabs = [];
});
afterEach(() => {
  for (const tab of tabs) tab.sleep();
  localStorage.removeItem(`threadline:${inboxId}`);
});

describe('tabs of one visitor', () => {
  it('have one line, show the same, and write through it, each text once', async () => {
    const [first, second] = await twoTabs();
    equal([first.opened, second.opened, office.open.size], [1, 0, 1]);
    write(second, 'from the second');
    equal(shown(second), ['Hello.', 'from the second'], 'at once');
    await until(() => shown(first).length === 2 && second.client().state.outbox.length === 0);
    write(first, 'from the first');
    office.publish(message(3, 'anna', 'from Anna', 0));
    await until(() => shown(second).length === 4 && first.client().state.outbox.length === 0);
    equal(shown(first), shown(second));
    equal(office.texts().length, 4);
    equal(
      second.told.map(([name]) => name),
      ['message'],
    );
  });

  it('hand over when the one that leads ends in the middle of sending: each text once, in order', async () => {
    const [first, second] = await twoTabs();
    office.isMute = true;
    write(first, 'one');
    write(second, 'two');
    await until(() => shown(first).length === 3);
    write(first, 'three');
    await until(() => office.texts().includes('one') && shown(second).length === 4);
    first.sleep();
    office.isMute = false;
    await until(() => second.opened === 1 && second.client().state.outbox.length === 0);
    equal(office.texts(), ['Hello.', 'one', 'two', 'three']);
    equal(shown(second), ['Hello.', 'one', 'two', 'three']);
    equal(office.open.size, 1);
  });

  it('go on behind one another: the tab that comes back follows the one that leads by now', async () => {
    const [first, second] = await twoTabs();
    first.sleep();
    await until(() => second.opened === 1 && second.client().isOnline);
    write(second, 'meanwhile');
    first.wake();
    await until(() => shown(first).length === 2 && first.client().isOnline);
    write(first, 'back again');
    await until(() => shown(second).includes('back again') && first.client().state.outbox.length === 0);
    equal([first.opened, second.opened, office.open.size], [1, 1, 1]);
    equal(office.texts(), ['Hello.', 'meanwhile', 'back again']);
  });

  it('come back from being put aside and send first what a page of the site left in storage meanwhile', async () => {
    office.publish(message(1, 'anna', 'Hello.', 1));
    const tab = openTab();
    await until(() => hasSession(tab));
    write(tab, 'one');
    await until(() => office.texts().length === 2);
    tab.sleep();
    await outboxStorage(inboxId).put({
      clientId: `left-${inboxId}`,
      thread: conversationId,
      conversationId,
      body: { text: 'two', attachments: [] },
      queuedAt: 0,
      order: 7,
    });
    tab.wake();
    await until(() => tab.client().isOnline);
    write(tab, 'three');
    await until(() => office.texts().includes('two') && office.texts().includes('three'));
    equal(office.texts(), ['Hello.', 'one', 'two', 'three']);
  });

  it('ask nothing of themselves when they are put aside in the moment in which they are given the lead', async () => {
    const { locks } = navigator;
    let grant: (() => Promise<void>) | undefined;
    const request = (name: string, options: LockOptions, call: (lock: Lock | null) => Promise<void>) => {
      if (options.ifAvailable) return locks.request(name, options, call);
      grant = () => call({ name, mode: 'exclusive' });
      return new Promise(() => undefined);
    };
    Object.defineProperty(navigator, 'locks', { value: { request }, configurable: true });
    try {
      const [first, second] = await twoTabs();
      first.sleep();
      write(second, 'anybody?');
      second.sleep();
      await grant?.();
      equal([shown(second), office.open.size], [['Hello.', 'anybody?'], 0]);
      // The first one's lock is free a moment after it has left.
      let isHeld = true;
      while (isHeld) isHeld = !!(await locks.query()).held?.some(({ name }) => name?.includes(inboxId));
      second.wake();
      await until(() => office.texts().includes('anybody?'));
      equal(office.texts(), ['Hello.', 'anybody?']);
    } finally {
      Reflect.deleteProperty(navigator, 'locks');
    }
  });

  it('take the lead from a tab that is frozen, and lose nothing that was written to it', async () => {
    const [first] = await twoTabs();
    const { held = [] } = await navigator.locks.query();
    const name = held.find((lock) => lock.name?.includes(inboxId))?.name ?? '';
    for (const tab of tabs) tab.sleep();
    // Whoever holds the lock and says nothing.
    const frozen = new Promise((resolve) => {
      void navigator.locks.request(name, () => new Promise(resolve)).catch(resolve);
    });
    await until(() => office.open.size === 0);
    const third = openTab();
    write(third, 'is anybody there?');
    equal(shown(third), ['is anybody there?']);
    await until(() => third.opened === 1 && third.client().state.outbox.length === 0);
    equal(office.texts(), ['Hello.', 'is anybody there?']);
    await frozen;
    first.wake();
    show(first);
    await until(() => shown(first).length === 2);
    equal(office.open.size, 1);
  });

  it('give up the lead when another tab takes it, and go on as one that follows', async () => {
    const [first, second] = await twoTabs();
    const { held = [] } = await navigator.locks.query();
    const name = held.find((lock) => lock.name?.includes(inboxId))?.name ?? '';
    await navigator.locks.request(name, { steal: true }, () => undefined);
    // Whoever asks first leads; the other follows.
    await until(() => office.open.size === 1 && hasSession(first) && hasSession(second));
    write(first, 'still here');
    await until(() => shown(second).includes('still here') && first.client().state.outbox.length === 0);
    equal([office.texts(), office.open.size], [['Hello.', 'still here'], 1]);
  });

  it('W8: forget the person that signs out in any of them, on the disk, too', async () => {
    const [first, second] = await twoTabs();
    office.isMute = true;
    write(first, 'my address is 5 Elm Road');
    // Not while it is being saved: it would be told to whoever listens then.
    await until(() => office.texts().includes('my address is 5 Elm Road') && shown(second).length === 2);
    office.signIn('contact-2');
    office.isMute = false;
    second.client().restart();
    equal([shown(second), second.client().session], [[], null]);
    await until(() => first.client().session?.contactId === 'contact-2');
    await until(() => second.client().session?.contactId === 'contact-2');
    equal([shown(first), shown(second), office.texts()], [[], [], []]);
    for (const tab of [first, second])
      equal(tab.told.filter(([name]) => name === 'signed-out').length, 1, 'signed-out');
    equal(await outboxStorage(inboxId).load(), []);
  });

  it('W8: refuse what is asked in the name of a person who is gone', async () => {
    const [first, second] = await twoTabs();
    office.signIn('contact-2');
    // At the same moment: neither tab knows of the other yet.
    first.client().restart();
    write(second, 'for the one before');
    await until(() => second.client().session?.contactId === 'contact-2');
    equal([shown(first), shown(second), office.texts()], [[], [], []]);
  });

  it('name a person of their own once, and the same one without a new line', async () => {
    const tokenOf = (sub: string, at: number): string => `head.${btoa(JSON.stringify({ sub, at }))}.mac`;
    const first = openTab(tokenOf('daniel', 1));
    await until(() => hasSession(first));
    const second = openTab(() => tokenOf('daniel', 2));
    await until(() => hasSession(second));
    office.signIn('contact-2');
    const third = openTab(tokenOf('nora', 3));
    await until(() => tabs.every((tab) => tab.client().session?.contactId === 'contact-2'));
    equal(
      office.handshakes.map((one) => 'identityToken' in one && one.identityToken),
      [tokenOf('daniel', 1), tokenOf('nora', 3)],
    );
    equal([second.opened, third.opened], [0, 0]);
  });

  it('have a line each where there are no locks, and still each text once, in order', async () => {
    Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true });
    try {
      office.publish(message(1, 'anna', 'Hello.', 1));
      const [first, second] = [openTab(), openTab()];
      await until(() => hasSession(first) && hasSession(second));
      show(first);
      show(second);
      write(first, 'one');
      await until(() => shown(second).includes('one'));
      write(second, 'two');
      await until(() => shown(first).includes('two') && second.client().state.outbox.length === 0);
      equal([office.open.size, office.texts()], [2, ['Hello.', 'one', 'two']]);
    } finally {
      Reflect.deleteProperty(navigator, 'locks');
    }
  });

  it('have a line each where there are no channels', async () => {
    const { BroadcastChannel } = window;
    Reflect.deleteProperty(window, 'BroadcastChannel');
    try {
      const [first, second] = [openTab(), openTab()];
      await until(() => hasSession(first) && hasSession(second));
      equal(office.open.size, 2);
    } finally {
      Object.assign(window, { BroadcastChannel });
    }
  });
});
