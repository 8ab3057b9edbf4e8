import { storeNow } from '../store/clock.js';
import { newId } from '../store/id.js';
import type { Ports } from './ports.js';

/** The real world's side of the ports. */
export const systemPorts: Ports = {
  now: storeNow,
  newId,
  later: (task) => {
    setImmediate(task);
  },
};
