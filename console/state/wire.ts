import type { ConversationRow } from '../../shared/protocol.js';
import { refreshContact } from '../contact/actions.js';
import { loadDetail } from '../conversation/actions.js';
import { hearRow, inboxRouteOf, openList, refreshCounts } from '../list/actions.js';
import { type Console, meOf } from './console.js';

/** Soon after something changed, the counts are asked for; many changes at once ask once. */
const countsDelayMs = 1_500;

/** Lets what the server tells flow into the slices. @returns how to stop */
export function wire(app: Console): () => void {
  const stops = [
    app.live.on('event', (event) => {
      if (event.conversationId) {
        app.sync.hear(event);
        if (event.kind === 'message' && event.actor.type === 'contact')
          app.typing.of(event.conversationId).set(null);
      }
      touchTimelines(app, event.contactId);
    }),
    app.live.on('conversation', (row) => {
      hearRow(app, row);
      placeAtContacts(app, row);
      refreshCounts(app, countsDelayMs);
      const detail = app.details.has(row.id) ? app.details.of(row.id).get() : null;
      if (detail?.state === 'ready') {
        const wasOpen = detail.value.status;
        app.details.of(row.id).set({ state: 'ready', value: { ...detail.value, ...row } });
        if (wasOpen !== row.status) void loadDetail(app, row.id);
      }
    }),
    app.live.on('contact', ({ contactId }) => {
      refreshContact(app, contactId);
      touchConversations(app, contactId);
    }),
    app.live.on('typing', (notice) => {
      if (notice.by === 'agent' && notice.agentId === meOf(app).id) return;
      // It ends by itself when its end is lost.
      app.typing
        .of(notice.conversationId)
        .set(notice.typing ? { name: notice.name, until: app.clock.get() + 20_000 } : null);
    }),
    app.live.on('read', ({ conversationId, seq }) => {
      app.sync.readByCustomer(conversationId, seq);
    }),
    app.live.on('viewing', ({ conversationId, agents }) => {
      const me = meOf(app).id;
      app.viewers.of(conversationId).set(agents.filter((agent) => agent.id !== me));
    }),
    app.live.on('presence', ({ contactId, visit }) => {
      if (!app.contacts.has(contactId)) return;
      app.contacts
        .of(contactId)
        .change((contact) =>
          contact.state === 'ready' ? { state: 'ready', value: { ...contact.value, visit } } : contact,
        );
      const open = inboxRouteOf(app)?.conversationId;
      if (open && app.rows.of(open).get()?.contact.id === contactId) void loadDetail(app, open);
    }),
    app.live.on('agent', ({ id, availability }) => {
      app.agents.change((agents) =>
        agents.map((agent) => (agent.id === id ? { ...agent, availability } : agent)),
      );
      const session = app.session.get();
      if (session.state === 'signed-in' && session.me.id === id && session.me.availability !== availability)
        app.session.set({ ...session, me: { ...session.me, availability } });
    }),
    app.live.on('resync', ({ conversationId }) => {
      app.sync.missed(conversationId);
    }),
    app.live.on('session-ended', () => {
      app.transport.take(null);
      app.session.set({ state: 'signed-out' });
    }),
    app.live.online.subscribe(() => {
      const online = app.live.online.get();
      app.offlineSince.change((since) => (online ? null : (since ?? app.clock.get())));
      if (online) resync(app);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** After a break: everything on screen is asked for anew; what came meanwhile is read by its place, not by time. */
function resync(app: Console): void {
  refreshCounts(app);
  const route = inboxRouteOf(app);
  if (route) {
    void openList(app, route, true);
    if (route.conversationId) {
      void loadDetail(app, route.conversationId);
      void app.live
        .request('view', { conversationId: route.conversationId, active: true })
        .catch(() => undefined);
    }
  }
  for (const id of app.contacts.keys()) refreshContact(app, id);
}

/** A conversation shows whose it is, and how they can be answered: both follow from the contact. */
function touchConversations(app: Console, contactId: string): void {
  for (const id of app.rows.keys()) {
    if (app.rows.of(id).get()?.contact.id === contactId) void loadDetail(app, id);
  }
}

/** A contact that is shown lists its conversations, the latest first. */
function placeAtContacts(app: Console, row: ConversationRow): void {
  for (const id of app.contacts.keys()) {
    app.contacts.of(id).change((contact) => {
      if (contact.state !== 'ready' || !contact.value.members.includes(row.contact.id)) return contact;
      const others = contact.value.conversations.filter((one) => one.id !== row.id);
      const conversations = [row, ...others].sort(
        (a, b) => compare(b.lastAt, a.lastAt) || compare(b.id, a.id),
      );
      return { state: 'ready', value: { ...contact.value, conversations } };
    });
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** The event's contact may be another member of the group that is shown. */
function touchTimelines(app: Console, contactId: string): void {
  for (const shown of app.contacts.keys()) {
    const contact = app.contacts.of(shown).get();
    if (shown === contactId || (contact.state === 'ready' && contact.value.members.includes(contactId)))
      app.timelines.of(shown).change((version) => version + 1);
  }
}
