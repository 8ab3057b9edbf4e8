import { AppError } from '../../shared/errors.js';
import { AgentHandshake, protocolNumber } from '../../shared/protocol.js';
import { readMe } from '../agents/me.js';
import { membership } from '../agents/membership.js';
import { endedAmong, verifyAccessToken } from '../agents/sessions.js';
import { checkProtocol } from '../channels/chat/session.js';
import { type AgentRequestDeps, answerAgent } from './agent-requests.js';
import { serveRequests } from './dispatch.js';
import { admitEach, readAuth } from './handshake.js';
import { rooms } from './rooms.js';
import { boundReader } from './slow.js';
import type { AgentData, AgentNamespace, AgentSocket } from './sockets.js';

export interface AgentNamespaceDeps extends AgentRequestDeps {
  secretKey: string;
  publicUrl: () => string;
}

/** Agents' sockets: one console window each, in the rooms of the workspace of its handshake. */
export function serveAgents(nsp: AgentNamespace, deps: AgentNamespaceDeps): void {
  admitEach(nsp, async (socket: AgentSocket) => {
    socket.data = await admit(deps, socket);
  });

  nsp.on('connection', (socket) => {
    joinRooms(socket);
    boundReader(socket, () => {
      joinRooms(socket);
      // Its lists and whatever it has open are behind: it begins anew.
      socket.emit('reconnect', { afterMs: Math.round(Math.random() * 1_000) });
    });
    serveRequests(socket, 'agent', (name, body) => answerAgent(deps, socket, name, body));
    deps.live.came(socket);
    socket.on('disconnect', () => deps.live.left(socket));
    socket.emit('ready', { protocol: protocolNumber });
  });
}

async function admit(deps: AgentNamespaceDeps, socket: AgentSocket): Promise<AgentData> {
  const { origin, host } = socket.handshake.headers;
  // The token is no cookie, so no foreign page can use it; but a page that is not ours has no business here.
  if (origin !== undefined && !isOwn(origin, host, deps.publicUrl())) {
    throw new AppError('foreign_page', { origin: origin.slice(0, 200) });
  }
  const { protocol, accessToken, workspaceId } = readAuth(AgentHandshake, socket.handshake.auth);
  checkProtocol(protocol);
  const { agentId, sessionId } = await verifyAccessToken(deps.secretKey, accessToken);
  if (!(await membership(agentId, workspaceId))) throw new AppError('not_found');
  const { name } = await readMe(agentId);
  return { agentId, sessionId, workspaceId, name, viewing: null, typing: false };
}

const isOwn = (origin: string, host: string | undefined, publicUrl: string): boolean =>
  origin === publicUrl || origin === `http://${host}` || origin === `https://${host}`;

function joinRooms(socket: AgentSocket): void {
  const { workspaceId, agentId, sessionId } = socket.data;
  void socket.join([
    rooms.workspace(workspaceId),
    rooms.agent(workspaceId, agentId),
    rooms.session(sessionId),
  ]);
}

/** Tells sockets that their session is over, and closes them. */
export function endSockets(sockets: Iterable<AgentSocket>): void {
  for (const socket of sockets) {
    socket.emit('session-ended', {});
    socket.disconnect(true);
  }
}

/** A session may have been ended by another process, whose word does not reach us: looked at every few seconds. */
export async function endStaleSockets(nsp: AgentNamespace): Promise<void> {
  const sockets = [...nsp.sockets.values()];
  if (sockets.length === 0) return;
  const ended = await endedAmong([...new Set(sockets.map((socket) => socket.data.sessionId))]);
  const stale = new Set(sockets.filter((socket) => ended.has(socket.data.sessionId)));
  const pairs = new Map<string, AgentSocket[]>();
  for (const socket of sockets) {
    const key = `${socket.data.agentId} ${socket.data.workspaceId}`;
    pairs.set(key, [...(pairs.get(key) ?? []), socket]);
  }
  for (const own of pairs.values()) {
    const data = own[0]?.data;
    if (!data || (await membership(data.agentId, data.workspaceId))) continue;
    for (const socket of own) stale.add(socket);
  }
  endSockets(stale);
}
