import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConversationModel, ReadModel } from '../../server/conversations/model.js';
import { openStore } from '../../server/store/connect.js';
import { EventModel } from '../../server/timeline/model.js';
import { readConversation } from '../../server/timeline/read.js';
import { rebuild } from '../../server/timeline/rebuild.js';
import { mongooseRemake } from '../../server/timeline/remake-store.js';
import { systemScope } from '../../server/workspaces/scope.js';
import type { EventPage } from '../../shared/events/timeline.js';
import { protocolNumber, type VisitorSession } from '../../shared/protocol.js';
import { type ServerProcess, startServer } from '../journeys/server.js';

/**
 * A real server process, killed with SIGKILL in the middle of 2,000 concurrent sends. `KILL_ROUNDS` kills; the full form
 * has 20.
 */
const rounds = Number(process.env.KILL_ROUNDS ?? 3);
const browsers = 40;
const sends = 2_000;

interface Browser {
  token: string;
  conversationId: string;
  /** In the order in which they were written. */
  written: string[];
  /** What the server acknowledged: client id -> event id. */
  acknowledged: Map<string, string>;
  socket: Socket | null;
}

let server: ServerProcess;
let inboxId: string;
const all: Browser[] = [];

beforeAll(async () => {
  if (!existsSync(join(import.meta.dirname, '../../dist/server/cli/main.js'))) {
    throw new Error('the server is not built: npm run build');
  }
  server = await startServer();
  const page = await (await fetch(`${server.url}/demo`)).text();
  inboxId = /data-inbox="([^"]+)"/.exec(page)?.[1] ?? '';
});
afterAll(async () => {
  for (const browser of all) browser.socket?.close();
  await server?.remove();
});

async function open(token?: string): Promise<{ socket: Socket; session: VisitorSession }> {
  const socket = io(`${server.url}/visitor`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth: { protocol: protocolNumber, inboxId, ...(token !== undefined && { token }) },
  });
  const session = await new Promise<VisitorSession>((resolve, reject) => {
    socket.once('session', resolve);
    socket.once('connect_error', reject);
  });
  return { socket, session };
}

type Sent =
  | { ok: true; event: { id: string; conversationId: string } }
  | { ok: false; error: { code: string; details?: { retryAfterMs?: number } } };

/** Sends one message and notes its acknowledgement. Rejects when the connection ends before it. */
async function send(browser: Browser, clientId: string): Promise<void> {
  const { socket } = browser;
  if (!socket?.connected) throw new Error('no connection');
  const lost = new Promise<never>((_resolve, reject) => {
    socket.once('disconnect', () => reject(new Error('the connection ended')));
  });
  for (;;) {
    const body = {
      clientId,
      conversationId: browser.conversationId,
      text: clientId,
      attachments: [],
      waitedMs: 0,
    };
    const answer: Sent = await Promise.race([socket.emitWithAck('message:send', body), lost]);
    if (answer.ok) {
      const before = browser.acknowledged.get(clientId);
      // A retry of something acknowledged is answered with the very same event.
      if (before !== undefined) expect(answer.event.id).toBe(before);
      browser.acknowledged.set(clientId, answer.event.id);
      return;
    }
    const wait = answer.error.details?.retryAfterMs;
    if (answer.error.code !== 'rate_limited' || wait === undefined) throw new Error(answer.error.code);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** Everything in a conversation, page by page, as this browser reads it. */
async function readAll({ socket, conversationId }: Browser): Promise<EventPage['events']> {
  const events: EventPage['events'] = [];
  for (let after = 0; ; ) {
    const page: EventPage = await socket?.emitWithAck('events:read', { conversationId, after, limit: 200 });
    events.push(...page.events);
    after = page.upTo;
    if (page.upTo >= page.head) return events;
  }
}

async function connectAll(): Promise<void> {
  await Promise.all(
    all.map(async (browser) => {
      browser.socket = (await open(browser.token)).socket;
    }),
  );
}

describe('kill -9 in the middle of 2,000 concurrent sends', () => {
  it(`loses, doubles and misorders nothing, ${rounds} times over`, {
    timeout: 60_000 + rounds * 60_000,
  }, async () => {
    for (let n = 0; n < browsers; n += 1) {
      const { socket, session } = await open();
      const browser: Browser = {
        token: session.token,
        conversationId: '',
        written: [],
        acknowledged: new Map(),
        socket,
      };
      const first: Sent = await socket.emitWithAck('message:send', {
        clientId: randomUUID(),
        conversationId: null,
        text: 'first',
        attachments: [],
        waitedMs: 0,
      });
      if (!first.ok) throw new Error(first.error.code);
      browser.conversationId = first.event.conversationId;
      all.push(browser);
    }

    for (let round = 1; round <= rounds; round += 1) {
      const fresh = all.map((browser) => {
        const ids = Array.from({ length: sends / browsers }, () => randomUUID());
        browser.written.push(...ids);
        return { browser, ids };
      });
      // Somewhere in the middle, another place each time.
      const killAt = Math.floor(sends * (0.1 + 0.8 * Math.random()));
      let acknowledged = 0;
      let killed: Promise<void> | null = null;
      const outcomes = await Promise.allSettled(
        fresh.flatMap(({ browser, ids }) =>
          ids.map(async (id) => {
            await send(browser, id);
            acknowledged += 1;
            if (acknowledged === killAt) killed = server.kill();
          }),
        ),
      );
      await killed;
      expect(acknowledged).toBeGreaterThanOrEqual(killAt);
      expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);

      await server.restart();
      await connectAll();
      // The outbox: what was not acknowledged goes again, in order; and some of what was, since an answer can be lost.
      await Promise.all(
        fresh.map(async ({ browser, ids }) => {
          for (const id of ids) {
            if (!browser.acknowledged.has(id) || Math.random() < 0.1) await send(browser, id);
          }
        }),
      );

      for (const browser of all) {
        const events = await readAll(browser);
        const messages = events.flatMap((event) => (event.kind === 'message' ? [event] : [])).slice(1);
        expect(messages.map(({ body }) => body.clientId)).toEqual(browser.written);
        expect(messages.map(({ id }) => id)).toEqual(
          browser.written.map((id) => browser.acknowledged.get(id)),
        );
        const seqs = events.map(({ seq }) => seq ?? 0);
        expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
        expect(new Set(seqs).size).toBe(seqs.length);
        expect(events.map(({ previousSeq }) => previousSeq)).toEqual([0, ...seqs.slice(0, -1)]);
      }
    }
    for (const browser of all) browser.socket?.close();
  });

  it('reads the same, in the same order, to agents as to visitors', async () => {
    const store = await openStore({ dataDir: server.dataDir, whenOwned: 'join' });
    try {
      const rows = await ConversationModel.find().lean();
      for (const { _id, workspaceId } of rows) {
        const messages = async (audience: 'agent' | 'visitor') => {
          const ids: string[] = [];
          for (let after = 0; ; ) {
            const page = await readConversation(
              systemScope(workspaceId),
              { conversationId: _id, after, limit: 200 },
              audience,
            );
            ids.push(...page.events.flatMap(({ id, kind }) => (kind === 'message' ? [id] : [])));
            after = page.upTo;
            if (page.upTo >= page.head) return ids.slice(1);
          }
        };
        const browser = all.find(({ conversationId }) => conversationId === _id);
        const written = browser?.written.map((id) => browser.acknowledged.get(id));
        expect(await messages('agent')).toEqual(written);
        expect(await messages('visitor')).toEqual(written);
      }
    } finally {
      await store.close();
    }
  });

  it('leaves projections that equal those made again from the events, field by field', async () => {
    const store = await openStore({ dataDir: server.dataDir, whenOwned: 'join' });
    try {
      const read = async () => ({
        conversations: await ConversationModel.find().sort({ _id: 1 }).lean(),
        reads: await ReadModel.find().sort({ _id: 1 }).lean(),
      });
      const before = await read();
      expect(before.conversations).toHaveLength(browsers);
      const perConversation = 2 + (rounds * sends) / browsers;
      expect(before.conversations.map(({ head }) => head)).toEqual(Array(browsers).fill(perConversation));
      expect(await EventModel.countDocuments({ kind: 'message' })).toBe(browsers + rounds * sends);
      await rebuild(mongooseRemake, 'all');
      expect(await read()).toEqual(before);
    } finally {
      await store.close();
    }
  });
});
