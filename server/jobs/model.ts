import mongoose from 'mongoose';

/** Work done outside a request: at least once, idempotent by its key. */
export interface JobRow {
  _id: string;
  workspaceId: string;
  name: string;
  /** The same name and key again is the same job. */
  key: string;
  payload: unknown;
  state: 'waiting' | 'running' | 'done' | 'dead';
  dueAt: Date;
  attempts: number;
  /** Who runs it, until when without a sign of life, and a number that grows with each holder. */
  holder: string | null;
  heldUntil: Date | null;
  fence: number;
  progress: number;
  /** Why the last attempt failed, in one line; never a secret, never a message's text. */
  error: string | null;
  createdAt: Date;
  finishedAt: Date | null;
}

const text = { type: String, required: true } as const;

const jobSchema = new mongoose.Schema<JobRow>(
  {
    _id: text,
    workspaceId: text,
    name: text,
    key: text,
    payload: { type: mongoose.Schema.Types.Mixed, required: true },
    state: { type: String, required: true, enum: ['waiting', 'running', 'done', 'dead'] },
    dueAt: { type: Date, required: true },
    attempts: { type: Number, required: true },
    holder: { type: String, default: null },
    heldUntil: { type: Date, default: null },
    fence: { type: Number, required: true },
    progress: { type: Number, default: 0 },
    error: { type: String, default: null },
    createdAt: { type: Date, required: true },
    finishedAt: { type: Date, default: null },
  },
  { versionKey: false, strict: 'throw', minimize: false },
);
jobSchema.index({ workspaceId: 1, name: 1, key: 1 }, { unique: true });
jobSchema.index({ state: 1, dueAt: 1 });
jobSchema.index({ workspaceId: 1, state: 1, dueAt: 1 });

export const JobModel = mongoose.model<JobRow>('Job', jobSchema, 'jobs');

/** What must happen once in a cluster runs under one of these. */
export interface LeaseRow {
  /** What it is for: `subscriber:rules`, `schedule:sweep`. */
  _id: string;
  holder: string;
  until: Date;
  /** Grows with each holder: a write under an older one is refused. */
  fence: number;
}

const leaseSchema = new mongoose.Schema<LeaseRow>(
  {
    _id: text,
    holder: text,
    until: { type: Date, required: true },
    fence: { type: Number, required: true },
  },
  { versionKey: false, strict: 'throw' },
);

export const LeaseModel = mongoose.model<LeaseRow>('Lease', leaseSchema, 'leases');
