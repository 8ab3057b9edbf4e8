import * as v from 'valibot';
import type { ErrorReply } from './errors.js';
import { Touch } from './events/message.js';
import { FileRef } from './events/parts.js';
import type { EventPage, TimelineEvent } from './events/timeline.js';
import { limits } from './limits.js';
import { EmailAddress, Id, Seq, shortText } from './text.js';

/**
 * The whole wire between a browser and the server, both namespaces, and the stateless HTTP route of visitors, which
 * carries the same requests. A server speaks this number and the one before it.
 */
export const protocolNumber = 1;

/** What every request is answered with. */
export type Ack<T> = ({ ok: true } & T) | { ok: false; error: ErrorReply };

const ClientId = v.pipe(v.string(), v.regex(/^[0-9a-zA-Z_-]{8,64}$/, 'Not a client id.'));
const Page = v.strictObject({
  url: v.pipe(v.string(), v.maxBytes(limits.urlBytes)),
  title: shortText(),
});

// ---------------------------------------------------------------- visitors: namespace /visitor

/** `auth` of a visitor's handshake, and the body of `POST /v1/visitor/session`. Without `token` a new visitor begins. */
export const VisitorHandshake = v.strictObject({
  protocol: v.pipe(v.number(), v.integer()),
  inboxId: Id,
  /** The visitor's secret: signed by the server, scoped to workspace, inbox and visitor. */
  token: v.optional(v.pipe(v.string(), v.maxLength(limits.tokenBytes))),
  /** A JWT signed by the site's own back end. */
  identityToken: v.optional(v.pipe(v.string(), v.maxLength(limits.tokenBytes))),
  page: v.optional(Page),
  locale: v.optional(v.pipe(v.string(), v.maxLength(35))),
  timeZone: v.optional(v.pipe(v.string(), v.maxLength(64))),
});
export type VisitorHandshake = v.InferOutput<typeof VisitorHandshake>;

/** The first thing a visitor's socket is told: `session`. Also the answer of `POST /v1/visitor/session`. */
export interface VisitorSession {
  protocol: number;
  token: string;
  /** Opaque; names the browser's contact to itself only. */
  contactId: string;
  /** The name a proved visitor is greeted by. */
  identified: boolean;
  inbox: VisitorInbox;
  conversations: VisitorConversation[];
}

export interface VisitorInbox {
  id: string;
  name: string;
  greeting: string;
  accent: string;
  quickReplies: string[];
  /** Asks for an address before the first message: a claim, never an identity. */
  asksForEmail: boolean;
  availability: Availability;
}

/** What the widget says about who is there. */
export interface Availability {
  online: boolean;
  agents: { id: string; name: string }[];
}

export interface VisitorConversation {
  id: string;
  status: 'open' | 'closed';
  subject: string;
  /** Highest seq a visitor may see. */
  head: number;
  /** How far this visitor has read, and how far an agent has. */
  readSeq: number;
  agentReadSeq: number;
  unread: number;
  lastAt: string;
}

export const SendMessage = v.strictObject({
  clientId: ClientId,
  /** `null` begins a conversation: the same clientId again finds the one it began. */
  conversationId: v.nullable(Id),
  text: v.string(),
  attachments: v.pipe(v.array(FileRef), v.maxLength(limits.attachmentsPerMessage)),
  /** How long it lay in the outbox, measured by the sender's monotonic clock. */
  waitedMs: v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
  touch: v.optional(Touch),
});
export type SendMessage = v.InferOutput<typeof SendMessage>;

/** Resync (`after`, forwards) or history (`before`, backwards). Exactly one of the two. */
export const ReadEvents = v.pipe(
  v.strictObject({
    conversationId: Id,
    after: v.optional(Seq),
    before: v.optional(Seq),
    limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.pageEntries))),
  }),
  v.check((input) => (input.after === undefined) !== (input.before === undefined), 'Give after or before.'),
);
export type ReadEvents = v.InferOutput<typeof ReadEvents>;

export const MarkRead = v.strictObject({ conversationId: Id, seq: Seq });
export const SetTyping = v.strictObject({ conversationId: Id, typing: v.boolean() });
export const MakeClaim = v.strictObject({ email: EmailAddress, name: v.optional(shortText()) });

/** Requests a visitor may make. Each is acknowledged with `Ack<Result>`. */
export const visitorRequests = {
  'message:send': SendMessage,
  'events:read': ReadEvents,
  read: MarkRead,
  typing: SetTyping,
  page: Page,
  claim: MakeClaim,
  'sign-out': v.strictObject({}),
} as const;
export interface VisitorResults {
  'message:send': { event: TimelineEvent };
  'events:read': EventPage;
  read: object;
  typing: object;
  page: object;
  claim: object;
  'sign-out': object;
}

/** What a visitor's socket is told. `event` may be missed: `previousSeq` shows it, `events:read` heals it. */
export interface VisitorNotices {
  session: VisitorSession;
  event: TimelineEvent;
  typing: { conversationId: string; typing: boolean; name: string };
  /** An agent has read this far. */
  read: { conversationId: string; seq: number };
  availability: Availability;
  /** The reader was too slow for live events: read on from the cursor. */
  resync: { conversationId: string };
  /** The server is stopping: go on, and connect anew after this long (already jittered). */
  reconnect: { afterMs: number };
  /** Signed out here or elsewhere: wipe what this browser kept. */
  'signed-out': object;
}

// ---------------------------------------------------------------- agents: namespace /agent

export const AgentHandshake = v.strictObject({
  protocol: v.pipe(v.number(), v.integer()),
  accessToken: v.pipe(v.string(), v.maxLength(limits.tokenBytes)),
  workspaceId: Id,
});
export type AgentHandshake = v.InferOutput<typeof AgentHandshake>;

export const AgentSend = v.strictObject({
  clientId: ClientId,
  conversationId: Id,
  /** `reply` leaves by the conversation's channel (chat or e-mail); `note` never leaves. */
  mode: v.picklist(['reply', 'note']),
  text: v.string(),
  attachments: v.pipe(v.array(FileRef), v.maxLength(limits.attachmentsPerMessage)),
  waitedMs: v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
});
export type AgentSend = v.InferOutput<typeof AgentSend>;

export const agentRequests = {
  'message:send': AgentSend,
  'events:read': ReadEvents,
  read: MarkRead,
  typing: SetTyping,
  /** The conversation this agent has on screen (null: none): who else looks at it is told, handling time is counted. */
  view: v.strictObject({ conversationId: v.nullable(Id), active: v.boolean() }),
  availability: v.strictObject({ availability: v.picklist(['available', 'away']) }),
} as const;
export interface AgentResults {
  'message:send': { event: TimelineEvent };
  'events:read': EventPage;
  read: object;
  typing: object;
  view: object;
  availability: object;
}

/** What an agent's socket is told; all of it for the workspace of the handshake, narrowed to what the agent may see. */
export interface AgentNotices {
  ready: { protocol: number };
  event: TimelineEvent;
  /** A conversation's row changed; the row as it stands now. */
  conversation: ConversationRow;
  /** Something about this contact changed (fields, identities, claims, merges): ask anew if it is on screen. */
  contact: { contactId: string };
  typing: {
    conversationId: string;
    typing: boolean;
    name: string;
    by: 'contact' | 'agent';
    agentId?: string;
  };
  /** The customer has read this far. */
  read: { conversationId: string; seq: number };
  viewing: { conversationId: string; agents: { id: string; name: string; typing: boolean }[] };
  presence: { contactId: string; visit: Visit | null };
  agent: { id: string; availability: 'available' | 'away' };
  resync: { conversationId: string };
  reconnect: { afterMs: number };
  /** The session ended (password or role changed, deactivated, signed out elsewhere). */
  'session-ended': object;
}

/** What a visitor's browser says of itself while it is connected. Never written to the store. */
export interface Visit {
  online: boolean;
  url: string;
  title: string;
  browser: string;
  system: string;
  locale: string;
  timeZone: string;
}

/** A row of the conversation list. */
export interface ConversationRow {
  id: string;
  number: number;
  inboxId: string;
  channel: 'chat' | 'email' | 'phone';
  contact: { id: string; name: string | null; proved: boolean };
  subject: string;
  snippet: string;
  status: 'open' | 'closed' | 'spam';
  assigneeId: string | null;
  /** Since when the customer waits for us; null when we do not owe the answer. ISO 8601. */
  waitingSince: string | null;
  lastAt: string;
  head: number;
  /** Messages of the customer's that this agent has not read. */
  unread: number;
  readSeq: number;
  /** The last call, for phone conversations: what the row's icon shows. */
  outcome?: 'answered' | 'missed' | 'busy' | 'failed' | 'voicemail';
}
