import mongoose from 'mongoose';
import { type Channel, channels } from '../../shared/events/parts.js';

/**
 * A thread with one contact in one inbox. Every field follows from its events (timeline/projection.ts) and can be made
 * again from them; nothing else may be kept here.
 */
export interface ConversationRowDocument {
  _id: string;
  workspaceId: string;
  /** #4182: counts up within the workspace. */
  number: number;
  /** What it was begun under; the same key again finds it. */
  key: string;
  inboxId: string;
  channel: Channel;
  contactId: string;
  subject: string;
  status: 'open' | 'closed' | 'spam';
  assigneeId: string | null;
  /** Since when the customer waits for us; null when we do not owe the answer. */
  waitingSince: Date | null;
  snippet: string;
  /** When the newest thing was said, by when it happened; and the newest thing we said. */
  lastAt: Date;
  lastOutAt: Date | null;
  startedAt: Date;
  outcome: 'answered' | 'missed' | 'busy' | 'failed' | 'voicemail' | null;
  /** The highest seq, and the highest that the customer's browser may see. */
  head: number;
  visitorHead: number;
  /** How many things the customer said, and how many messages they were sent: what unread counts are made of. */
  incoming: number;
  outgoing: number;
  lastIncomingSeq: number;
  lastOutgoingSeq: number;
}

const text = { type: String, required: true } as const;
const number = { type: Number, required: true } as const;

const conversationSchema = new mongoose.Schema<ConversationRowDocument>(
  {
    _id: text,
    workspaceId: text,
    number,
    key: text,
    inboxId: text,
    channel: { type: String, required: true, enum: channels },
    contactId: text,
    subject: { type: String, default: '' },
    status: { type: String, required: true, enum: ['open', 'closed', 'spam'] },
    assigneeId: { type: String, default: null },
    waitingSince: { type: Date, default: null },
    snippet: { type: String, default: '' },
    lastAt: { type: Date, required: true },
    lastOutAt: { type: Date, default: null },
    startedAt: { type: Date, required: true },
    outcome: { type: String, default: null },
    head: number,
    visitorHead: number,
    incoming: number,
    outgoing: number,
    lastIncomingSeq: number,
    lastOutgoingSeq: number,
  },
  { versionKey: false, strict: 'throw' },
);
conversationSchema.index({ workspaceId: 1, key: 1 }, { unique: true });
// Without `lastAt`: a contact has few conversations, and every index on it is written again with each message.
conversationSchema.index({ workspaceId: 1, contactId: 1 });
conversationSchema.index({ workspaceId: 1, status: 1, lastAt: 1, _id: 1 });
conversationSchema.index({ workspaceId: 1, status: 1, assigneeId: 1, lastAt: 1, _id: 1 });
conversationSchema.index({ workspaceId: 1, status: 1, waitingSince: 1, _id: 1 });

export const ConversationModel = mongoose.model<ConversationRowDocument>(
  'Conversation',
  conversationSchema,
  'conversations',
);

/** How far somebody has read. Only ever grows. */
export interface ReadRow {
  /** `conversationId:readerType:readerId`. */
  _id: string;
  workspaceId: string;
  conversationId: string;
  readerType: 'agent' | 'contact';
  readerId: string;
  seq: number;
  /** How many of the other side's messages stand at or before `seq`: unread is the total less this. */
  counted: number;
}

const readSchema = new mongoose.Schema<ReadRow>(
  {
    _id: text,
    workspaceId: text,
    conversationId: text,
    readerType: { type: String, required: true, enum: ['agent', 'contact'] },
    readerId: text,
    seq: number,
    counted: number,
  },
  { versionKey: false, strict: 'throw' },
);
readSchema.index({ workspaceId: 1, conversationId: 1, readerType: 1, seq: 1 });

export const ReadModel = mongoose.model<ReadRow>('Read', readSchema, 'reads');
