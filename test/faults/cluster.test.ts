import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mergeContacts } from '../../server/contacts/merge.js';
import { ConversationModel } from '../../server/conversations/model.js';
import { InboxModel, type InboxRow } from '../../server/inboxes/model.js';
import { openStore, type Store } from '../../server/store/connect.js';
import { append } from '../../server/timeline/append.js';
import { systemScope } from '../../server/workspaces/scope.js';
import type { SessionAnswer } from '../../shared/api.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Availability, ConversationRow, Visit } from '../../shared/protocol.js';
import {
  clientId,
  type Desk,
  openDesk,
  openTab,
  say,
  type Tab,
  type TestApp,
  toldOf,
} from '../server/http/app.js';
import { aMessage } from '../server/timeline/drafts.js';
import { type Cluster, publicUrl, startCluster } from './cluster.js';

/**
 * Two server processes, one Redis, one store in a process of its own. Visitors stand at the one and agents at the
 * other, so that whatever reaches anybody went from process to process.
 */
let cluster: Cluster;
let store: Store;
let inbox: InboxRow;
let owner: SessionAnswer;
const at: TestApp[] = [];
const opened: { close(): void }[] = [];

beforeAll(async () => {
  cluster = await startCluster(2);
  store = await openStore({ dataDir: '', mongodbUri: cluster.store.uri });
  const found = await InboxModel.findOne({ channel: 'chat' }).lean();
  if (!found) throw new Error('a first start makes a chat inbox');
  inbox = found;
  for (const { url } of cluster.servers) {
    at.push({ url, app: { publicUrl }, inbox, workspaceId: inbox.workspaceId } as TestApp);
  }
  const setup = await fetch(`${at[0]?.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token: cluster.servers[0]?.setupToken(),
      workspace: 'Kestrel Cycles',
      name: 'Anna',
      email: 'anna@kestrel.example',
      password: 'a long enough password',
    }),
  });
  owner = (await setup.json()) as SessionAnswer;
});
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});
afterAll(async () => {
  await store?.close();
  await cluster?.remove();
});

const where = (n: 0 | 1): TestApp => at[n] as TestApp;
async function tab(n: 0 | 1, auth: object = {}): Promise<Tab> {
  const one = await openTab(where(n), auth);
  opened.push(one);
  return one;
}
async function desk(n: 0 | 1, session = owner): Promise<Desk> {
  const one = await openDesk(where(n), session.accessToken);
  opened.push(one);
  return one;
}
const reply = (conversationId: string, text: string) => ({
  clientId: clientId(),
  conversationId,
  mode: 'reply',
  text,
  attachments: [],
  waitedMs: 0,
});
const until = { timeout: 30_000, interval: 10 };
const texts = (who: { told: [string, unknown][] }, conversationId: string): string[] =>
  toldOf<TimelineEvent>(who, 'event').flatMap((event) =>
    event.conversationId === conversationId && event.kind === 'message' ? [event.body.text] : [],
  );

/** Writes past both servers, as a command does: they learn of it from the store alone. Resolves with its text. */
async function appendAside(conversationId: string): Promise<string> {
  const scope = systemScope(inbox.workspaceId);
  const conversation = await ConversationModel.findOne({ _id: conversationId }).lean();
  if (!conversation) throw new Error('no such conversation');
  const { event } = await append(
    scope,
    aMessage({ contactId: conversation.contactId, conversation: { id: conversationId } }),
  );
  return event.kind === 'message' ? event.body.text : '';
}

describe('two processes', () => {
  it('tell each event once to each socket, and before the store would bring it', async () => {
    const anna = await desk(0);
    const visitor = await tab(1);
    const { conversationId } = await say(visitor, 'first');
    const second = await tab(0, { token: visitor.session.token });
    await expect.poll(() => texts(anna, conversationId), until).toEqual(['first']);
    const delays: number[] = [];
    const expected = ['first'];
    for (let n = 0; n < 10; n += 1) {
      const began = performance.now();
      const text = `v${n}`;
      await say(visitor, text, conversationId);
      await expect.poll(() => texts(anna, conversationId), until).toContain(text);
      delays.push(performance.now() - began);
      expect(await anna.ask('message:send', reply(conversationId, `a${n}`))).toMatchObject({ ok: true });
      expected.push(text, `a${n}`);
    }
    // The change stream waits 400 ms before it tells: whatever was here sooner came from process to process.
    expect(Math.min(...delays)).toBeLessThan(400);
    // What comes by the store alone comes after all that the store would have told twice.
    expected.push(await appendAside(conversationId));
    for (const who of [anna, visitor, second]) {
      await expect
        .poll(() => texts(who, conversationId).length, until)
        .toBeGreaterThanOrEqual(expected.length - (who === second ? 1 : 0));
      expect(texts(who, conversationId)).toEqual(who === second ? expected.slice(1) : expected);
    }
    await expect
      .poll(() => toldOf<ConversationRow>(anna, 'conversation').at(-1), until)
      .toMatchObject({ id: conversationId, head: expected.length + 1 });
  });

  it('show each other who types, who looks on, how far each has read, and where a visitor is', async () => {
    const [anna, oleg] = [await desk(0), await desk(1)];
    const visitor = await tab(1, { page: { url: 'https://shop.example/a', title: 'A' } });
    const { conversationId } = await say(visitor, 'Hello');
    await anna.ask('view', { conversationId, active: true });
    await anna.ask('typing', { conversationId, typing: true });
    await expect
      .poll(() => toldOf(visitor, 'typing'), until)
      .toEqual([{ conversationId, typing: true, name: 'Anna' }]);
    await expect
      .poll(() => toldOf(oleg, 'viewing').at(-1), until)
      .toEqual({ conversationId, agents: [{ id: owner.agent.id, name: 'Anna', typing: true }] });
    await visitor.ask('typing', { conversationId, typing: true });
    await expect
      .poll(() => toldOf(anna, 'typing').at(-1), until)
      .toMatchObject({ conversationId, typing: true, by: 'contact' });

    await anna.ask('read', { conversationId, seq: 2 });
    await expect.poll(() => toldOf(visitor, 'read'), until).toEqual([{ conversationId, seq: 2 }]);
    await visitor.ask('read', { conversationId, seq: 2 });
    await expect.poll(() => toldOf(anna, 'read'), until).toEqual([{ conversationId, seq: 2 }]);

    const visits = () =>
      toldOf<{ contactId: string; visit: Visit | null }>(anna, 'presence')
        .filter(({ contactId }) => contactId === visitor.session.contactId)
        .map(({ visit }) => visit?.title ?? null);
    await expect.poll(() => visits().at(-1), until).toBe('A');
    const shown = () =>
      fetch(`${where(0).url}/api/workspaces/${inbox.workspaceId}/contacts/${visitor.session.contactId}`, {
        headers: { authorization: `Bearer ${owner.accessToken}` },
      }).then((answer) => answer.json());
    expect(await shown()).toMatchObject({ visit: { online: true, title: 'A' } });
    // A tab at each process: the visitor is here until both are closed.
    const second = await tab(0, {
      token: visitor.session.token,
      page: { url: 'https://shop.example/b', title: 'B' },
    });
    await expect.poll(() => visits().at(-1), until).toBe('B');
    second.close();
    await expect.poll(() => visits().at(-1), until).toBe('A');
    visitor.close();
    await expect.poll(() => visits().at(-1), until).toBeNull();
    expect(await shown()).toMatchObject({ visit: null });

    anna.close();
    await expect.poll(() => toldOf(oleg, 'viewing').at(-1), until).toEqual({ conversationId, agents: [] });
  });

  it('tell visitors who is there, whichever process the agents stand at', async () => {
    const visitor = await tab(1);
    const anna = await desk(0);
    const last = () => toldOf<Availability>(visitor, 'availability').at(-1)?.online;
    await anna.ask('availability', { availability: 'away' });
    await expect.poll(last, until).toBe(false);
    await anna.ask('availability', { availability: 'available' });
    await expect.poll(last, until).toBe(true);
    expect((await tab(1)).session.inbox.availability).toEqual({
      online: true,
      agents: [{ id: owner.agent.id, name: 'Anna' }],
    });
  });

  it('end what was ended at the other: a session, a visitor, and what a merge that was undone had shown', async () => {
    const signedIn = await fetch(`${where(0).url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'anna@kestrel.example', password: 'a long enough password' }),
    });
    const session = (await signedIn.json()) as SessionAnswer;
    const window = await desk(1, session);
    await fetch(`${where(0).url}/api/sessions/current`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${session.accessToken}` },
    });
    await expect.poll(() => toldOf(window, 'session-ended').length, until).toBe(1);
    await expect.poll(() => window.socket.connected, until).toBe(false);

    const [here, there] = [await tab(0), await tab(1)];
    const same = await tab(1, { token: here.session.token });
    await here.ask('sign-out', {});
    await expect.poll(() => toldOf(same, 'signed-out').length, until).toBe(1);
    await expect.poll(() => same.socket.connected, until).toBe(false);
    expect(there.socket.connected).toBe(true);

    const [one, other] = [await tab(0), await tab(1)];
    await Promise.all([say(one, 'of one'), say(other, 'of the other')]);
    const scope = { workspaceId: inbox.workspaceId, actor: { type: 'agent', id: owner.agent.id } } as const;
    await mergeContacts(scope, one.session.contactId, other.session.contactId, {});
    const anna = await desk(0);
    const { conversationId } = await say(other, 'after the merge', other.session.conversations[0]?.id);
    await expect.poll(() => texts(anna, conversationId), until).toContain('after the merge');
    expect(texts(one, conversationId)).toEqual([]);
  });
});

describe('Redis', () => {
  it('is not needed for what is written: while it is away the store brings it, and it is used again when it is back', async () => {
    const anna = await desk(0);
    const visitor = await tab(1);
    const { conversationId } = await say(visitor, 'with it');
    await expect.poll(() => texts(anna, conversationId), until).toEqual(['with it']);

    await cluster.redis.kill();
    await say(visitor, 'without it', conversationId);
    await expect.poll(() => texts(anna, conversationId), until).toEqual(['with it', 'without it']);
    expect(await anna.ask('typing', { conversationId, typing: true })).toMatchObject({ ok: true });
    expect((await tab(1)).session.inbox.availability.online).toBe(true);
    expect(await (await fetch(`${where(0).url}/readyz`)).json()).toEqual({ ready: true });

    await cluster.redis.restart();
    const typed = () => toldOf(visitor, 'typing').length;
    const before = typed();
    // Each try is a hint that may be lost until both are back.
    await expect
      .poll(async () => {
        await anna.ask('typing', { conversationId, typing: true });
        return typed();
      }, until)
      .toBeGreaterThan(before);
    await say(visitor, 'with it again', conversationId);
    const all = ['with it', 'without it', 'with it again', await appendAside(conversationId)];
    await expect.poll(() => texts(anna, conversationId), until).toEqual(all);
  });

  it('that hangs is away too', async () => {
    const anna = await desk(0);
    const visitor = await tab(1);
    await cluster.redis.kill('SIGSTOP');
    try {
      const { conversationId } = await say(visitor, 'into the void');
      await expect.poll(() => texts(anna, conversationId), until).toEqual(['into the void']);
      expect(await anna.ask('message:send', reply(conversationId, 'heard'))).toMatchObject({ ok: true });
      await expect.poll(() => texts(visitor, conversationId), until).toEqual(['into the void', 'heard']);
    } finally {
      await cluster.redis.kill('SIGCONT');
    }
  });
});
