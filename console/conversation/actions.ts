import type { ConversationDetail } from '../../shared/api.js';
import { replyOf } from '../api/request.js';
import { hearRow, inboxRouteOf, refreshCounts } from '../list/actions.js';
import { neighbour } from '../list/reduce.js';
import type { Console } from '../state/console.js';
import { agentOf } from '../state/console.js';
import { t } from '../texts/text.js';

/** Shows a conversation from what is known at once, and makes it fresh. */
export async function openConversation(app: Console, id: string): Promise<void> {
  app.sync.follow(id);
  await loadDetail(app, id);
}

export async function loadDetail(app: Console, id: string): Promise<void> {
  const slice = app.details.of(id);
  try {
    takeDetail(app, await app.api.conversation(id));
  } catch (error) {
    if (slice.get().state !== 'ready') slice.set({ state: 'failed', error: replyOf(error) });
  }
}

function takeDetail(app: Console, detail: ConversationDetail, how: { own?: boolean } = {}): void {
  app.details.of(detail.id).set({ state: 'ready', value: detail });
  const { reply: _reply, answersTo: _answersTo, contactReadSeq, ...row } = detail;
  if (contactReadSeq !== undefined) app.sync.readByCustomer(detail.id, contactReadSeq);
  hearRow(app, row, how);
}

/** Tells the server how far this agent has read; only forwards. */
export function markRead(app: Console, id: string): void {
  const row = app.rows.of(id).get();
  const upTo = app.logs.of(id).get().upTo;
  if (!row || upTo <= row.readSeq) return;
  app.rows.of(id).set({ ...row, readSeq: upTo, unread: 0 });
  app.sync.seen(id, upTo);
}

/** The place shown after a conversation has left the list: the next one, so that work goes on. */
function moveOn(app: Console, id: string): void {
  const route = inboxRouteOf(app);
  if (!route || route.conversationId !== id) return;
  const { ids } = app.list.get();
  const next = neighbour(ids, id, 1) ?? neighbour(ids, id, -1);
  const { conversationId: _left, timeline: _timeline, ...rest } = route;
  app.go(next === null || next === id ? rest : { ...rest, conversationId: next });
}

type Status = ConversationDetail['status'];

/** Closes, reopens or marks as spam: shown at once, taken back with the reason when refused, undone by a key. */
export async function changeStatus(app: Console, id: string, status: Status): Promise<boolean> {
  const row = app.rows.of(id).get();
  if (!row || row.status === status) return false;
  const before = row.status;
  const leavesView = inboxRouteOf(app)?.view !== undefined && status !== 'open';
  if (leavesView) moveOn(app, id);
  app.rows.of(id).set({ ...row, status });
  const changing = app.api.changeConversation(id, { status, ifStatus: before });
  // At once: the key that takes back means this, and not what was done before it.
  app.toast.set({
    text: t(`toast.${status}`, { number: `#${row.number}` }),
    undo: () => {
      const undone = changing.then(
        () => app.api.changeConversation(id, { status: before }),
        // It was refused, which is said already.
        () => null,
      );
      undone.then(
        (detail) => detail && takeDetail(app, detail),
        (error: unknown) => refuse(app, error),
      );
    },
  });
  try {
    takeDetail(app, await changing, { own: true });
    refreshCounts(app, 200);
    return true;
  } catch (error) {
    app.rows.of(id).set(row);
    refuse(app, error);
    return false;
  }
}

export async function assign(app: Console, id: string, assigneeId: string | null): Promise<void> {
  const row = app.rows.of(id).get();
  if (!row || row.assigneeId === assigneeId) return;
  app.rows.of(id).set({ ...row, assigneeId });
  const changing = app.api.changeConversation(id, { assigneeId });
  const name = agentOf(app, assigneeId)?.name;
  app.toast.set({
    text: name === undefined ? t('toast.unassigned') : t('toast.assigned', { name }),
    undo: () =>
      changing.then(
        () => void assign(app, id, row.assigneeId),
        () => {},
      ),
  });
  try {
    takeDetail(app, await changing);
    refreshCounts(app, 200);
  } catch (error) {
    app.rows.of(id).set(row);
    refuse(app, error);
  }
}

/** Says why not. Only for what stands nowhere else on the screen. */
export function refuse(app: Console, error: unknown): void {
  app.toast.set({ text: t(`error.${replyOf(error).code}`) });
}
