import mongoose from 'mongoose';
import type { ClaimSource, ContactFields } from '../../shared/events/contact.js';
import { type IdentityType, identityTypes, type Proof } from '../../shared/events/parts.js';

export type FieldName = keyof ContactFields;
export const fieldNames = ['name', 'company', 'city', 'language', 'timeZone'] as const satisfies FieldName[];

/** A field as somebody filled it in; `at` tells an edit after a merge from what the merge preferred. */
interface FieldValue {
  value: string | null;
  at: Date;
}

/** A person, the customer. */
export interface ContactRow {
  _id: string;
  workspaceId: string;
  /** The head of the group it belongs to; its own id while it belongs to none. */
  headId: string;
  /** The contact it was merged into and the merge that did it; null for a head. */
  parentId: string | null;
  parentMergeId: string | null;
  /** On a head: the newest merge of its group that stands. */
  lastMergeId: string | null;
  /** Grows with every change of its group, so that two merges at once cannot both pass. */
  groupVersion: number;
  /** What it was called by whoever brought it (a From line, a token), before anybody filled anything in. */
  given: Partial<Record<FieldName, string>>;
  fields: Partial<Record<FieldName, FieldValue>>;
  blocked: boolean;
  /** On the one contact where mail or calls of an unproved sender gather, `inboxId:type:value`; else its own id. */
  gathers: string;
  /** For the search: lower case, words of the shown name; and company, for near doubles. */
  nameWords: string[];
  companyKey: string | null;
  importId?: string;
  createdAt: Date;
}

/** Proved, unique: `(workspaceId, type, value)` is one contact's. */
export interface IdentityRow {
  _id: string;
  workspaceId: string;
  contactId: string;
  type: IdentityType;
  value: string;
  /** How it was proved, oldest first; an import that is undone takes its own proof along. */
  proofs: { proof: Proof; at: Date; importId?: string }[];
  createdAt: Date;
}

/** What somebody only said. Not unique, and never a way in. */
export interface ClaimRow {
  _id: string;
  workspaceId: string;
  contactId: string;
  type: 'email' | 'phone' | 'external';
  value: string;
  source: ClaimSource;
  importId?: string;
  madeAt: Date;
}

/** One merge: an edge from the merged contact to the head it went under. */
export interface MergeRow {
  _id: string;
  workspaceId: string;
  headId: string;
  mergedId: string;
  reason: string;
  /** An agent's id; null when no agent did it. */
  by: string | null;
  /** The customer's own proof joined them: their browser may see both. An agent's judgement never shows it anything. */
  byProof: boolean;
  preferences: Partial<Record<FieldName, string>>;
  mergedAt: Date;
  undoneAt: Date | null;
}

/** An event of nobody's identity that left with a contact when its merge was undone. */
export interface MovedEventRow {
  /** The event's id. */
  _id: string;
  workspaceId: string;
  /** The contact that the event names. */
  fromContactId: string;
  /** The contact that it stands on, and the merge whose undoing brought it there: the last one. */
  toContactId: string;
  mergeId: string;
}

/** A suggestion that an agent put aside: both ids, the smaller first. */
export interface DismissalRow {
  _id: string;
  workspaceId: string;
  contactIds: string[];
  dismissedAt: Date;
}

const text = { type: String, required: true } as const;
const moment = { type: Date, required: true } as const;
const mixed = { type: mongoose.Schema.Types.Mixed, required: true } as const;
const options = { versionKey: false, strict: 'throw', minimize: false } as const;

const contactSchema = new mongoose.Schema<ContactRow>(
  {
    _id: text,
    workspaceId: text,
    headId: text,
    parentId: { type: String, default: null },
    parentMergeId: { type: String, default: null },
    lastMergeId: { type: String, default: null },
    groupVersion: { type: Number, required: true },
    given: mixed,
    fields: mixed,
    blocked: { type: Boolean, required: true },
    gathers: text,
    nameWords: [String],
    companyKey: { type: String, default: null },
    importId: String,
    createdAt: moment,
  },
  options,
);
contactSchema.index({ workspaceId: 1, headId: 1 });
contactSchema.index({ workspaceId: 1, nameWords: 1 });
contactSchema.index({ workspaceId: 1, companyKey: 1 });
contactSchema.index({ workspaceId: 1, createdAt: 1, _id: 1 });
// One contact for each unproved sender, however many of their letters arrive at once.
contactSchema.index({ workspaceId: 1, gathers: 1 }, { unique: true });
contactSchema.index(
  { workspaceId: 1, importId: 1 },
  { partialFilterExpression: { importId: { $exists: true } } },
);

const identitySchema = new mongoose.Schema<IdentityRow>(
  {
    _id: text,
    workspaceId: text,
    contactId: text,
    type: { type: String, required: true, enum: identityTypes },
    value: text,
    proofs: mixed,
    createdAt: moment,
  },
  options,
);
identitySchema.index({ workspaceId: 1, type: 1, value: 1 }, { unique: true });
identitySchema.index({ workspaceId: 1, contactId: 1 });

const claimSchema = new mongoose.Schema<ClaimRow>(
  {
    _id: text,
    workspaceId: text,
    contactId: text,
    type: { type: String, required: true, enum: ['email', 'phone', 'external'] },
    value: text,
    source: { type: String, required: true, enum: ['form', 'email', 'call', 'agent', 'import'] },
    importId: String,
    madeAt: moment,
  },
  options,
);
claimSchema.index({ workspaceId: 1, contactId: 1, type: 1, value: 1 }, { unique: true });
claimSchema.index({ workspaceId: 1, type: 1, value: 1 });

const mergeSchema = new mongoose.Schema<MergeRow>(
  {
    _id: text,
    workspaceId: text,
    headId: text,
    mergedId: text,
    reason: { type: String, default: '' },
    by: { type: String, default: null },
    byProof: { type: Boolean, required: true },
    preferences: mixed,
    mergedAt: moment,
    undoneAt: { type: Date, default: null },
  },
  options,
);
mergeSchema.index({ workspaceId: 1, mergedId: 1 });

const movedSchema = new mongoose.Schema<MovedEventRow>(
  { _id: text, workspaceId: text, fromContactId: text, toContactId: text, mergeId: text },
  options,
);
movedSchema.index({ workspaceId: 1, fromContactId: 1 });
movedSchema.index({ workspaceId: 1, toContactId: 1 });

const dismissalSchema = new mongoose.Schema<DismissalRow>(
  { _id: text, workspaceId: text, contactIds: [String], dismissedAt: moment },
  options,
);
dismissalSchema.index({ workspaceId: 1, contactIds: 1 });

export const ContactModel = mongoose.model<ContactRow>('Contact', contactSchema, 'contacts');
export const IdentityModel = mongoose.model<IdentityRow>('Identity', identitySchema, 'identities');
export const ClaimModel = mongoose.model<ClaimRow>('Claim', claimSchema, 'claims');
export const MergeModel = mongoose.model<MergeRow>('Merge', mergeSchema, 'merges');
export const MovedEventModel = mongoose.model<MovedEventRow>('MovedEvent', movedSchema, 'moved_events');
export const DismissalModel = mongoose.model<DismissalRow>('Dismissal', dismissalSchema, 'dismissals');
