import { storeNow } from '../store/clock.js';
import { newId } from '../store/id.js';
import type { JobPorts } from './ports.js';

/** The real world's side of the runner's ports. Whoever starts a runner says where its problems are reported. */
export const systemJobPorts: Omit<JobPorts, 'report'> = {
  now: storeNow,
  newId,
  random: Math.random,
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    // A stopped server is not kept alive by its next look for work.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
