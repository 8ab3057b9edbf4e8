import type { JobRow } from './model.js';

/** A job as it is put in: waiting, untouched. */
export const newJob = (
  job: Pick<JobRow, '_id' | 'workspaceId' | 'name' | 'key' | 'payload'>,
  now: Date,
  dueAt: Date = now,
): JobRow => ({
  ...job,
  state: 'waiting',
  dueAt,
  attempts: 0,
  holder: null,
  heldUntil: null,
  fence: 0,
  progress: 0,
  error: null,
  createdAt: now,
  finishedAt: null,
});
