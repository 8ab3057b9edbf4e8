import { readFileSync } from 'node:fs';
import { io } from 'socket.io-client';
import { expect, vi } from 'vitest';
import WebSocket from 'ws';
import { readFigures } from '../../../server/cli/figures.js';
import type { InboxRow } from '../../../server/inboxes/model.js';
import type { SessionAnswer } from '../../../shared/api.js';
import { protocolNumber } from '../../../shared/protocol.js';
import { type ServerProcess, startServer } from '../../journeys/server.js';
import { type Desk, openDesk, openTab, say, type Tab, type TestApp } from '../../server/http/app.js';

/** The full forms: more sockets, more events, longer floods. */
export const isLong = process.env.THREADLINE_TEST_LONG === '1';

const metricsToken = 'metrics-of-the-attacked';
export const password = 'a long enough password';

/** A real server process under attack, and neighbours who must not feel it. */
export interface Attacked {
  server: ServerProcess;
  at: TestApp;
  owner: SessionAnswer;
  /** Its figures now. */
  figures(): Promise<ReadonlyMap<string, number>>;
  /** Memory of its own, without the pages of the store's file that the system keeps for it. */
  memoryBytes(): number;
  /** Connections that the system holds for it, whatever it thinks of them itself: none was forgotten to be closed. */
  heldConnections(): number;
  remove(): Promise<void>;
}

/** Behind one proxy, so that a test may come from as many addresses as it likes. */
export async function startAttacked(env: Record<string, string> = {}): Promise<Attacked> {
  const server = await startServer({ METRICS_TOKEN: metricsToken, TRUST_PROXY: '1', ...env });
  const page = await (await fetch(`${server.url}/demo`)).text();
  const inbox = { _id: /data-inbox="([^"]+)"/.exec(page)?.[1] ?? '' } as InboxRow;
  const setup = await fetch(`${server.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token: server.setupToken(),
      workspace: 'Kestrel Cycles',
      name: 'Anna',
      email: 'anna@kestrel.example',
      password,
    }),
  });
  const owner = (await setup.json()) as SessionAnswer;
  const workspaceId = owner.agent.workspaces[0]?.id ?? '';
  const proc = `/proc/${server.pid()}`;
  return {
    server,
    owner,
    at: { url: server.url, app: { publicUrl: server.url }, inbox, workspaceId } as TestApp,
    async figures() {
      const answer = await fetch(`${server.url}/metrics`, {
        headers: { authorization: `Bearer ${metricsToken}` },
      });
      return readFigures(await answer.text());
    },
    memoryBytes: () =>
      Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1]) * 1_024,
    heldConnections: () => heldAt(Number(new URL(server.url).port)),
    remove: () => server.remove(),
  };
}

/** Of the system's tables: established (01), or closed by the other side alone (08). */
function heldAt(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  return rows.filter((row) => {
    const [, from, , state] = row.trim().split(/\s+/);
    return from?.endsWith(local) && (state === '01' || state === '08');
  }).length;
}

let addresses = 0;
/** Headers of a browser at an address that nobody has come from. */
export const somewhereElse = (at: TestApp): Record<string, string> => {
  addresses += 1;
  return {
    origin: at.app.publicUrl,
    'x-forwarded-for': `198.51.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`,
  };
};

/** A visitor at an address of their own. */
export const newTab = (at: TestApp, auth: object = {}): Promise<Tab> => openTab(at, auth, somewhereElse(at));

/**
 * Does something to the server while a visitor and an agent speak to one another, and answers with its result. All that
 * they write is acknowledged, and all of it arrives.
 */
export async function whileOthersTalk<T>({ at, owner }: Attacked, attack: () => Promise<T>): Promise<T> {
  const [visitor, agent]: [Tab, Desk] = [await newTab(at), await openDesk(at, owner.accessToken)];
  const { conversationId } = await say(visitor, 'before');
  let isOver = false;
  const sent: string[] = [];
  const talk = async (): Promise<void> => {
    // At the pace of fast people: their own limits are none of the matter.
    for (; !isOver; await new Promise((resolve) => setTimeout(resolve, 100))) {
      const text = `while it lasts ${sent.length}`;
      await say(visitor, text, conversationId);
      sent.push(text);
    }
  };
  const talking = talk();
  try {
    return await Promise.race([attack(), talking.then(() => Promise.reject(new Error('they fell silent')))]);
  } finally {
    isOver = true;
    await talking;
    expect(sent.length).toBeGreaterThan(0);
    const heard = () => agent.told.filter(([name]) => name === 'event').map(([, event]) => event);
    const texts = () => JSON.stringify(heard());
    const missing = () => sent.filter((text) => !texts().includes(`"${text}"`));
    await vi.waitFor(() => expect(missing()).toEqual([]), 30_000);
    visitor.close();
    agent.close();
  }
}

/** A connection of which the test decides every frame. `closed` tells the code and the reason of its end. */
export interface Raw {
  socket: WebSocket;
  heard: string[];
  closed: Promise<{ code: number; reason: string }>;
}

/** Opens the engine's connection; with `auth`, a visitor's socket on it, once its session was told. */
export async function openRaw(at: TestApp, auth?: object): Promise<Raw> {
  const socket = new WebSocket(`${at.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
    headers: somewhereElse(at),
  });
  const heard: string[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
  );
  socket.on('error', () => undefined);
  socket.on('message', (data) => heard.push(String(data)));
  await vi.waitFor(() => expect(heard[0]).toMatch(/^0\{/), 30_000);
  if (auth) {
    const handshake = { protocol: protocolNumber, inboxId: at.inbox._id, ...auth };
    socket.send(`40/visitor,${JSON.stringify(handshake)}`);
    await vi.waitFor(() => expect(heard.join()).toContain('42/visitor,["session"'), 30_000);
  }
  return { socket, heard, closed };
}

/** Sockets of a visitor who is known, as many tabs as one may have. */
export async function openTabsOf(at: TestApp, token: string, count: number): Promise<{ close(): void }[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = io(`${at.url}/visitor`, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
        auth: { protocol: protocolNumber, inboxId: at.inbox._id, token },
        extraHeaders: somewhereElse(at),
      });
      await new Promise<void>((resolve, reject) => {
        socket.once('session', () => resolve());
        socket.once('connect_error', reject);
      });
      return { close: () => void socket.close() };
    }),
  );
}
