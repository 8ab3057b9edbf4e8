import type { LiveVisitors } from '../channels/chat/requests.js';
import { facesOf } from '../contacts/fields.js';
import { log } from '../log.js';
import type { Desks } from './desks.js';
import type { Presence } from './presence.js';
import { rooms } from './rooms.js';
import type { AgentNamespace, VisitorNamespace } from './sockets.js';
import { showVisit } from './visitors.js';

/** How long a browser without a socket counts as here after its last word. */
const statelessMs = 60_000;

/** What visitors do at this moment, told to agents. Nothing of it touches the store. */
export function liveVisitors(
  agents: AgentNamespace,
  visitors: VisitorNamespace,
  presence: Presence,
  desks: Pick<Desks, 'isOpen'>,
): LiveVisitors & { close(): void } {
  const leaving = new Map<string, NodeJS.Timeout>();

  return {
    typing({ visitor }, conversationId, typing) {
      const { workspaceId, contactId } = visitor;
      const room = rooms.workspace(workspaceId);
      if (!desks.isOpen(workspaceId)) return;
      facesOf(visitor, [contactId]).then(
        (faces) => {
          const name = faces.get(contactId)?.fields.name ?? '';
          agents.to(room).volatile.emit('typing', { conversationId, typing, name, by: 'contact' });
        },
        (error: unknown) => log.warn({ err: error }, 'typing was not shown'),
      );
    },

    page({ visitor, tab }, page) {
      if (tab !== undefined) {
        const socket = visitors.sockets.get(tab);
        // What a tab said just before it left is no sign that it is here.
        if (!socket) return;
        socket.data.page = page;
        showVisit({ presence }, socket);
        return;
      }
      const { workspaceId, contactId, visitorId } = visitor;
      const id = `http:${visitorId}`;
      const unknown = { browser: '', system: '', locale: '', timeZone: '' };
      presence.set(workspaceId, contactId, id, { online: true, ...page, ...unknown });
      clearTimeout(leaving.get(id));
      const timer = setTimeout(() => {
        leaving.delete(id);
        presence.remove(workspaceId, contactId, id);
      }, statelessMs);
      timer.unref();
      leaving.set(id, timer);
    },

    close() {
      for (const timer of leaving.values()) clearTimeout(timer);
      leaving.clear();
    },
  };
}
