import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { expect } from 'vitest';
import { type App, startApp } from '../../../server/app.js';
import { loadConfig } from '../../../server/config.js';
import { InboxModel, type InboxRow } from '../../../server/inboxes/model.js';
import type { SessionAnswer } from '../../../shared/api.js';
import type { ErrorReply } from '../../../shared/errors.js';
import { readConsoleLink } from '../../../shared/links.js';
import {
  type AgentResults,
  protocolNumber,
  type VisitorResults,
  type VisitorSession,
} from '../../../shared/protocol.js';

/** A whole server in this process: the real store in a fresh folder, real sockets on a free port. */
export interface TestApp {
  app: App;
  url: string;
  inbox: InboxRow;
  workspaceId: string;
  secretKey: string;
  stop(): Promise<void>;
}

const secretKey = 'a-secret-key-for-tests-of-32-characters';

export async function testApp(environment: Record<string, string> = {}): Promise<TestApp> {
  const dataDir = mkdtempSync(join(tmpdir(), 'threadline-app-'));
  const config = loadConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    DATA_DIR: dataDir,
    SECRET_KEY: secretKey,
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    ...environment,
  });
  const app = await startApp(config);
  const inbox = await InboxModel.findOne({ channel: 'chat' }).lean();
  if (!inbox) throw new Error('a first start makes a chat inbox');
  return {
    app,
    url: `http://127.0.0.1:${app.port}`,
    inbox,
    workspaceId: inbox.workspaceId,
    secretKey,
    async stop() {
      await app.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

type Reply<T> = ({ ok: true } & T) | { ok: false; error: ErrorReply };

/** A visitor's browser tab: its socket, its session, and all that it was told. */
export interface Tab {
  socket: Socket;
  session: VisitorSession;
  told: [string, unknown][];
  ask<N extends keyof VisitorResults>(name: N, body: unknown): Promise<Reply<VisitorResults[N]>>;
  close(): void;
}

export const visitorAuth = (at: TestApp, auth: object = {}): object => ({
  protocol: protocolNumber,
  inboxId: at.inbox._id,
  ...auth,
});

export function openSocket(
  at: TestApp,
  namespace: string,
  auth: object,
  headers: Record<string, string> = { origin: at.app.publicUrl },
): Socket {
  return io(`${at.url}${namespace}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth,
    extraHeaders: headers,
  });
}

/** The code that a handshake is refused with. */
export function refusedWith(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => reject(new Error('the handshake was accepted')));
    socket.once('connect_error', (error) => {
      socket.close();
      resolve(error.message);
    });
  });
}

export const next = <T>(socket: Socket, name: string): Promise<T> =>
  new Promise((resolve) => socket.once(name, resolve));

const asking = (socket: Socket, name: string, body: unknown): Promise<never> =>
  socket.timeout(20_000).emitWithAck(name, body) as Promise<never>;

export async function openTab(
  at: TestApp,
  auth: object = {},
  headers?: Record<string, string>,
): Promise<Tab> {
  const socket = openSocket(at, '/visitor', visitorAuth(at, auth), headers);
  const told: [string, unknown][] = [];
  socket.onAny((name: string, notice: unknown) => told.push([name, notice]));
  const session = await new Promise<VisitorSession>((resolve, reject) => {
    socket.once('session', resolve);
    socket.once('connect_error', reject);
  });
  return {
    socket,
    session,
    told,
    ask: (name, body) => asking(socket, name, body),
    close: () => void socket.close(),
  };
}

let counter = 0;
export const clientId = (): string => {
  counter += 1;
  return `client-${String(counter).padStart(6, '0')}`;
};
export const message = (text: string, conversationId: string | null = null, extra: object = {}): object => ({
  clientId: clientId(),
  conversationId,
  text,
  attachments: [],
  waitedMs: 0,
  ...extra,
});

/** Sends one message and answers with its event. */
export async function say(tab: Tab, text: string, conversationId: string | null = null) {
  const reply = await tab.ask('message:send', message(text, conversationId));
  if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`);
  const { event } = reply;
  if (event.conversationId === undefined) throw new Error('a message stands in a conversation');
  return { ...event, conversationId: event.conversationId };
}

/** The first owner, signed in. */
export async function signInOwner(at: TestApp): Promise<SessionAnswer> {
  const link = await at.app.setupLink();
  const token = link === null ? null : readConsoleLink(new URL(link).hash);
  if (!token) throw new Error('a first start has a set-up link');
  const response = await fetch(`${at.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token: token.token,
      workspace: 'Kestrel Cycles',
      name: 'Anna',
      email: 'anna@kestrel.example',
      password: 'a long enough password',
    }),
  });
  expect(response.status).toBe(201);
  return (await response.json()) as SessionAnswer;
}

export interface Desk {
  socket: Socket;
  told: [string, unknown][];
  ask<N extends keyof AgentResults>(name: N, body: unknown): Promise<Reply<AgentResults[N]>>;
  close(): void;
}

/** An agent's console window. */
export async function openDesk(at: TestApp, accessToken: string): Promise<Desk> {
  const socket = openSocket(at, '/agent', {
    protocol: protocolNumber,
    accessToken,
    workspaceId: at.workspaceId,
  });
  const told: [string, unknown][] = [];
  socket.onAny((name: string, notice: unknown) => told.push([name, notice]));
  await new Promise<void>((resolve, reject) => {
    socket.once('ready', () => resolve());
    socket.once('connect_error', reject);
  });
  return { socket, told, ask: (name, body) => asking(socket, name, body), close: () => void socket.close() };
}

/** What it was told under this name. */
export const toldOf = <T>(who: { told: [string, unknown][] }, name: string): T[] =>
  who.told.filter(([told]) => told === name).map(([, notice]) => notice as T);

/** A request over the stateless route. */
export async function post(
  at: TestApp,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: { error?: ErrorReply } & Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${at.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers };
}
