import { newId } from '../store/id.js';
import type { Ports } from './ports.js';

/** The real world's side of the ports. */
export const systemPorts: Ports = {
  now: () => new Date(),
  newId,
  later: (task) => {
    setImmediate(task);
  },
};
