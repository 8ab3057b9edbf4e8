import type { ConversationView } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import type { ConversationRow } from '../../shared/protocol.js';

/**
 * The conversation list as one looks at it. It is in the order in which it was read and never moves by itself: what
 * is new waits behind a chip, what no longer belongs stays until nobody points at it.
 */
export interface ListState {
  key: string;
  state: 'loading' | 'ready' | 'failed';
  error: ErrorReply | null;
  ids: readonly string[];
  /** New here, not shown yet. */
  waiting: readonly string[];
  /** Shown, but no longer of this view. */
  leaving: readonly string[];
  nextCursor: string | null;
  loadingMore: boolean;
}

export type ListChange =
  | { type: 'open'; key: string }
  | { type: 'page'; key: string; ids: readonly string[]; nextCursor: string | null; first: boolean }
  | { type: 'more' }
  | { type: 'fail'; key: string; error: ErrorReply }
  /** A row changed. `held`: somebody looks or points at the list, so nothing may leave it now. */
  | { type: 'row'; id: string; belongs: boolean; held: boolean }
  /** The agent's own doing: it leaves at once. */
  | { type: 'remove'; id: string }
  /** Nobody points at the list any more; `keep` is the conversation that is open. */
  | { type: 'settle'; keep: string | null };

export const emptyList = (key: string): ListState => ({
  key,
  state: 'loading',
  error: null,
  ids: [],
  waiting: [],
  leaving: [],
  nextCursor: null,
  loadingMore: false,
});

const without = (ids: readonly string[], id: string) =>
  ids.includes(id) ? ids.filter((one) => one !== id) : ids;
const withOne = (ids: readonly string[], id: string) => (ids.includes(id) ? ids : [...ids, id]);

/** Applies a change. Returns the very same list when nothing changed. */
export function reduceList(list: ListState, change: ListChange): ListState {
  switch (change.type) {
    case 'open':
      return change.key === list.key ? list : emptyList(change.key);
    case 'page': {
      // An answer to a question that is no longer asked.
      if (change.key !== list.key) return list;
      const known = new Set(change.first ? [] : list.ids);
      return {
        ...list,
        state: 'ready',
        error: null,
        ids: [...known, ...change.ids.filter((id) => !known.has(id))],
        waiting: change.first ? [] : list.waiting.filter((id) => !change.ids.includes(id)),
        leaving: change.first ? [] : list.leaving,
        nextCursor: change.nextCursor,
        loadingMore: false,
      };
    }
    case 'more':
      return { ...list, loadingMore: true };
    case 'fail':
      if (change.key !== list.key) return list;
      // What is shown stays shown.
      return list.state === 'ready'
        ? { ...list, loadingMore: false }
        : { ...list, state: 'failed', error: change.error };
    case 'row': {
      if (list.state !== 'ready') return list;
      const shown = list.ids.includes(change.id);
      if (change.belongs) {
        // Nothing stands there that could move: an empty list shows it at once.
        if (!shown && list.ids.length === 0) return { ...list, ids: [change.id] };
        if (!shown && !list.waiting.includes(change.id))
          return { ...list, waiting: withOne(list.waiting, change.id) };
        const leaving = without(list.leaving, change.id);
        return leaving === list.leaving ? list : { ...list, leaving };
      }
      const waiting = without(list.waiting, change.id);
      if (!shown) return waiting === list.waiting ? list : { ...list, waiting };
      if (change.held) return { ...list, leaving: withOne(list.leaving, change.id) };
      return { ...list, ids: without(list.ids, change.id), leaving: without(list.leaving, change.id) };
    }
    case 'remove': {
      if (!list.ids.includes(change.id) && !list.waiting.includes(change.id)) return list;
      return {
        ...list,
        ids: without(list.ids, change.id),
        waiting: without(list.waiting, change.id),
        leaving: without(list.leaving, change.id),
      };
    }
    case 'settle': {
      const gone = list.leaving.filter((id) => id !== change.keep);
      if (gone.length === 0) return list;
      return {
        ...list,
        ids: list.ids.filter((id) => !gone.includes(id)),
        leaving: list.leaving.filter((id) => id === change.keep),
      };
    }
  }
}

/** Whether a conversation belongs in a view: the server's own rule, for rows that change while one looks. */
export function belongs(
  row: ConversationRow,
  view: ConversationView,
  inboxId: string | undefined,
  agentId: string,
): boolean {
  if (inboxId !== undefined && row.inboxId !== inboxId) return false;
  switch (view) {
    case 'mine':
      return row.status === 'open' && row.assigneeId === agentId;
    case 'unassigned':
      return row.status === 'open' && row.assigneeId === null;
    case 'all':
      return row.status === 'open';
    case 'closed':
      return row.status === 'closed';
    case 'spam':
      return row.status === 'spam';
  }
}

/** The row before or after; the first or last when none is open. Null at the end. */
export function neighbour(ids: readonly string[], open: string | undefined, step: 1 | -1): string | null {
  if (ids.length === 0) return null;
  const at = open === undefined ? -1 : ids.indexOf(open);
  if (at === -1) return (step === 1 ? ids[0] : ids.at(-1)) ?? null;
  return ids[at + step] ?? null;
}

/** How much of the time we give ourselves has passed: the ring's share, and how late it is. */
const waitTargetMinutes = { chat: 40, phone: 60, email: 120 } as const;
export function waitingShare(row: Pick<ConversationRow, 'channel' | 'waitingSince'>, nowMs: number) {
  if (row.waitingSince === null) return null;
  const waitedMs = Math.max(0, nowMs - Date.parse(row.waitingSince));
  const share = Math.min(1, waitedMs / (waitTargetMinutes[row.channel] * 60_000));
  const state = share >= 1 ? 'late' : share >= 0.7 ? 'soon' : '';
  return { waitedMs, share, state } as const;
}
