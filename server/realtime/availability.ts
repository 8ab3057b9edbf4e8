import type { Availability } from '../../shared/protocol.js';
import { availableAgents } from '../agents/members.js';
import { log } from '../log.js';
import { systemScope } from '../workspaces/scope.js';
import type { Desks } from './desks.js';
import { rooms } from './rooms.js';
import type { VisitorNamespace } from './sockets.js';

/**
 * Who is there to answer: agents who say that they are available and whose console is open, at whichever process. Each
 * process tells its own visitors.
 */
export interface AvailabilityBoard {
  of(workspaceId: string): Promise<Availability>;
  /** Looks again soon and tells visitors when it is another. */
  changed(workspaceId: string): void;
  /** The same after a while: a console that is loaded again was never away. */
  left(workspaceId: string): void;
  close(): void;
}

const keepMs = 5_000;
const soonMs = 20;
const reloadMs = 10_000;

export function availabilityBoard(desks: Pick<Desks, 'of'>, visitors: VisitorNamespace): AvailabilityBoard {
  const kept = new Map<string, { availability: Availability; until: number }>();
  const timers = new Set<NodeJS.Timeout>();
  /** Workspaces that are looked at in a moment anyway: a thousand consoles that come back are one change. */
  const soon = new Set<string>();

  async function look(workspaceId: string): Promise<Availability> {
    const here = new Set(desks.of(workspaceId).map(({ agentId }) => agentId));
    const available = here.size === 0 ? [] : await availableAgents(systemScope(workspaceId));
    const list = available.filter(({ id }) => here.has(id)).slice(0, 20);
    return { online: list.length > 0, agents: list };
  }

  async function lookAndTell(workspaceId: string): Promise<void> {
    const before = kept.get(workspaceId)?.availability;
    // Nobody here is to be told: whoever comes is told how it stands then.
    if (!visitors.adapter.rooms.has(rooms.visitors(workspaceId))) {
      kept.delete(workspaceId);
      return;
    }
    const availability = await look(workspaceId);
    kept.set(workspaceId, { availability, until: performance.now() + keepMs });
    if (JSON.stringify(before) === JSON.stringify(availability)) return;
    visitors.local.to(rooms.visitors(workspaceId)).emit('availability', availability);
  }

  function later(workspaceId: string, afterMs: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (afterMs === soonMs) soon.delete(workspaceId);
      lookAndTell(workspaceId).catch((error: unknown) =>
        log.warn({ err: error }, 'availability is not known'),
      );
    }, afterMs);
    timer.unref();
    timers.add(timer);
  }

  return {
    async of(workspaceId) {
      const known = kept.get(workspaceId);
      if (known && known.until > performance.now()) return known.availability;
      const availability = await look(workspaceId);
      kept.set(workspaceId, { availability, until: performance.now() + keepMs });
      return availability;
    },
    changed(workspaceId) {
      if (soon.has(workspaceId)) return;
      soon.add(workspaceId);
      later(workspaceId, soonMs);
    },
    left: (workspaceId) => later(workspaceId, reloadMs),
    close() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
