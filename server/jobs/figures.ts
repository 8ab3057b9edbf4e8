import { JobModel, type JobRow } from './model.js';
import { systemJobPorts } from './system.js';

export interface JobFigures {
  waiting: number;
  running: number;
  dead: number;
  /** For how long the job that waits longest has been due. */
  oldestDueSeconds: number;
}

/** Counting on tells nobody more. */
const countedAtMost = 10_000;

/** How the queue stands, over all workspaces: numbers alone, for whoever runs the installation. */
export async function jobFigures(now: Date = systemJobPorts.now()): Promise<JobFigures> {
  const count = (state: JobRow['state']) => JobModel.countDocuments({ state }).limit(countedAtMost);
  const [waiting, running, dead, oldest] = await Promise.all([
    count('waiting'),
    count('running'),
    count('dead'),
    JobModel.findOne({ state: 'waiting', dueAt: { $lte: now } }, { dueAt: 1 })
      .sort({ dueAt: 1 })
      .lean(),
  ]);
  const oldestDueSeconds = oldest ? (now.getTime() - oldest.dueAt.getTime()) / 1_000 : 0;
  return { waiting, running, dead, oldestDueSeconds };
}
