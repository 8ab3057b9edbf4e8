import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { Api } from '../../console/api/endpoints.js';
import { createLive } from '../../console/api/live.js';
import { type ConversationLog, emptyLog } from '../../console/conversation/log.js';
import { createSync } from '../../console/conversation/sync.js';
import { createFamily } from '../../console/state/slice.js';
import { InboxModel } from '../../server/inboxes/model.js';
import { openStore } from '../../server/store/connect.js';
import { readConversation } from '../../server/timeline/read.js';
import { systemScope } from '../../server/workspaces/scope.js';
import type { SessionAnswer } from '../../shared/api.js';
import type { OutboxStorage } from '../../shared/delivery/run.js';
import type { EventPage, TimelineEvent } from '../../shared/events/timeline.js';
import { type Client, createClient } from '../../widget/client.js';
import { openWire } from '../../widget/wire.js';
import { type Balancer, startBalancer } from './balancer.js';
import { type Cluster, publicUrl, startCluster } from './cluster.js';

/**
 * A deploy: three real server processes behind a balancer that gives each connection to the next one are restarted one
 * after another, while visitors' widgets and an agent's console, as shipped but for the screen, write to each other.
 */
const visitors = 8;
const writeEveryMs = 200;
/** What waits to be sent while more is written: a slow machine sends slowly, which is no loss. */
const unsentAtMost = 5;

let cluster: Cluster;
let balancer: Balancer;
const ends: (() => void)[] = [];

beforeAll(async () => {
  cluster = await startCluster(3);
  balancer = await startBalancer(cluster.servers.map(({ url }) => Number(new URL(url).port)));
  // What a browser has and the widget asks of it, besides the screen.
  Object.assign(globalThis, { location: new URL('https://shop.example/'), document: { title: 'Shop' } });
}, 120_000);
afterAll(async () => {
  for (const end of ends) end();
  await balancer?.close();
  await cluster?.remove();
});

/** What people would have seen go wrong. */
const complaints: string[] = [];
const offlineMs: number[] = [];

/** Notes how long a connection is away each time. */
function watchLine(): (isOnline: boolean) => void {
  let since: number | null = null;
  return (isOnline) => {
    if (!isOnline) since ??= performance.now();
    else if (since !== null) {
      offlineMs.push(performance.now() - since);
      since = null;
    }
  };
}

/** What is on the screen at any moment is a piece without holes, and only grows. */
function watchThread(who: string): (events: readonly TimelineEvent[]) => void {
  let shown: readonly TimelineEvent[] = [];
  return (events) => {
    if (events === shown) return;
    events.forEach((event, at) => {
      const before = events[at - 1];
      if (before && event.previousSeq !== before.seq) {
        complaints.push(`${who} shows ${event.seq} after ${before.seq}, which follows ${event.previousSeq}`);
      }
    });
    const had = new Set(events.map(({ id }) => id));
    for (const { id, seq } of shown) if (!had.has(id)) complaints.push(`${who} no longer shows ${seq}`);
    shown = events;
  };
}

const inMemory = <Body>(): OutboxStorage<Body> => ({
  load: async () => [],
  put: async () => undefined,
  remove: async () => undefined,
  clear: async () => undefined,
});

interface Visitor {
  client: Client;
  written: string[];
  conversationId(): string | undefined;
  events(): readonly TimelineEvent[];
}

function visit(name: string, inboxId: string): Visitor {
  const watch = watchThread(name);
  const line = watchLine();
  const client = createClient({
    inboxId,
    storage: inMemory(),
    touch: { landingPage: 'https://shop.example/', referrer: '', parameters: {}, at: '2026-03-01T10:00:00Z' },
    identity: () => undefined,
    locale: () => 'en',
    openLine: (listener) =>
      openWire({
        url: `ws://127.0.0.1:${balancer.port}/`,
        makeSocket: (url) => new WebSocket(url, { origin: publicUrl }) as never,
        ...listener,
      }),
    emit(event, detail) {
      if (event === 'error') complaints.push(`${name} was told ${JSON.stringify(detail)}`);
    },
    onChange() {
      line(client.isOnline);
      watch(visitor.events());
      for (const { state, error } of client.state.outbox) {
        if (state === 'refused') complaints.push(`${name} was refused ${JSON.stringify(error)}`);
      }
    },
  });
  client.wake();
  ends.push(() => client.stop());
  const visitor: Visitor = {
    client,
    written: [],
    conversationId: () => client.conversations[0]?.id,
    events: () => client.state.threads[visitor.conversationId() ?? '']?.events ?? [],
  };
  return visitor;
}

interface Agent {
  say(conversationId: string, text: string): void;
  follow(conversationId: string): void;
  log(conversationId: string): ConversationLog;
  isOnline(): boolean;
}

function answer(session: SessionAnswer, workspaceId: string): Agent {
  const live = createLive({
    url: `http://127.0.0.1:${balancer.port}`,
    accessToken: async () => session.accessToken,
    random: Math.random,
  });
  const logs = createFamily<ConversationLog>(() => emptyLog);
  const read = async (id: string, query: object): Promise<EventPage> => {
    const words = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
    const path = `/api/workspaces/${workspaceId}/conversations/${id}/events?${words}`;
    const response = await fetch(`http://127.0.0.1:${balancer.port}${path}`, {
      headers: { authorization: `Bearer ${session.accessToken}` },
    });
    if (!response.ok) complaints.push(`the console was answered ${response.status}`);
    return (await response.json()) as EventPage;
  };
  const api = { events: read, markRead: async () => ({}) } as unknown as Api;
  const sync = createSync({ api, live, logs, storage: inMemory });
  const line = watchLine();
  live.online.subscribe(() => line(live.online.get()));
  live.on('event', (event) => sync.hear(event));
  live.on('resync', ({ conversationId }) => sync.missed(conversationId));
  live.on('session-ended', () => complaints.push('the console was signed out'));
  sync.start('test');
  live.connect(workspaceId);
  ends.push(() => live.disconnect());
  return {
    isOnline: () => live.online.get(),
    say: (conversationId, text) => sync.send(conversationId, { mode: 'reply', text, attachments: [] }),
    follow(conversationId) {
      sync.follow(conversationId);
      const watch = watchThread(`the console, of ${conversationId},`);
      logs.of(conversationId).subscribe(() => {
        const { events, outgoing, error } = logs.of(conversationId).get();
        watch(events);
        if (error) complaints.push(`the console could not read: ${JSON.stringify(error)}`);
        for (const { state } of outgoing) if (state === 'failed') complaints.push('an answer failed');
      });
    },
    log: (conversationId) => logs.of(conversationId).get(),
  };
}

const textsOf = (events: readonly TimelineEvent[], direction: 'in' | 'out'): string[] =>
  events.flatMap((event) =>
    event.kind === 'message' && event.direction === direction ? [event.body.text] : [],
  );
const within = { timeout: 60_000, interval: 25 };
const percentile = (list: number[], share: number): number =>
  Math.round([...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * share)] ?? 0);

describe('a rolling restart of three processes under load', () => {
  it('is seen by nobody: no error, no gap, nothing lost, doubled or misordered', {
    timeout: 240_000,
  }, async () => {
    const store = await openStore({ dataDir: '', mongodbUri: cluster.store.uri });
    ends.push(() => void store.close());
    const inbox = await InboxModel.findOne({ channel: 'chat' }).lean();
    if (!inbox) throw new Error('a first start makes a chat inbox');
    const setup = await fetch(`${cluster.servers[0]?.url}/api/setup`, {
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
    const agent = answer((await setup.json()) as SessionAnswer, inbox.workspaceId);
    await expect.poll(agent.isOnline, within).toBe(true);
    const people = Array.from({ length: visitors }, (_, n) => visit(`visitor ${n}`, inbox._id));
    const write = (person: Visitor) => {
      const text = randomUUID();
      person.written.push(text);
      person.client.write(randomUUID(), person.conversationId() ?? null, text, []);
    };
    for (const person of people) {
      await expect.poll(() => person.client.isOnline, within).toBe(true);
      write(person);
      await expect.poll(person.conversationId, within).toBeTypeOf('string');
      agent.follow(person.conversationId() ?? '');
    }

    const answered = people.map((): string[] => []);
    let turn = 0;
    const writing = setInterval(() => {
      const at = turn++ % visitors;
      for (const person of people) if (person.client.state.outbox.length < unsentAtMost) write(person);
      if (agent.log(people[at]?.conversationId() ?? '').outgoing.length >= unsentAtMost) return;
      const text = randomUUID();
      answered[at]?.push(text);
      agent.say(people[at]?.conversationId() ?? '', text);
    }, writeEveryMs);
    ends.push(() => clearInterval(writing));
    const began = performance.now();
    const stops: number[] = [];
    for (const server of cluster.servers) {
      const before = performance.now();
      await server.stop();
      stops.push(performance.now() - before);
      expect(server.output()).toContain('Stopped.');
      await server.restart();
    }
    clearInterval(writing);

    for (const [at, person] of people.entries()) {
      const id = person.conversationId() ?? '';
      const wrote = person.written.length + (answered[at]?.length ?? 0);
      const count = (events: readonly TimelineEvent[]) =>
        textsOf(events, 'in').length + textsOf(events, 'out').length;
      await expect.poll(() => person.client.state.outbox.length, within).toBe(0);
      await expect.poll(() => count(person.events()), within).toBe(wrote);
      await expect.poll(() => count(agent.log(id).events), within).toBe(wrote);
      const scope = systemScope(inbox.workspaceId);
      const stored: TimelineEvent[] = [];
      for (let after = 0; ; ) {
        const page = await readConversation(scope, { conversationId: id, after, limit: 200 }, 'agent');
        stored.push(...page.events);
        after = page.upTo;
        if (page.upTo >= page.head) break;
      }
      const ids = stored.map((event) => event.id);
      for (const shown of [stored, person.events(), agent.log(id).events]) {
        expect(textsOf(shown, 'in')).toEqual(person.written);
        expect(textsOf(shown, 'out')).toEqual(answered[at]);
        expect(shown.map((event) => event.id)).toEqual(ids);
      }
    }
    expect(complaints).toEqual([]);
    expect(Math.max(...stops)).toBeLessThan(10_000);
    expect(balancer.given.every((count) => count > 0)).toBe(true);
    const written = people.reduce((sum, person) => sum + person.written.length, answered.flat().length);
    console.log(
      `rolling restart: 3 processes in ${Math.round((performance.now() - began) / 1_000)} s, ${written} messages, ` +
        `lost 0, doubled 0, misordered 0; ${offlineMs.length} moves, a client without a connection for ` +
        `${percentile(offlineMs, 0.5)} ms (p50), ${percentile(offlineMs, 0.99)} ms (p99); ` +
        `stops took ${stops.map((ms) => Math.round(ms)).join(', ')} ms`,
    );
  });
});
