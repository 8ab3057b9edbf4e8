import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergeContacts, unmerge } from '../../../server/contacts/merge.js';
import type { SessionAnswer } from '../../../shared/api.js';
import type { TimelineEvent } from '../../../shared/events/timeline.js';
import type { Availability, ConversationRow, Visit } from '../../../shared/protocol.js';
import {
  clientId,
  type Desk,
  next,
  openDesk,
  openSocket,
  openTab,
  refusedWith,
  say,
  signInOwner,
  type Tab,
  type TestApp,
  testApp,
  toldOf,
} from '../http/app.js';

let at: TestApp;
let owner: SessionAnswer;
const open: { close(): void }[] = [];
const tab = async (auth: object = {}): Promise<Tab> => {
  const opened = await openTab(at, auth);
  open.push(opened);
  return opened;
};
const desk = async (): Promise<Desk> => {
  const opened = await openDesk(at, owner.accessToken);
  open.push(opened);
  return opened;
};
beforeAll(async () => {
  at = await testApp();
  owner = await signInOwner(at);
});
afterAll(async () => {
  for (const one of open) one.close();
  await at.stop();
});

const reply = (conversationId: string, text: string, mode: 'reply' | 'note' = 'reply') => ({
  clientId: clientId(),
  conversationId,
  mode,
  text,
  attachments: [],
  waitedMs: 0,
});
const texts = (who: { told: [string, unknown][] }): string[] =>
  toldOf<TimelineEvent>(who, 'event').map((event) =>
    event.kind === 'message' || event.kind === 'note' ? event.body.text : event.kind,
  );
const api = (method: string, path: string, body?: unknown) =>
  fetch(`${at.url}/api/workspaces/${at.workspaceId}${path}`, {
    method,
    headers: { authorization: `Bearer ${owner.accessToken}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

describe('a conversation, live', () => {
  it('reaches the agent with its row, and the answer reaches the visitor, notes never', async () => {
    const anna = await desk();
    const visitor = await tab();
    const { conversationId } = await say(visitor, 'Hello');
    await expect.poll(() => texts(anna)).toEqual(['conversation_started', 'Hello']);
    await expect
      .poll(() => toldOf<ConversationRow>(anna, 'conversation').at(-1))
      .toMatchObject({ id: conversationId, snippet: 'Hello', unread: 1, head: 2, status: 'open' });

    expect(await anna.ask('message:send', reply(conversationId, 'a secret note', 'note'))).toMatchObject({
      ok: true,
    });
    expect(await anna.ask('message:send', reply(conversationId, 'Good morning'))).toMatchObject({
      ok: true,
      event: { seq: 4, previousSeq: 3 },
    });
    await expect.poll(() => texts(visitor)).toContain('Good morning');
    expect(texts(visitor)).toEqual(['conversation_started', 'Hello', 'Good morning']);
    const seen = toldOf<TimelineEvent>(visitor, 'event');
    expect(seen.map(({ seq, previousSeq }) => [seq, previousSeq])).toEqual([
      [1, 0],
      [2, 1],
      [4, 2],
    ]);
    expect(JSON.stringify(visitor.told)).not.toContain('secret');
  });

  it('comes to every reader in one order', async () => {
    const [anna, oleg] = [await desk(), await desk()];
    const visitor = await tab();
    const { conversationId } = await say(visitor, 'start');
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        n % 2 === 0
          ? say(visitor, `v${n}`, conversationId)
          : (n % 4 === 1 ? anna : oleg).ask('message:send', reply(conversationId, `a${n}`)),
      ),
    );
    const seqs = (who: { told: [string, unknown][] }) =>
      toldOf<TimelineEvent>(who, 'event')
        .filter((event) => event.conversationId === conversationId)
        .map((event) => [event.seq, event.id]);
    await expect.poll(() => seqs(visitor).length).toBe(22);
    await expect.poll(() => seqs(anna)).toEqual(seqs(visitor));
    await expect.poll(() => seqs(oleg)).toEqual(seqs(visitor));
    expect(seqs(visitor).map(([seq]) => seq)).toEqual(Array.from({ length: 22 }, (_, n) => n + 1));
  });

  it('shows who is typing, who looks on, and how far each has read', async () => {
    const [anna, oleg] = [await desk(), await desk()];
    const visitor = await tab();
    const { conversationId } = await say(visitor, 'Hello');
    const typed = next(visitor.socket, 'typing');
    await anna.ask('view', { conversationId, active: true });
    await anna.ask('typing', { conversationId, typing: true });
    expect(await typed).toEqual({ conversationId, typing: true, name: 'Anna' });
    await expect
      .poll(() => toldOf(oleg, 'viewing').at(-1))
      .toEqual({ conversationId, agents: [{ id: owner.agent.id, name: 'Anna', typing: true }] });
    expect(toldOf(oleg, 'typing')).toContainEqual(
      expect.objectContaining({ conversationId, by: 'agent', agentId: owner.agent.id }),
    );

    const seen = next(anna.socket, 'typing');
    await visitor.ask('typing', { conversationId, typing: true });
    expect(await seen).toMatchObject({ conversationId, typing: true, by: 'contact' });

    const readByAgent = next(visitor.socket, 'read');
    await anna.ask('read', { conversationId, seq: 2 });
    expect(await readByAgent).toEqual({ conversationId, seq: 2 });
    await expect
      .poll(() => toldOf<ConversationRow>(anna, 'conversation').at(-1))
      .toMatchObject({ id: conversationId, unread: 0, readSeq: 2 });
    const readByContact = next(oleg.socket, 'read');
    await visitor.ask('read', { conversationId, seq: 2 });
    expect(await readByContact).toEqual({ conversationId, seq: 2 });
    const again = await tab({ token: visitor.session.token });
    expect(again.session.conversations).toMatchObject([{ readSeq: 2, agentReadSeq: 2 }]);

    anna.close();
    await expect.poll(() => toldOf(oleg, 'viewing').at(-1)).toEqual({ conversationId, agents: [] });
  });

  it('shows where the visitor is, and that they left', async () => {
    const anna = await desk();
    const visitor = await tab({
      page: { url: 'https://shop.example/a', title: 'A' },
      timeZone: 'Europe/Berlin',
    });
    const visits = () =>
      toldOf<{ contactId: string; visit: Visit | null }>(anna, 'presence')
        .filter(({ contactId }) => contactId === visitor.session.contactId)
        .map(({ visit }) => visit && [visit.url, visit.timeZone]);
    await visitor.ask('page', { url: 'https://shop.example/b', title: 'B' });
    await expect.poll(visits).toEqual([
      ['https://shop.example/a', 'Europe/Berlin'],
      ['https://shop.example/b', 'Europe/Berlin'],
    ]);
    const detail = await api('GET', `/contacts/${visitor.session.contactId}`);
    expect(await detail.json()).toMatchObject({ visit: { online: true, title: 'B' } });
    visitor.close();
    await expect.poll(() => visits().at(-1)).toBeNull();
  });

  it('tells visitors who is there', async () => {
    const anna = await desk();
    const visitor = await tab();
    await anna.ask('availability', { availability: 'away' });
    await expect
      .poll(() => toldOf<Availability>(visitor, 'availability').at(-1))
      .toEqual({ online: false, agents: [] });
    await anna.ask('availability', { availability: 'available' });
    await expect
      .poll(() => toldOf<Availability>(visitor, 'availability').at(-1))
      .toEqual({ online: true, agents: [{ id: owner.agent.id, name: 'Anna' }] });
    expect((await tab()).session.inbox.availability.online).toBe(true);
  });

  it('looks closed to a visitor who is taken for spam', async () => {
    const visitor = await tab();
    const { conversationId } = await say(visitor, 'buy now');
    const changed = next<TimelineEvent>(visitor.socket, 'event');
    expect((await api('PATCH', `/conversations/${conversationId}`, { status: 'spam' })).status).toBe(200);
    expect(await changed).toMatchObject({ kind: 'status_changed', body: { from: 'open', to: 'closed' } });
  });
});

describe("an agent's merge", () => {
  it('shows no browser the messages of another', async () => {
    const [one, other] = [await tab(), await tab()];
    const { conversationId } = await say(one, 'of one');
    await say(other, 'of the other');
    const scope = { workspaceId: at.workspaceId, actor: { type: 'agent', id: owner.agent.id } } as const;
    const { mergeId } = await mergeContacts(scope, one.session.contactId, other.session.contactId, {});
    await say(one, 'after the merge', conversationId);
    const again = await tab({ token: other.session.token });
    expect(again.session.conversations).toHaveLength(1);
    expect(await other.ask('events:read', { conversationId, after: 0 })).toMatchObject({ ok: false });
    expect(texts(other)).not.toContain('after the merge');
    await unmerge(scope, mergeId, {});
    await say(one, 'after the unmerge', conversationId);
    expect(texts(one)).toContain('after the unmerge');
  });
});

describe('G3: a session that ended', () => {
  it('closes its sockets and is admitted no more', async () => {
    const signedIn = await fetch(`${at.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'anna@kestrel.example', password: 'a long enough password' }),
    });
    const second = (await signedIn.json()) as SessionAnswer;
    const window = await openDesk(at, second.accessToken);
    const stays = await desk();
    const told = next(window.socket, 'session-ended');
    const closed = next(window.socket, 'disconnect');
    const ended = await fetch(`${at.url}/api/sessions/current`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${second.accessToken}` },
    });
    expect(ended.status).toBe(204);
    await told;
    await closed;
    const auth = { protocol: 1, accessToken: second.accessToken, workspaceId: at.workspaceId };
    expect(await refusedWith(openSocket(at, '/agent', auth))).toBe('unauthorized');
    expect(stays.socket.connected).toBe(true);
  });

  it('S12: opens nothing in another workspace, nor with a token that is none', async () => {
    const auth = { protocol: 1, accessToken: owner.accessToken, workspaceId: 'another' };
    expect(await refusedWith(openSocket(at, '/agent', auth))).toBe('not_found');
    expect(await refusedWith(openSocket(at, '/agent', { ...auth, accessToken: 'x.y.z' }))).toBe(
      'unauthorized',
    );
  });
});

describe("an agent's socket", () => {
  it('S8: reads and writes nothing that is not of its workspace', async () => {
    const anna = await desk();
    const nobodys = '01890000-0000-7000-8000-000000000000';
    for (const [name, body] of [
      ['message:send', reply(nobodys, 'x')],
      ['events:read', { conversationId: nobodys, after: 0 }],
      ['read', { conversationId: nobodys, seq: 1 }],
      ['typing', { conversationId: nobodys, typing: true }],
      ['view', { conversationId: nobodys, active: true }],
    ] as const) {
      expect(await anna.ask(name, body)).toMatchObject({
        ok: false,
        error: { code: 'conversation_not_found' },
      });
    }
    expect(await anna.socket.timeout(5_000).emitWithAck('join', 'workspace:other')).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
  });
});
