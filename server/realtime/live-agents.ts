import { getConversation, noteHandling } from '../conversations/conversations.js';
import { log } from '../log.js';
import { systemScope } from '../workspaces/scope.js';
import type { LiveAgents } from './agent-requests.js';
import type { Desks } from './desks.js';
import { rooms } from './rooms.js';
import type { AgentNamespace, AgentSocket, VisitorNamespace } from './sockets.js';

/** A minute of work is noted when it is full; less is noted when the agent leaves, if it was more than a glance. */
const fullMs = 60_000;
const glanceMs = 5_000;

interface Work {
  conversationId: string;
  /** Since when the agent is active; null while they look elsewhere. */
  since: number | null;
  doneMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** Who looks at a conversation, from whichever process: told to the agents of this one. */
export function tellViewers(
  agents: AgentNamespace,
  desks: Pick<Desks, 'of'>,
  workspaceId: string,
  conversationId: string,
): void {
  if (!agents.adapter.rooms.has(rooms.workspace(workspaceId))) return;
  const list = new Map<string, { id: string; name: string; typing: boolean }>();
  for (const desk of desks.of(workspaceId)) {
    if (desk.viewing !== conversationId) continue;
    const typing = desk.typing || (list.get(desk.agentId)?.typing ?? false);
    list.set(desk.agentId, { id: desk.agentId, name: desk.name, typing });
  }
  agents.local
    .to(rooms.workspace(workspaceId))
    .volatile.emit('viewing', { conversationId, agents: [...list.values()] });
}

/** Typing, viewing and the seconds of work. */
export function liveAgents(visitors: VisitorNamespace, desks: Desks): LiveAgents {
  const work = new WeakMap<AgentSocket, Work>();

  return {
    async typing(socket, conversationId, typing) {
      const { workspaceId, agentId, name } = socket.data;
      if (socket.data.viewing === conversationId) socket.data.typing = typing;
      socket
        .to(rooms.workspace(workspaceId))
        .volatile.emit('typing', { conversationId, typing, name, by: 'agent', agentId });
      const { inboxId, contactId } = await getConversation({ workspaceId }, conversationId);
      visitors
        .to(rooms.contact(workspaceId, inboxId, contactId))
        .volatile.emit('typing', { conversationId, typing, name });
      desks.set(socket);
    },

    async view(socket, conversationId, active) {
      const { viewing } = socket.data;
      if (viewing !== conversationId) {
        finishWork(work, socket);
        socket.data.viewing = conversationId;
        socket.data.typing = false;
        desks.set(socket);
      }
      if (conversationId !== null) countWork(work, socket, conversationId, active);
    },

    came: (socket) => desks.set(socket),

    left(socket) {
      finishWork(work, socket);
      desks.remove(socket);
    },
  };
}

function countWork(
  work: WeakMap<AgentSocket, Work>,
  socket: AgentSocket,
  conversationId: string,
  active: boolean,
): void {
  const current = work.get(socket) ?? { conversationId, since: null, doneMs: 0, timer: undefined };
  work.set(socket, current);
  pause(current);
  if (!active) return;
  current.since = performance.now();
  current.timer = setTimeout(
    () => {
      pause(current);
      note(socket, current);
      current.doneMs = 0;
      if (socket.connected) countWork(work, socket, conversationId, true);
    },
    Math.max(0, fullMs - current.doneMs),
  );
  current.timer.unref();
}

function pause(current: Work): void {
  clearTimeout(current.timer);
  if (current.since !== null) current.doneMs += performance.now() - current.since;
  current.since = null;
}

function finishWork(work: WeakMap<AgentSocket, Work>, socket: AgentSocket): void {
  const current = work.get(socket);
  if (!current) return;
  pause(current);
  work.delete(socket);
  if (current.doneMs >= glanceMs) note(socket, current);
}

function note({ data }: AgentSocket, { conversationId, doneMs }: Work): void {
  const { workspaceId, agentId } = data;
  noteHandling(systemScope(workspaceId), agentId, conversationId, doneMs / 1_000).catch((error: unknown) =>
    log.warn({ err: error }, 'handling time was not noted'),
  );
}
