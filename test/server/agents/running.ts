import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLink } from '../../../server/agents/links.js';
import { giveAccess } from '../../../server/agents/members.js';
import { type App, startApp } from '../../../server/app.js';
import { type Config, loadConfig } from '../../../server/config.js';
import { addFirstInboxes } from '../../../server/workspaces/first.js';
import { systemScope } from '../../../server/workspaces/scope.js';
import { addWorkspace } from '../../../server/workspaces/workspaces.js';
import type { Role, SessionAnswer } from '../../../shared/api.js';
import { readConsoleLink } from '../../../shared/links.js';

export const password = 'correct horse battery';

export interface Running {
  app: App;
  config: Config;
  url: string;
  stop(): Promise<void>;
}

/** The whole server on a free port and a fresh folder. */
export async function startServer(environment: Record<string, string> = {}): Promise<Running> {
  const dataDir = mkdtempSync(join(tmpdir(), 'threadline-test-'));
  const loaded = loadConfig({ DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'silent', ...environment });
  const app = await startApp(loaded);
  return {
    app,
    config: { ...loaded, publicUrl: app.publicUrl, port: app.port },
    url: `http://127.0.0.1:${app.port}`,
    async stop() {
      await app.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  status: number;
  body: Record<string, unknown> & { error?: { code: string; details?: Record<string, unknown> } };
  headers: Headers;
  /** The refresh cookie that was set, as it is sent back; '' when it was cleared; null when none was set. */
  cookie: string | null;
}

export interface Ask {
  token?: string | undefined;
  cookie?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

/** One request, JSON in and out. */
export async function ask(server: Running, method: string, path: string, given: Ask = {}): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(given.token !== undefined && { authorization: `Bearer ${given.token}` }),
      ...(given.cookie && { cookie: given.cookie }),
      ...(given.body !== undefined && { 'content-type': 'application/json' }),
      ...given.headers,
    },
    ...(given.body !== undefined && {
      body: typeof given.body === 'string' ? given.body : JSON.stringify(given.body),
    }),
  });
  const text = await response.text();
  const set = response.headers.getSetCookie().find((cookie) => cookie.startsWith('threadline_refresh='));
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return {
    status: response.status,
    body: isJson ? JSON.parse(text) : { text },
    headers: response.headers,
    cookie: set === undefined ? null : /=;/.test(set) ? '' : (set.split(';')[0] ?? ''),
  };
}

export interface SignedIn {
  id: string;
  email: string;
  token: string;
  cookie: string;
  workspaceId: string;
}

const signedIn = (email: string, answer: Answer, workspaceId?: string): SignedIn => {
  const session = answer.body as unknown as SessionAnswer;
  if (answer.status !== 201 || answer.cookie === null) {
    throw new Error(`Not signed in: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return {
    id: session.agent.id,
    email,
    token: session.accessToken,
    cookie: answer.cookie,
    workspaceId: workspaceId ?? session.agent.workspaces[0]?.id ?? '',
  };
};

export const tokenIn = (link: string): string => readConsoleLink(new URL(link).hash)?.token ?? '';

/** The first owner, by the link that a start prints. */
export async function becomeOwner(server: Running, email = 'owner@example.com'): Promise<SignedIn> {
  const link = (await server.app.setupLink()) ?? '';
  const body = { token: tokenIn(link), workspace: 'Kestrel', name: 'Olive Owner', email, password };
  return signedIn(email, await ask(server, 'POST', '/api/setup', { body }));
}

export async function signIn(server: Running, email: string, workspaceId?: string): Promise<SignedIn> {
  return signedIn(
    email,
    await ask(server, 'POST', '/api/sessions', { body: { email, password } }),
    workspaceId,
  );
}

/** Somebody new in a workspace, by the server's own invitation. */
export async function addMember(
  server: Running,
  workspaceId: string,
  role: Role,
  email: string,
): Promise<SignedIn> {
  const { link } = await giveAccess(server.config, systemScope(workspaceId), { email, role });
  const body = { token: tokenIn(link ?? ''), name: email.split('@')[0], password };
  const accepted = await ask(server, 'POST', '/api/invitations/redeem', { body });
  return signedIn(email, accepted, workspaceId);
}

/** Another company on the same server, with an owner of its own. */
export async function addCompany(server: Running, name: string, email: string): Promise<SignedIn> {
  const workspace = await addWorkspace(name);
  await addFirstInboxes(systemScope(workspace._id), server.config.publicUrl);
  return addMember(server, workspace._id, 'owner', email);
}

/** A link that has expired: nobody waits a week for it. */
export const expiredLink = (server: Running, kind: 'reset' | 'invitation', about: Record<string, string>) =>
  makeLink(server.config, kind, -1_000, about);
