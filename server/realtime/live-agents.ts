import { getConversation, noteHandling } from '../conversations/conversations.js';
import { log } from '../log.js';
import { systemScope } from '../workspaces/scope.js';
import type { LiveAgents } from './agent-requests.js';
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

/** Typing, viewing and the seconds of work. */
export function liveAgents(agents: AgentNamespace, visitors: VisitorNamespace): LiveAgents {
  const work = new WeakMap<AgentSocket, Work>();

  async function tellViewers(workspaceId: string, conversationId: string): Promise<void> {
    const room = rooms.viewers(workspaceId, conversationId);
    const sockets = await agents.in(room).fetchSockets();
    const list = new Map<string, { id: string; name: string; typing: boolean }>();
    for (const { data } of sockets) {
      const typing = data.typing || (list.get(data.agentId)?.typing ?? false);
      list.set(data.agentId, { id: data.agentId, name: data.name, typing });
    }
    agents
      .to(rooms.workspace(workspaceId))
      .volatile.emit('viewing', { conversationId, agents: [...list.values()] });
  }

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
      await tellViewers(workspaceId, conversationId);
    },

    async view(socket, conversationId, active) {
      const { workspaceId, viewing } = socket.data;
      if (viewing !== conversationId) {
        finishWork(work, socket);
        socket.data.viewing = conversationId;
        socket.data.typing = false;
        if (viewing !== null) await socket.leave(rooms.viewers(workspaceId, viewing));
        if (conversationId !== null) await socket.join(rooms.viewers(workspaceId, conversationId));
        if (viewing !== null) await tellViewers(workspaceId, viewing);
        if (conversationId !== null) await tellViewers(workspaceId, conversationId);
      }
      if (conversationId !== null) countWork(work, socket, conversationId, active);
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
