import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import type { Availability, Visit } from '../../shared/protocol.js';
import type { VisitorRates } from '../channels/chat/rates.js';
import type { LiveVisitors } from '../channels/chat/requests.js';
import { headOf } from '../contacts/group.js';
import type { ReplyPorts } from '../conversations/send.js';
import { log } from '../log.js';
import type { RedisLink } from '../redis.js';
import { hearNotice, hearPlaced, relayTo } from '../timeline/publish.js';
import { redisAdapter } from './adapter.js';
import { endStaleSockets, serveAgents } from './agents.js';
import { availabilityBoard } from './availability.js';
import { createDesks } from './desks.js';
import { requestsUnderWay } from './dispatch.js';
import { fanOut } from './fan-out.js';
import { type Connection, guardConnection, rememberAnswer } from './guard.js';
import { refusal } from './handshake.js';
import { liveAgents, tellViewers } from './live-agents.js';
import { liveVisitors } from './live-visitors.js';
import { createPeers, nobody } from './peers.js';
import { createPresence, latestOf } from './presence.js';
import { rooms } from './rooms.js';
import type { AgentNamespace, VisitorNamespace } from './sockets.js';
import { serveVisitors } from './visitors.js';

export interface RealtimeDeps {
  secretKey: string;
  /** How many proxies stand before us: whose X-Forwarded-For is believed. */
  trustProxy: number;
  publicUrl: () => string;
  rates: VisitorRates;
  /** Whether connections are held to a rate of packets. */
  countsPackets: boolean;
  countAgentRequest: (agentId: string) => Promise<void>;
  reply: ReplyPorts;
  /** What the processes of one installation speak through; null when there is one process. */
  redis: RedisLink | null;
}

export interface Realtime {
  availability: (workspaceId: string) => Promise<Availability>;
  live: LiveVisitors;
  /** Where the latest browser of these contacts is, at whichever process. */
  visitOf: (workspaceId: string, contactIds: readonly string[]) => Promise<Visit | null>;
  /** Open sockets of this process by kind. */
  connections: () => { visitor: number; agent: number };
  /** Rooms that somebody is in, and contacts that are here, in this process. */
  occupied: () => { rooms: number; present: number };
  /** Asks every client to go elsewhere, each after a while of its own, serves it until it does, and closes. */
  close: () => Promise<void>;
}

/** Where all sockets are opened, and nothing else is. */
export const socketsPath = '/socket.io/';

/**
 * How long a connection may wait to be let into a namespace. A deploy brings everybody back at once: whoever then waits for its turn
 * is not sent away, only to come again and wait anew.
 */
const handshakeMs = 60_000;
const staleLookMs = 3_000;
/** Clients of a stopping process leave over this long at most; few need less. */
const leaveOverMs = 3_000;
const leaveEachMs = 10;
/** How long after its time a client may take, before its connection is cut. */
const lateMs = 500;
/** How long an answer may take to whoever is to be cut off then. */
const answerMs = 3_000;

/** Sockets of visitors and agents. WebSocket only: no request of one client needs the process of another. */
export function createRealtime(http: HttpServer, deps: RealtimeDeps): Realtime {
  const io = new Server(http, {
    ...(deps.redis && { adapter: redisAdapter(deps.redis) }),
    path: socketsPath,
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: limits.packetBytes,
    connectTimeout: handshakeMs,
    pingInterval: 20_000,
    pingTimeout: 20_000,
    perMessageDeflate: false,
    httpCompression: false,
    cleanupEmptyChildNamespaces: true,
  });
  io.engine.use(rememberAnswer);
  io.engine.on('connection', (conn: Connection) => guardConnection(conn, { counted: deps.countsPackets }));
  const visitors: VisitorNamespace = io.of('/visitor');
  const agents: AgentNamespace = io.of('/agent');
  // The namespace that every Socket.IO server has; nothing of ours is in it.
  io.use((_socket, next) => next(refusal(new AppError('not_found'))));

  const { redis } = deps;
  const peers = redis ? createPeers(agents, redis.isThere) : nobody;
  const desks = createDesks(peers, ({ workspaceId, conversations, window }) => {
    for (const id of conversations) tellViewers(agents, desks, workspaceId, id);
    if (window === 'opened') availability.changed(workspaceId);
    if (window === 'closed') availability.left(workspaceId);
  });
  const availability = availabilityBoard(desks, visitors);

  let isClosing = false;
  const presence = createPresence((workspaceId, contactId) => {
    // Its visitors are on their way to another process, which tells where they are.
    if (isClosing || !desks.isOpen(workspaceId)) return;
    tellPresence(workspaceId, contactId).catch((error: unknown) =>
      log.warn({ err: error }, 'presence was not told'),
    );
  });
  async function tellPresence(workspaceId: string, contactId: string): Promise<void> {
    const [headId, visit] = await Promise.all([
      headOf({ workspaceId }, contactId),
      // Whoever speaks here spoke last. Whoever has left here may have a tab elsewhere.
      presence.latest(workspaceId, [contactId])?.visit ?? visitOf(workspaceId, [contactId]),
    ]);
    if (headId !== null)
      agents.to(rooms.workspace(workspaceId)).emit('presence', { contactId: headId, visit });
  }
  async function visitOf(workspaceId: string, contactIds: readonly string[]): Promise<Visit | null> {
    const elsewhere = await peers.visits(workspaceId, contactIds);
    const own = presence.latest(workspaceId, contactIds);
    return latestOf(own ? [own, ...elsewhere] : elsewhere)?.visit ?? null;
  }
  peers.onVisitAsked(presence.latest);

  const live = liveVisitors(agents, visitors, presence, desks);
  serveVisitors(visitors, {
    secretKey: deps.secretKey,
    rates: deps.rates,
    availability: availability.of,
    live,
    presence,
    addressOf: (socket) => addressOf(socket.handshake, deps.trustProxy),
  });
  serveAgents(agents, {
    secretKey: deps.secretKey,
    publicUrl: deps.publicUrl,
    reply: deps.reply,
    countRequest: deps.countAgentRequest,
    live: liveAgents(visitors, desks),
  });
  const endFanOut = fanOut({ agents, visitors, availability });
  peers.onWord((_from, word) => {
    if (word.say === 'placed') hearPlaced(word.placed);
    else if (word.say === 'notice') hearNotice(word.notice);
  });
  const endRelay = relayTo({
    placed: (placed) => peers.tell({ say: 'placed', placed }),
    notice: (notice) => peers.tell({ say: 'notice', notice }),
  });
  const stale = setInterval(() => {
    endStaleSockets(agents).catch((error: unknown) =>
      log.warn({ err: error }, 'sessions were not looked at'),
    );
  }, staleLookMs);
  stale.unref();

  /** Full service until they are gone: what they ask meanwhile is answered, what is said meanwhile reaches them. */
  async function handOver(): Promise<void> {
    const overMs = Math.min(leaveOverMs, io.engine.clientsCount * leaveEachMs);
    const leave = () => ({ afterMs: Math.round(Math.random() * overMs) });
    for (const socket of visitors.sockets.values()) socket.emit('reconnect', leave());
    for (const socket of agents.sockets.values()) socket.emit('reconnect', leave());
    await until(() => io.engine.clientsCount === 0, overMs + lateMs);
    // Who does not leave by itself is cut off: with the answers to what it has asked.
    await until(() => requestsUnderWay() === 0, answerMs);
  }

  return {
    availability: availability.of,
    live,
    visitOf,
    connections: () => ({ visitor: visitors.sockets.size, agent: agents.sockets.size }),
    occupied: () => ({
      rooms: visitors.adapter.rooms.size + agents.adapter.rooms.size,
      present: presence.count(),
    }),
    async close() {
      isClosing = true;
      await handOver();
      peers.close();
      clearInterval(stale);
      endFanOut();
      endRelay();
      desks.close();
      availability.close();
      live.close();
      await io.close();
    },
  };
}

async function until(holds: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The client's address: the trusted hop's word, never a further one's. */
function addressOf(
  handshake: { address: string; headers: Record<string, string | string[] | undefined> },
  trustProxy: number,
): string {
  if (trustProxy === 0) return handshake.address;
  const header = handshake.headers['x-forwarded-for'];
  const hops = String(header ?? '')
    .split(',')
    .map((hop) => hop.trim())
    .filter((hop) => hop !== '');
  return hops.at(-trustProxy) ?? handshake.address;
}
