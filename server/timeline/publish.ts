import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { PlacedEvent } from './place.js';
import type { ConversationState } from './ports.js';
import { toTimelineEvent } from './present.js';
import { isVisibleToVisitor } from './visibility.js';

/**
 * What this process tells itself after a commit: a hint, which may be missed. Whoever must not miss anything reads on
 * from its cursor. A relay takes what was written here to the other processes, where it is heard like anything of their
 * own; the change stream brings it as well, later, and each process tells an event once, whichever was first.
 */
export interface Published {
  workspaceId: string;
  /** As agents see it; for a visitor, `forAudience(event, 'visitor', previous.visitor)`. */
  event: TimelineEvent;
  /** The conversation right after this event; null for an event that stands in none. */
  conversation: ConversationState | null;
  /** The seq before this event that each audience may see; `visitor` is null when they do not see this one. */
  previous: { agent: number; visitor: number | null };
  visibleToVisitor: boolean;
}

/** Facts that are no events. */
export type Notice =
  | {
      type: 'read';
      workspaceId: string;
      conversationId: string;
      reader: { type: 'agent' | 'contact'; id: string };
      seq: number;
    }
  /**
   * Something about this contact changed: fields, identities, claims, merges, blocked. `contactId` is the group's head,
   * or was it until a merge: conversations are still shown under it.
   */
  | { type: 'contact'; workspaceId: string; contactId: string }
  /** The agent's sessions ended in this workspace, or everywhere: their sockets close. */
  | { type: 'session-ended'; workspaceId: string | null; agentId: string; sessionId?: string }
  | { type: 'agent'; workspaceId: string; agentId: string; availability: 'available' | 'away' }
  | { type: 'inbox'; workspaceId: string; inboxId: string }
  /** A visitor signed out: its browsers forget everything. */
  | { type: 'signed-out'; workspaceId: string; contactId: string; visitorId: string };

type Listener<T> = (told: T) => void;

/** Takes to the other processes what this one said first. It must not throw, and nobody waits for it. */
export interface Relay {
  placed(placed: readonly PlacedEvent[]): void;
  notice(notice: Notice): void;
}

/** One a process: who listens here, who relays, and what was told. */
export interface Publication {
  /** Listens to new events, in the order of their commits in this process. Returns what ends it. */
  onPublished(listener: Listener<Published>): () => void;
  /** Listens to facts that are no events. Returns what ends it. */
  onNotice(listener: Listener<Notice>): () => void;
  /** Begins to relay. Returns what ends it. */
  relayTo(relay: Relay): () => void;
  /** Tells of a fact that came about here: this process, and through the relay the others. */
  publishNotice(notice: Notice): void;
  /** Tells this process of a fact that another one said, or that the store showed. */
  hearNotice(notice: Notice): void;
  /** Tells of events that were written here: this process, and through the relay the others. */
  publishOnce(placed: readonly PlacedEvent[]): void;
  /** Tells this process, once, of events that another one said, or that the store showed. */
  hearPlaced(placed: readonly PlacedEvent[]): void;
  wasTold(eventId: string): boolean;
}

const mostTold = 20_000;

export function createPublication(): Publication {
  const events = new Set<Listener<Published>>();
  const notices = new Set<Listener<Notice>>();
  const relays = new Set<Relay>();
  /** Ids of the latest events that were told here, oldest first: what the change stream brings again is known by them. */
  const told = new Set<string>();

  function hearPlaced(placed: readonly PlacedEvent[]): void {
    for (const { event, state } of placed) {
      if (told.has(event._id)) continue;
      told.add(event._id);
      tell(events, publishedOf(event, state));
    }
    for (const id of told) {
      if (told.size <= mostTold) break;
      told.delete(id);
    }
  }

  return {
    onPublished: (listener) => joined(events, listener),
    onNotice: (listener) => joined(notices, listener),
    relayTo: (relay) => joined(relays, relay),
    publishNotice(notice) {
      tell(notices, notice);
      for (const relay of relays) relay.notice(notice);
    },
    hearNotice: (notice) => tell(notices, notice),
    publishOnce(placed) {
      // A busy process may hear of its own event from the change stream first.
      hearPlaced(placed);
      for (const relay of relays) relay.placed(placed);
    },
    hearPlaced,
    wasTold: (eventId) => told.has(eventId),
  };
}

/** Adds one. Returns what takes it away again. */
function joined<T>(members: Set<T>, member: T): () => void {
  members.add(member);
  return () => members.delete(member);
}

/** Never throws: what a listener fails at is its own loss, and is shown as a warning of the process. */
function tell<T>(listeners: ReadonlySet<Listener<T>>, told: T): void {
  for (const listener of listeners) {
    try {
      listener(told);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error), 'PublishWarning');
    }
  }
}

/** This process's own. */
export const { onPublished, onNotice, relayTo, publishNotice, hearNotice, publishOnce, hearPlaced, wasTold } =
  createPublication();

function publishedOf(event: PlacedEvent['event'], conversation: ConversationState | null): Published {
  const visibleToVisitor = conversation !== null && isVisibleToVisitor(event.kind);
  return {
    workspaceId: event.workspaceId,
    event: toTimelineEvent(event, 'agent'),
    conversation,
    previous: {
      agent: event.previousSeq ?? 0,
      visitor: visibleToVisitor ? (event.previousVisitorSeq ?? 0) : null,
    },
    visibleToVisitor,
  };
}
