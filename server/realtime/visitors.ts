import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { VisitorHandshake } from '../../shared/protocol.js';
import { networkOf } from '../agents/throttle.js';
import { answerVisitor, type RequestDeps, type VisitorCaller } from '../channels/chat/requests.js';
import { type Admitted, admitVisitor, describeSession, type SessionDeps } from '../channels/chat/session.js';
import { loadVisitor, type Visitor } from '../channels/chat/visitor.js';
import { log } from '../log.js';
import { readUserAgent } from './browser.js';
import { serveRequests } from './dispatch.js';
import { admitEach, readAuth } from './handshake.js';
import type { Presence } from './presence.js';
import { rooms } from './rooms.js';
import { boundReader } from './slow.js';
import type { VisitorNamespace, VisitorSocket } from './sockets.js';

export interface VisitorNamespaceDeps extends SessionDeps, RequestDeps {
  presence: Presence;
  addressOf: (socket: VisitorSocket) => string;
}

/** The conversations that a socket was found to be in, so that not each message asks again. Most are in none. */
const knownOf = new WeakMap<VisitorSocket, Set<string>>();

function knownTo(socket: VisitorSocket): Set<string> {
  const known = knownOf.get(socket) ?? new Set();
  knownOf.set(socket, known);
  return known;
}

/**
 * How often this process was told that browsers may reach something else now. Whoever is looked up at that moment is
 * neither connected nor in a room yet, where it would be found.
 */
let changesTold = 0;

/** An admitted socket that has not connected yet, and what had been told when it was looked up. */
interface Arrival extends Admitted {
  changesTold: number;
}

/** Visitors' sockets: one browser tab each, in rooms that the server chose. */
export function serveVisitors(nsp: VisitorNamespace, deps: VisitorNamespaceDeps): void {
  const admitted = new WeakMap<VisitorSocket, Arrival>();
  const places = browserPlaces();

  admitEach(nsp, async (socket: VisitorSocket) => {
    admitted.set(socket, await admit(deps, places, socket));
    // In this very turn it connects, or its connection was closed meanwhile.
    setImmediate(() => {
      if (admitted.has(socket)) places.leave(socket.data.visitor.visitorId);
    });
  });

  nsp.on('connection', (socket) => {
    const arrival = admitted.get(socket);
    if (!arrival || !socket.connected) {
      socket.disconnect(true);
      return;
    }
    admitted.delete(socket);
    // Rooms first: what is published from here on arrives live, what was published before stands in the session.
    joinRooms(socket);
    showVisit(deps, socket);
    const giveUp = (error: unknown): void => {
      log.warn({ err: error }, 'a session could not be described');
      socket.disconnect(true);
    };
    boundReader(socket, () => {
      joinRooms(socket);
      // Out of its rooms it was found by nobody who looked for it there.
      lookAgain(socket).catch(giveUp);
      for (const conversationId of knownOf.get(socket) ?? []) socket.emit('resync', { conversationId });
    });
    serveRequests(socket, 'visitor', (name, body) => {
      const caller: VisitorCaller = {
        visitor: socket.data.visitor,
        known: knownTo(socket),
        tab: socket.id,
      };
      return answerVisitor(deps, caller, name, body);
    });
    socket.on('disconnect', () => {
      const { workspaceId, visitorId } = socket.data.visitor;
      places.leave(visitorId);
      deps.presence.remove(workspaceId, socket.data.shownAs, socket.id);
    });
    begin(deps, socket, arrival).catch(giveUp);
  });
}

async function begin(deps: SessionDeps, socket: VisitorSocket, arrival: Arrival): Promise<void> {
  if (arrival.changesTold !== changesTold) await lookAgain(socket);
  if (!socket.connected) return;
  const { visitor } = socket.data;
  const session = await describeSession(deps, { inbox: arrival.inbox, visitor });
  for (const { id } of session.conversations) knownTo(socket).add(id);
  socket.emit('session', session);
}

interface BrowserPlaces {
  /** One socket more of this browser. @throws AppError `rate_limited` when it has as many as it may */
  take(visitorId: string): void;
  leave(visitorId: string): void;
}

/**
 * How many sockets each browser has. Counted from their admission on: many handshakes are admitted in one turn, before
 * any of their sockets has connected.
 */
function browserPlaces(): BrowserPlaces {
  const taken = new Map<string, number>();
  return {
    take(visitorId) {
      const before = taken.get(visitorId) ?? 0;
      if (before >= limits.visitorSocketsPerContact) {
        throw new AppError('rate_limited', { limit: limits.visitorSocketsPerContact, retryAfterMs: 30_000 });
      }
      taken.set(visitorId, before + 1);
    },
    leave(visitorId) {
      const left = (taken.get(visitorId) ?? 0) - 1;
      if (left > 0) taken.set(visitorId, left);
      else taken.delete(visitorId);
    },
  };
}

async function admit(
  deps: VisitorNamespaceDeps,
  places: BrowserPlaces,
  socket: VisitorSocket,
): Promise<Arrival> {
  const toldBefore = changesTold;
  const handshake = readAuth(VisitorHandshake, socket.handshake.auth);
  const result = await admitVisitor(deps, handshake, {
    origin: socket.handshake.headers.origin,
    network: networkOf(deps.addressOf(socket)),
  });
  places.take(result.visitor.visitorId);
  socket.data = {
    visitor: result.visitor,
    shownAs: '',
    page: handshake.page ?? { url: '', title: '' },
    locale: handshake.locale ?? '',
    timeZone: handshake.timeZone ?? '',
    ...readUserAgent(socket.handshake.headers['user-agent']),
  };
  return { ...result, changesTold: toldBefore };
}

function roomsOf({ workspaceId, inboxId, headId, contactIds }: Visitor): string[] {
  return [
    rooms.visitors(workspaceId),
    rooms.head(workspaceId, headId),
    ...contactIds.map((contactId) => rooms.contact(workspaceId, inboxId, contactId)),
  ];
}

function joinRooms(socket: VisitorSocket): void {
  void socket.join(roomsOf(socket.data.visitor));
}

/** Shows agents where this tab is. */
export function showVisit(deps: { presence: Presence }, socket: VisitorSocket): void {
  const { visitor, shownAs, page, locale, timeZone, browser, system } = socket.data;
  if (shownAs !== visitor.contactId) deps.presence.remove(visitor.workspaceId, shownAs, socket.id);
  socket.data.shownAs = visitor.contactId;
  deps.presence.set(visitor.workspaceId, visitor.contactId, socket.id, {
    online: true,
    url: page.url,
    title: page.title,
    browser,
    system,
    locale,
    timeZone,
  });
}

/**
 * Looks again at what the browsers of a group may reach: somebody of it was blocked, or a merge was made or undone. One
 * that may see another set of contacts now leaves its rooms at once and begins a new session.
 */
export async function refreshVisitors(
  nsp: VisitorNamespace,
  workspaceId: string,
  headId: string,
): Promise<void> {
  changesTold += 1;
  const room = nsp.adapter.rooms.get(rooms.head(workspaceId, headId)) ?? [];
  await Promise.all([...room].flatMap((id) => nsp.sockets.get(id) ?? []).map(lookAgain));
}

/** The browser's secret is over: each of its tabs is told, and closed. */
export function signOutVisitors(nsp: VisitorNamespace, visitorId: string): void {
  changesTold += 1;
  // Looked for among all: a room for each browser would cost each of them more than this costs the few who sign out.
  const tabs = [...nsp.sockets.values()].filter(({ data }) => data.visitor.visitorId === visitorId);
  for (const socket of tabs) socket.emit('signed-out', {});
  // After the answer to whoever asked for it: its acknowledgement goes out first.
  setImmediate(() => {
    for (const socket of tabs) socket.disconnect(true);
  });
}

async function lookAgain(socket: VisitorSocket): Promise<void> {
  let after: Visitor;
  try {
    after = await loadVisitor(socket.data.visitor);
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'unauthorized')) throw error;
    socket.emit('signed-out', {});
    socket.disconnect(true);
    return;
  }
  // As it stands by now, and in one breath: of two looks at once each leaves what the one before it joined.
  const before = socket.data.visitor;
  socket.data.visitor = after;
  if (after.contactIds.join() === before.contactIds.join() && after.headId === before.headId) return;
  for (const room of roomsOf(before)) void socket.leave(room);
  joinRooms(socket);
  if (after.contactIds.join() === before.contactIds.join()) return;
  // A browser that does not come back when it is told to must not go on in what is no longer its own.
  knownOf.get(socket)?.clear();
  socket.emit('reconnect', { afterMs: Math.round(Math.random() * 1_000) });
}
