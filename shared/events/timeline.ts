import type { EventBody, EventKind } from './kinds.js';
import type { Actor, Channel, Direction } from './parts.js';

interface Common {
  /** UUIDv7, given by the server. */
  id: string;
  contactId: string;
  conversationId?: string;
  inboxId?: string;
  channel: Channel | null;
  direction: Direction;
  actor: Actor;
  /** Place within its conversation; present whenever `conversationId` is. */
  seq?: number;
  /** The seq before it that this reader may see (0: none). A client whose last seq is another has missed something. */
  previousSeq?: number;
  /** When it happened; ISO 8601, UTC. */
  occurredAt: string;
  /** When we learnt of it; ISO 8601, UTC. */
  recordedAt: string;
  /** `occurredAt` lay in the future and was cut. */
  timeCorrected?: boolean;
  /** The body was erased; what is left is its place. */
  erased?: boolean;
}

/** An event as every client sees it: one type for each kind, told apart by `kind`. */
export type TimelineEvent = { [K in EventKind]: Common & { kind: K; body: EventBody<K> } }[EventKind];
export type EventOf<K extends EventKind> = Extract<TimelineEvent, { kind: K }>;

/** A bounded piece of a conversation, in order of `seq`. */
export interface EventPage {
  events: TimelineEvent[];
  /** The page is complete up to this seq even when nothing in it was visible. Ask again after it. */
  upTo: number;
  /** The highest seq of the conversation when it was read: `upTo === head` means that this is all. */
  head: number;
  /** Reading backwards: nothing older is left. */
  isStart: boolean;
}
