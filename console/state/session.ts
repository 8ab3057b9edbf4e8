import type { Me, SessionAnswer } from '../../shared/api.js';
import { RequestError, replyOf } from '../api/request.js';
import { refreshCounts } from '../list/actions.js';
import type { Route } from '../router.js';
import { phoneRules } from '../texts/phone.js';
import { useLanguage } from '../texts/text.js';
import type { Console } from './console.js';

const lastWorkspace = 'threadline.workspace';

/** On opening the page: a session by the cookie, a first run, or the sign-in. */
export async function begin(app: Console): Promise<void> {
  const route = app.route.get();
  if (route.page === 'setup' || route.page === 'reset' || route.page === 'invitation') {
    app.session.set({ state: 'signed-out' });
    return;
  }
  try {
    await enter(app, await app.transport.refresh());
  } catch (error) {
    if (error instanceof RequestError && error.unreachable) {
      app.offlineSince.set(app.clock.get());
      setTimeout(() => void begin(app), 3_000);
      return;
    }
    replyOf(error);
    app.session.set({ state: 'signed-out' });
  }
}

/** Somebody is signed in: to the workspace of the address, else to the one they were in last. */
export async function enter(app: Console, answer: SessionAnswer): Promise<void> {
  app.transport.take(answer);
  await Promise.all([useLanguage(answer.agent.locale), phoneRules]);
  app.session.set({ state: 'signed-in', me: answer.agent });
  const route = app.route.get();
  if (!('workspaceId' in route)) app.go(homeOf(answer.agent), { replace: true });
  joinWorkspace(app);
}

export function homeOf(me: Me): Route {
  let last: string | null = null;
  try {
    last = localStorage.getItem(lastWorkspace);
  } catch {
    // A browser that keeps nothing begins with the first.
  }
  const workspace = me.workspaces.find((one) => one.id === last) ?? me.workspaces[0];
  return workspace
    ? { page: 'inbox', workspaceId: workspace.id, view: 'all', sort: 'waiting' }
    : { page: 'home' };
}

/** Connects to the workspace that the address names, and asks for what every page shows. */
export function joinWorkspace(app: Console): void {
  const session = app.session.get();
  const route = app.route.get();
  if (session.state !== 'signed-in' || !('workspaceId' in route) || app.joined.get() === route.workspaceId)
    return;
  if (!session.me.workspaces.some((workspace) => workspace.id === route.workspaceId)) return;
  app.joined.set(route.workspaceId);
  try {
    localStorage.setItem(lastWorkspace, route.workspaceId);
  } catch {
    // Next time begins with the first one.
  }
  for (const family of [
    app.rows,
    app.details,
    app.logs,
    app.contacts,
    app.timelines,
    app.pictures,
    app.viewers,
    app.typing,
  ])
    family.clear();
  app.counts.set(null);
  app.live.connect(route.workspaceId);
  app.sync.start(`${route.workspaceId}.${session.me.id}`);
  refreshCounts(app);
  void refreshTeam(app);
}

export async function refreshTeam(app: Console): Promise<void> {
  try {
    const [agents, inboxes] = await Promise.all([app.api.agents(), app.api.inboxes()]);
    app.agents.set(agents);
    app.inboxes.set(inboxes);
  } catch (error) {
    // Names stay out until the connection is back and asks again.
    replyOf(error);
  }
}

export async function signOut(app: Console): Promise<void> {
  try {
    await app.api.signOut();
  } catch (error) {
    // Here it ends all the same.
    replyOf(error);
  }
  app.sync.wipe();
  leave(app);
}

/** The session is over, here or at the server. */
export function leave(app: Console): void {
  app.joined.set(null);
  app.live.disconnect();
  app.transport.take(null);
  app.session.set({ state: 'signed-out' });
}
