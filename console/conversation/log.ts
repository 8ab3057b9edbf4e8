import type { DeliveryState, Outgoing as Item, Thread } from '../../shared/delivery/state.js';
import type { ErrorReply } from '../../shared/errors.js';
import type { FileRef } from '../../shared/events/parts.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Mode } from './drafts.js';

/** What the console sends: the body of an outgoing message. */
export interface Written {
  mode: Mode;
  text: string;
  attachments: FileRef[];
  /** When it was written, for the eye; ISO 8601. */
  at: string;
}

/** A message of this agent's own that has not come back as an event. */
export interface Outgoing extends Written {
  clientId: string;
  /** `waiting`: goes when there is a connection. `failed`: stays until sent again or taken back. */
  state: 'waiting' | 'sending' | 'failed';
  error?: ErrorReply;
}

/** A conversation as one looks at it: what the sync engine knows of it, in the words of the screen. */
export interface ConversationLog {
  events: readonly TimelineEvent[];
  isLoaded: boolean;
  isStart: boolean;
  upTo: number;
  /** How far the customer has read. */
  readByCustomer: number;
  outgoing: readonly Outgoing[];
  error: ErrorReply | null;
}

export const emptyLog: ConversationLog = {
  events: [],
  isLoaded: false,
  isStart: false,
  upTo: 0,
  readByCustomer: 0,
  outgoing: [],
  error: null,
};

/** What changed between two states of the engine, as logs. Unchanged conversations are not in it. */
export function changedLogs(
  before: DeliveryState<Written> | null,
  after: DeliveryState<Written>,
): Map<string, ConversationLog> {
  const changed = new Map<string, ConversationLog>();
  const ids = new Set([
    ...Object.keys(after.threads),
    ...Object.keys(before?.threads ?? {}),
    ...after.outbox.map((item) => item.thread),
    ...(before?.outbox ?? []).map((item) => item.thread),
  ]);
  for (const id of ids) {
    const isSameThread = before?.threads[id] === after.threads[id];
    if (isSameThread && sameItems(before?.outbox ?? [], after.outbox, id)) continue;
    changed.set(
      id,
      logOf(
        after.threads[id],
        after.outbox.filter((item) => item.thread === id),
      ),
    );
  }
  return changed;
}

function sameItems(before: readonly Item<Written>[], after: readonly Item<Written>[], id: string): boolean {
  if (before === after) return true;
  const [a, b] = [before.filter((item) => item.thread === id), after.filter((item) => item.thread === id)];
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function logOf(thread: Thread | undefined, items: readonly Item<Written>[]): ConversationLog {
  return {
    events: thread?.events ?? [],
    isLoaded: thread?.isLoaded ?? false,
    isStart: thread?.isStart ?? false,
    upTo: thread?.upTo ?? 0,
    readByCustomer: thread?.readByOther ?? 0,
    error: thread?.error ?? null,
    outgoing: items.map((item) => ({
      ...item.body,
      clientId: item.clientId,
      state:
        item.state === 'refused'
          ? 'failed'
          : item.state === 'sending' || item.state === 'sent'
            ? 'sending'
            : 'waiting',
      ...(item.error && { error: item.error }),
    })),
  };
}
