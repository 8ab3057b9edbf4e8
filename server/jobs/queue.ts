import { openJobDesk } from './desk.js';
import { mongooseLeases } from './leases.js';
import { mongooseJobs } from './store.js';
import { systemJobPorts } from './system.js';
import { onWake, wakeJobs } from './wake.js';

/** Work outside a request: at least once, idempotent by key. This process's desk, over the real store. */
export const { enqueue, startJobs, pruneDone, listDead, retryDead, retryAllDead } = openJobDesk({
  store: mongooseJobs,
  leases: mongooseLeases,
  ports: systemJobPorts,
  wake: { onWake, wakeJobs },
});
