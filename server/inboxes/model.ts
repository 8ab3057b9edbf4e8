import mongoose from 'mongoose';
import { type Channel, channels } from '../../shared/events/parts.js';

/** One configured place where customers reach the company: a site's chat, a mailbox, a phone number. */
export interface InboxRow {
  _id: string;
  workspaceId: string;
  channel: Channel;
  name: string;
  greeting: string;
  accent: string;
  quickReplies: string[];
  asksForEmail: boolean;
  allowedOrigins: string[];
  /** HS256 secret that the company's own back end signs identity tokens with. Never leaves by a list. */
  identitySecret: string;
  identityPublicKey: string | null;
  /** email: what the inbox answers from. */
  address: string | null;
  /** phone: an IANA zone for records without one. */
  timeZone: string | null;
  createdAt: Date;
}

const text = { type: String, required: true } as const;

const inboxSchema = new mongoose.Schema<InboxRow>(
  {
    _id: text,
    workspaceId: text,
    channel: { type: String, required: true, enum: channels },
    name: text,
    greeting: { type: String, default: '' },
    accent: text,
    quickReplies: [String],
    asksForEmail: { type: Boolean, required: true },
    allowedOrigins: [String],
    identitySecret: text,
    identityPublicKey: { type: String, default: null },
    address: { type: String, default: null },
    timeZone: { type: String, default: null },
    createdAt: { type: Date, required: true },
  },
  { versionKey: false, strict: 'throw' },
);
inboxSchema.index({ workspaceId: 1, createdAt: 1 });

export const InboxModel = mongoose.model<InboxRow>('Inbox', inboxSchema, 'inboxes');
