import type { ErrorReply } from '../errors.js';
import type { EventPage, TimelineEvent } from '../events/timeline.js';

/** One message of this client's own, from the moment it was written until its event stands in its thread. */
export interface Outgoing<Body> {
  /** The sender's own id: the server answers a second sending with the first event. */
  clientId: string;
  /** A conversation's id, or `new:` and the clientId of the message that is to begin one. */
  thread: string;
  /** `null` until the conversation has begun. */
  conversationId: string | null;
  /** The `new:` thread it was written in. Storage is written message by message: this tells where the rest belongs. */
  writtenIn?: string;
  body: Body;
  /** When it was written, by the clock port: only the difference to the moment of sending leaves the client. */
  queuedAt: number;
  /** Its place among all that was written here; Infinity while storage, which may hold earlier ones, is being read. */
  order: number;
  /**
   * `saving`: being written to storage, not sent before that. `waiting`: for a connection, its turn, or the next try.
   * `sent`: durable on the server, its event not read yet. `refused`: kept until its sender decides; see `error`.
   */
  state: 'saving' | 'waiting' | 'sending' | 'sent' | 'refused';
  /** Which sending of all it is in: an answer to an earlier one is old news. */
  attempt: number;
  failures: number;
  /** Its event's place, once it is `sent`. */
  seq?: number;
  error?: ErrorReply;
}

/** What storage keeps of an outgoing message. */
export type Stored<Body> = Pick<
  Outgoing<Body>,
  'clientId' | 'thread' | 'conversationId' | 'writtenIn' | 'body' | 'queuedAt' | 'order' | 'error'
>;

type Reading = 'latest' | 'newer' | 'older';

/** A conversation as one follows it: a piece without holes of what this audience may see, in order of `seq`. */
export interface Thread {
  events: readonly TimelineEvent[];
  /** Complete up to this seq. */
  upTo: number;
  /** The highest seq that is known to exist: more than `upTo` means that something is missing. */
  heard: number;
  isLoaded: boolean;
  /** Nothing older is left. */
  isStart: boolean;
  /** There was a break: whether something is missing is not known until the next page. */
  isStale: boolean;
  wantsOlder: boolean;
  reading: { from: Reading; token: number } | null;
  failures: number;
  /** Why it cannot be read; tried again after the next connect. */
  error?: ErrorReply;
  /** How far the other side has read. */
  readByOther: number;
  /** How far this side has read. */
  seen: number;
  /** `seen` went up while there was nobody to tell. */
  seenUntold: boolean;
}

export interface DeliveryState<Body> {
  /** What storage kept has been taken up: nothing is sent before it, or an older message could come second. */
  isRestored: boolean;
  isOnline: boolean;
  /** In the order in which it was written. */
  outbox: readonly Outgoing<Body>[];
  threads: Readonly<Record<string, Thread>>;
  /** Which conversation a `new:` thread became. */
  begun: Readonly<Record<string, string>>;
  /** Whose next try has to wait, and for which timer. */
  resting: Readonly<Record<string, number>>;
  counter: number;
}

export type Input<Body> =
  /** What an earlier page left, from storage. */
  | { type: 'restored'; items: readonly Stored<Body>[] }
  | { type: 'connected' }
  | { type: 'disconnected' }
  /** `thread`: a conversation's id, a `new:` thread, or null to begin one. */
  | { type: 'write'; clientId: string; thread: string | null; body: Body; queuedAt: number }
  | { type: 'saved'; clientId: string }
  | { type: 'answered'; clientId: string; event: TimelineEvent }
  /** Without `error`: no answer came. */
  | { type: 'unanswered'; clientId: string; attempt: number; error?: ErrorReply }
  /** The sender wants a refused message to go again as it is. */
  | { type: 'retry'; clientId: string }
  /** The sender takes a refused or waiting message back. */
  | { type: 'discard'; clientId: string }
  /** Follow this conversation: load its newest page and keep it complete. */
  | { type: 'follow'; conversationId: string }
  | { type: 'unfollow'; conversationId: string }
  | { type: 'older'; conversationId: string }
  | { type: 'event'; event: TimelineEvent }
  /** The server says that live events were left out. */
  | { type: 'missed'; conversationId: string }
  | { type: 'page'; conversationId: string; token: number; page: EventPage }
  | { type: 'unread'; conversationId: string; token: number; error?: ErrorReply }
  | { type: 'seen'; conversationId: string; seq: number }
  | { type: 'read-by-other'; conversationId: string; seq: number }
  | { type: 'due'; key: string; timer: number }
  /** Signed out: nothing of the former person stays. */
  | { type: 'wipe' };

export type Effect<Body> =
  | { type: 'save'; item: Stored<Body> }
  | { type: 'forget'; clientId: string }
  | { type: 'forget-all' }
  | { type: 'send'; item: Outgoing<Body> }
  | {
      type: 'read';
      conversationId: string;
      token: number;
      query: { after: number } | { before: number };
    }
  | { type: 'mark'; conversationId: string; seq: number }
  /** Come back with `due` after `atLeastMs` and a random part of the back-off that belongs to this many failures. */
  | { type: 'rest'; key: string; timer: number; failures: number; atLeastMs: number };

export interface Step<Body> {
  state: DeliveryState<Body>;
  effects: readonly Effect<Body>[];
}

export const emptyThread: Thread = {
  events: [],
  upTo: 0,
  heard: 0,
  isLoaded: false,
  isStart: false,
  isStale: false,
  wantsOlder: false,
  reading: null,
  failures: 0,
  readByOther: 0,
  seen: 0,
  seenUntold: false,
};

export const emptyState = <Body>(): DeliveryState<Body> => ({
  isRestored: false,
  isOnline: false,
  outbox: [],
  threads: {},
  begun: {},
  resting: {},
  counter: 0,
});
