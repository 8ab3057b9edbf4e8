import mongoose from 'mongoose';
import { EventKind } from '../../shared/events/kinds.js';
import { type Actor, type Channel, channels, type Direction } from '../../shared/events/parts.js';

/**
 * One immutable entry, as the store keeps it. `body` has the shape of its `v`; readers lift it to today's.
 * Nothing is ever changed in it, save by an erasure.
 */
export interface StoredEvent {
  _id: string;
  workspaceId: string;
  contactId: string;
  conversationId?: string;
  inboxId?: string;
  channel: Channel | null;
  kind: EventKind;
  direction: Direction;
  actor: Actor;
  seq?: number;
  /** The seq before this one that agents may see, and that the customer's browser may see (0: none). */
  previousSeq?: number;
  previousVisitorSeq?: number;
  occurredAt: Date;
  recordedAt: Date;
  timeCorrected?: true;
  /** An import brought it long after it happened: it is there to be read, and asks nobody for anything. */
  history?: true;
  v: number;
  body: unknown;
  dedupeKey: string;
  /** Nobody's identity brought it while its contact was a merged one: the merge that an unmerge asks about. */
  mergeId?: string;
  importId?: string;
  /** `erased`: asked for by somebody. `undone`: went with its import, and stands on no timeline any more. */
  erased?: 'erased' | 'undone';
}

const text = { type: String, required: true } as const;
const moment = { type: Date, required: true } as const;

const eventSchema = new mongoose.Schema<StoredEvent>(
  {
    _id: text,
    workspaceId: text,
    contactId: text,
    conversationId: String,
    inboxId: String,
    channel: { type: String, enum: [...channels, null], default: null },
    kind: { type: String, required: true, enum: EventKind.options },
    direction: { type: String, required: true, enum: ['in', 'out', 'internal'] },
    actor: { type: mongoose.Schema.Types.Mixed, required: true },
    seq: Number,
    previousSeq: Number,
    previousVisitorSeq: Number,
    occurredAt: moment,
    recordedAt: moment,
    timeCorrected: Boolean,
    history: Boolean,
    v: { type: Number, required: true },
    body: { type: mongoose.Schema.Types.Mixed, required: true },
    dedupeKey: text,
    mergeId: String,
    importId: String,
    erased: { type: String, enum: ['erased', 'undone'] },
  },
  { versionKey: false, strict: 'throw', minimize: false },
);
// What makes "once" true, and one index for each of the three reads.
eventSchema.index({ workspaceId: 1, dedupeKey: 1 }, { unique: true });
eventSchema.index({ workspaceId: 1, contactId: 1, occurredAt: 1, _id: 1 });
eventSchema.index({ workspaceId: 1, conversationId: 1, seq: 1 });
eventSchema.index({ workspaceId: 1, recordedAt: 1, _id: 1 });
// Undoing an import finds its own; all other events stay out of this one.
eventSchema.index(
  { workspaceId: 1, importId: 1 },
  { partialFilterExpression: { importId: { $exists: true } } },
);

export const EventModel = mongoose.model<StoredEvent>('Event', eventSchema, 'events');

/** One import: what it brought is undone whole by its id. */
export interface ImportRow {
  _id: string;
  workspaceId: string;
  /** What was read: a file's name, `-`. Shown to whoever undoes it. */
  source: string;
  channel: Channel;
  /** The operator answered for its senders (proof `agent`). */
  vouch: boolean;
  counts: { imported: number; duplicates: number; broken: number };
  startedAt: Date;
  finishedAt: Date | null;
  undoneAt: Date | null;
}

const count = { type: Number, required: true, default: 0 } as const;
const importSchema = new mongoose.Schema<ImportRow>(
  {
    _id: text,
    workspaceId: text,
    source: text,
    channel: { type: String, required: true, enum: channels },
    vouch: { type: Boolean, required: true },
    counts: { imported: count, duplicates: count, broken: count },
    startedAt: moment,
    finishedAt: { type: Date, default: null },
    undoneAt: { type: Date, default: null },
  },
  { versionKey: false, strict: 'throw' },
);
importSchema.index({ workspaceId: 1, startedAt: 1 });

export const ImportModel = mongoose.model<ImportRow>('Import', importSchema, 'imports');
