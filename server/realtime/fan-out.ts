import { getConversation } from '../conversations/conversations.js';
import { log } from '../log.js';
import { forAudience } from '../timeline/present.js';
import { type Notice, onNotice, onPublished, type Published } from '../timeline/publish.js';
import { endSockets } from './agents.js';
import type { AvailabilityBoard } from './availability.js';
import { rooms } from './rooms.js';
import { rowTeller } from './rows.js';
import type { AgentNamespace, VisitorNamespace } from './sockets.js';
import { refreshVisitors, signOutVisitors } from './visitors.js';

export interface FanOutDeps {
  agents: AgentNamespace;
  visitors: VisitorNamespace;
  availability: AvailabilityBoard;
}

/**
 * Takes what was published, here or at another process, to the sockets of this process that may see it: each process
 * tells its own, so that none is told twice, whichever way the word came. All of it is a hint: who misses one sees it by
 * `previousSeq` and reads on from its cursor. Returns what ends it.
 */
export function fanOut(deps: FanOutDeps): () => void {
  const { agents, visitors } = deps;
  const rows = rowTeller(agents);

  function refresh(workspaceId: string, headIds: readonly string[]): void {
    for (const headId of new Set(headIds)) {
      refreshVisitors(visitors, workspaceId, headId).catch((error: unknown) =>
        log.warn({ err: error }, 'visitors were not refreshed'),
      );
    }
  }

  function tellEvent(published: Published): void {
    const { workspaceId, event, conversation, previous, visibleToVisitor } = published;
    // The library writes out what nobody is there to hear: it is asked only where somebody is.
    const agentsRoom = rooms.workspace(workspaceId);
    if (agents.adapter.rooms.has(agentsRoom)) agents.local.to(agentsRoom).emit('event', event);
    if (conversation) rows.changed(conversation);
    if (visibleToVisitor && conversation?.channel === 'chat' && previous.visitor !== null) {
      const room = rooms.contact(workspaceId, conversation.inboxId, conversation.contactId);
      if (visitors.adapter.rooms.has(room)) {
        visitors.local.to(room).emit('event', forAudience(event, 'visitor', previous.visitor));
      }
    }
    if (event.kind === 'contact_merged' || event.kind === 'contact_unmerged') {
      refresh(workspaceId, [event.body.headId, event.body.mergedId]);
    } else if (event.kind === 'contact_blocked') {
      refresh(workspaceId, [event.contactId]);
    }
  }

  async function tellRead(notice: Extract<Notice, { type: 'read' }>): Promise<void> {
    const { workspaceId, conversationId, reader, seq } = notice;
    if (reader.type === 'contact') {
      agents.local.to(rooms.workspace(workspaceId)).emit('read', { conversationId, seq });
      return;
    }
    const isAnyoneHere =
      agents.adapter.rooms.has(rooms.agent(workspaceId, reader.id)) ||
      visitors.adapter.rooms.has(rooms.visitors(workspaceId));
    if (!isAnyoneHere) return;
    const conversation = await getConversation({ workspaceId }, conversationId);
    await rows.readBy(conversation, reader.id);
    if (conversation.channel !== 'chat') return;
    visitors.local
      .to(rooms.contact(workspaceId, conversation.inboxId, conversation.contactId))
      .emit('read', { conversationId, seq });
  }

  function tellNotice(notice: Notice): void {
    const { workspaceId } = notice;
    if (notice.type === 'read') {
      tellRead(notice).catch((error: unknown) => log.warn({ err: error }, 'a read mark was not told'));
    } else if (notice.type === 'contact') {
      agents.local.to(rooms.workspace(notice.workspaceId)).emit('contact', { contactId: notice.contactId });
      refresh(notice.workspaceId, [notice.contactId]);
    } else if (notice.type === 'agent') {
      const { agentId: id, availability } = notice;
      agents.local.to(rooms.workspace(notice.workspaceId)).emit('agent', { id, availability });
      deps.availability.changed(notice.workspaceId);
    } else if (notice.type === 'signed-out') {
      signOutVisitors(visitors, notice.visitorId);
    } else if (notice.type === 'session-ended') {
      endSockets(
        [...agents.sockets.values()].filter(
          ({ data }) =>
            data.agentId === notice.agentId &&
            (workspaceId === null || data.workspaceId === workspaceId) &&
            (notice.sessionId === undefined || notice.sessionId === data.sessionId),
        ),
      );
    }
  }

  const ends = [onPublished(tellEvent), onNotice(tellNotice), rows.close];
  return () => {
    for (const end of ends) end();
  };
}
