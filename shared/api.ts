import * as v from 'valibot';
import { ContactFields } from './events/contact.js';
import { EventKind } from './events/kinds.js';
import { Channel, ConversationStatus, type IdentityType, type Proof } from './events/parts.js';
import type { TimelineEvent } from './events/timeline.js';
import { limits } from './limits.js';
import type { ConversationRow, Visit } from './protocol.js';
import { EmailAddress, Id, shortText, Time } from './text.js';

/**
 * The console's HTTP API: request schemas and answers. All under /api; what belongs to a workspace under
 * /api/workspaces/:workspaceId. Errors are `{ error: ErrorReply }`.
 */

export const Password = v.pipe(
  v.string(),
  v.check(
    (text) => [...text].length >= limits.passwordCodePoints.min,
    `At least ${limits.passwordCodePoints.min} characters.`,
  ),
  v.check(
    (text) => [...text].length <= limits.passwordCodePoints.max,
    `At most ${limits.passwordCodePoints.max} characters.`,
  ),
);
export const Locale = v.picklist(['en', 'ru']);
export const Role = v.picklist(['owner', 'admin', 'agent']);
export type Role = v.InferOutput<typeof Role>;
const LinkToken = v.pipe(v.string(), v.regex(/^[0-9a-zA-Z_-]{20,100}$/));
const limit = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^\d{1,3}$/),
    v.transform(Number),
    v.minValue(1),
    v.maxValue(limits.pageEntries),
  ),
);
const cursor = v.optional(v.pipe(v.string(), v.maxLength(400)));

// -------- sessions (no workspace yet)
export const SetUp = v.strictObject({
  token: LinkToken,
  workspace: shortText(),
  name: shortText(),
  email: EmailAddress,
  password: Password,
});
export const SignIn = v.strictObject({
  email: EmailAddress,
  password: v.pipe(v.string(), v.maxLength(1_000)),
});
export const AskPasswordReset = v.strictObject({ email: EmailAddress });
export const ResetPassword = v.strictObject({ token: LinkToken, password: Password });
export const AcceptInvitation = v.strictObject({ token: LinkToken, name: shortText(), password: Password });
export const ChangeMe = v.strictObject({
  name: v.optional(shortText()),
  locale: v.optional(Locale),
  availability: v.optional(v.picklist(['available', 'away'])),
  password: v.optional(v.strictObject({ current: v.string(), next: Password })),
});

export interface SessionAnswer {
  accessToken: string;
  /** Seconds until the access token ends; refresh before. */
  expiresInSeconds: number;
  agent: Me;
}
export interface Me {
  id: string;
  name: string;
  email: string;
  locale: 'en' | 'ru';
  availability: 'available' | 'away';
  workspaces: { id: string; name: string; role: Role }[];
}
export interface AgentSummary {
  id: string;
  name: string;
  email: string;
  role: Role;
  availability: 'available' | 'away';
  active: boolean;
}

// -------- workspace: agents, inboxes
export const Invite = v.strictObject({ email: EmailAddress, role: v.picklist(['admin', 'agent']) });
export const ChangeAgent = v.strictObject({ role: v.optional(Role), active: v.optional(v.boolean()) });

const Origin = v.pipe(
  v.string(),
  v.maxLength(255),
  v.regex(/^https?:\/\/[a-z0-9.*-]+(:\d{1,5})?$|^\*$/, 'Not an origin.'),
);
export const InboxSettings = v.strictObject({
  name: v.optional(shortText()),
  greeting: v.optional(shortText(500)),
  accent: v.optional(v.pipe(v.string(), v.regex(/^#[0-9a-f]{6}$/i))),
  quickReplies: v.optional(v.pipe(v.array(shortText(80)), v.maxLength(5))),
  asksForEmail: v.optional(v.boolean()),
  /** Origins whose pages may hold the widget. `*` admits all, and is never the default. */
  allowedOrigins: v.optional(v.pipe(v.array(Origin), v.maxLength(50))),
  /** PEM, for RS256 or ES256 identity tokens. HS256 uses the inbox's secret, which the server makes. */
  identityPublicKey: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(10_000)))),
  /** email: the address the inbox answers from. */
  address: v.optional(EmailAddress),
  /** phone: an IANA time zone for records without one. */
  timeZone: v.optional(v.pipe(v.string(), v.maxLength(64))),
});
export const AddInbox = v.strictObject({ channel: Channel, name: shortText() });
export interface InboxSummary {
  id: string;
  channel: 'chat' | 'email' | 'phone';
  name: string;
  open: number;
}

// -------- conversations
export const ConversationView = v.picklist(['mine', 'unassigned', 'all', 'closed', 'spam']);
export type ConversationView = v.InferOutput<typeof ConversationView>;
export const ListConversations = v.strictObject({
  view: ConversationView,
  inboxId: v.optional(Id),
  /** `waiting`: who has waited longest for us first; `recent`: the latest first. */
  sort: v.optional(v.picklist(['waiting', 'recent'])),
  cursor,
  limit,
});
export interface ConversationList {
  rows: ConversationRow[];
  /** Absent when this is all. */
  nextCursor?: string;
}
/** Open conversations by view and by inbox. Always true: counted, not kept. */
export interface ConversationCounts {
  mine: number;
  unassigned: number;
  all: number;
  inboxes: Record<string, number>;
}
export interface ConversationDetail extends ConversationRow {
  /** How a reply would travel, and why it cannot if it cannot. */
  reply:
    | { by: 'chat'; online: boolean }
    | { by: 'email'; to: string; cc: string[]; proved: boolean; configured: boolean }
    | { by: 'none'; reason: 'phone' | 'blocked' };
  /** Set when a new e-mail's answers go elsewhere than to its sender. */
  answersTo?: string;
  /** How far the customer has read, in a chat: what `read` notices tell live. */
  contactReadSeq?: number;
}
export const ChangeConversation = v.strictObject({
  status: v.optional(ConversationStatus),
  assigneeId: v.optional(v.nullable(Id)),
  /** The status the agent saw: another one now is a `conflict`. */
  ifStatus: v.optional(ConversationStatus),
});

// -------- contacts
export const ListContacts = v.strictObject({ query: v.optional(shortText()), cursor, limit });
export interface ContactSummary {
  id: string;
  name: string | null;
  company: string | null;
  /** Whether address and number are; what was only said is left out then. */
  proved: boolean;
  email: string | null;
  phone: string | null;
  /** The newest thing on their timeline. */
  lastAt: string;
}
export interface ContactList {
  rows: ContactSummary[];
  nextCursor?: string;
}
export interface IdentityView {
  id: string;
  /** Whose it is within a merged group. */
  contactId: string;
  type: Exclude<IdentityType, 'visitor'>;
  value: string;
  proof: Proof;
  provedAt: string;
}
export interface ClaimView {
  id: string;
  contactId: string;
  type: 'email' | 'phone' | 'external';
  value: string;
  source: 'form' | 'email' | 'call' | 'agent' | 'import';
  madeAt: string;
}
/** A contact as the console shows it: the whole merged group under its head. */
export interface ContactDetail {
  id: string;
  fields: {
    name: string | null;
    company: string | null;
    city: string | null;
    language: string | null;
    timeZone: string | null;
  };
  /** Ids of all contacts in the group, the head first. */
  members: string[];
  identities: IdentityView[];
  claims: ClaimView[];
  merges: MergeView[];
  suggestions: Suggestion[];
  visit: Visit | null;
  blocked: boolean;
  /** The first entry on the timeline; null when there is none. */
  since: string | null;
  firstTouch: {
    landingPage: string;
    referrer: string;
    parameters: Record<string, string>;
    at: string;
  } | null;
  conversations: ConversationRow[];
}
export interface MergeView {
  mergeId: string;
  mergedId: string;
  mergedName: string | null;
  by: string | null;
  reason: string;
  at: string;
}
/** Two contacts that are probably one person, and why. Never merged by itself. */
export interface Suggestion {
  contactId: string;
  otherId: string;
  otherName: string | null;
  reason: 'same_email' | 'same_phone' | 'similar_name';
  /** The value both share, or the other's name. */
  value: string;
}
export const ChangeContact = v.strictObject({
  fields: v.optional(ContactFields),
  blocked: v.optional(v.boolean()),
});
export const Merge = v.strictObject({
  withContactId: Id,
  reason: v.optional(shortText(500)),
  /** For each field that differs, the contact whose value is shown. Default: the head's. */
  preferences: v.optional(v.record(v.picklist(['name', 'company', 'city', 'language', 'timeZone']), Id)),
});
export const Unmerge = v.strictObject({
  /** Events of nobody's identity that leave with the contact. Default: they stay with the head. */
  movedEventIds: v.optional(v.pipe(v.array(Id), v.maxLength(1_000))),
});
export const DismissSuggestion = v.strictObject({ contactId: Id, otherId: Id });
export interface MergePreview {
  left: MergeSide;
  right: MergeSide;
  /** Marks for the strands: at most 30 a side, oldest first. */
}
export interface MergeSide {
  id: string;
  fields: ContactDetail['fields'];
  emails: { value: string; proved: boolean }[];
  phones: { value: string; proved: boolean }[];
  events: number;
  since: string | null;
  open: { number: number; subject: string }[];
  marks: { at: string; channel: 'chat' | 'email' | 'phone' }[];
}
/** What an unmerge would ask about: what came to the head after the merge without anybody's identity. */
export interface UnmergePreview {
  mergeId: string;
  askAbout: TimelineEvent[];
}

// -------- the one timeline
export const ReadTimeline = v.strictObject({
  /** Opaque, from the last answer. */
  cursor,
  /** `older` (default) reads back in time from the cursor or from now; `newer` forwards. */
  direction: v.optional(v.picklist(['older', 'newer'])),
  /** Instead of a cursor: begin at this time. */
  at: v.optional(Time),
  /** Comma-separated. */
  channels: v.optional(v.pipe(v.string(), v.regex(/^(chat|email|phone)(,(chat|email|phone))*$/))),
  kinds: v.optional(v.pipe(v.string(), v.regex(/^[a-z_,]{1,300}$/))),
  limit,
});
export const timelineKinds = (kinds: string) => v.parse(v.array(EventKind), kinds.split(','));
/** Newest first when `older`, oldest first when `newer`. */
export interface TimelinePage {
  events: TimelineEvent[];
  olderCursor?: string;
  newerCursor?: string;
}
/** The year picture and the chips: one mark an event of content, and how many events each filter would show. */
export interface TimelinePicture {
  from: string;
  to: string;
  marks: {
    id: string;
    at: string;
    channel: 'chat' | 'email' | 'phone';
    direction: 'in' | 'out' | 'internal';
    talkSeconds?: number;
  }[];
  counts: { all: number; chat: number; email: number; phone: number; note: number; change: number };
  /** The years in which something happened before `from`, the newest first. */
  years: number[];
}
