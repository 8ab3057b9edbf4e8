import type { Availability } from '../../shared/protocol.js';
import { availableAgents } from '../agents/members.js';
import { log } from '../log.js';
import { gather } from '../store/gather.js';
import { systemScope } from '../workspaces/scope.js';
import type { Desks } from './desks.js';
import { rooms } from './rooms.js';
import type { VisitorNamespace } from './sockets.js';

/**
 * Who is there to answer: agents who say that they are available and whose console is open, at whichever process. Each
 * process tells its own visitors.
 */
export interface AvailabilityBoard {
  /** As it was found a few seconds ago at most. Whoever is here is told, too, when it is found to be another. */
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

  /**
   * Looks, and tells whoever is here when it is another than the last: each look, whoever asked for it, is what visitors
   * know from then on. One at a time, so that an older answer never follows a newer one.
   */
  const lookAndTell = gather<null, Availability>(async (workspaceId, asked) => {
    const availability = await look(workspaceId);
    const before = kept.get(workspaceId)?.availability;
    kept.set(workspaceId, { availability, until: performance.now() + keepMs });
    const room = rooms.visitors(workspaceId);
    const isNews = before && JSON.stringify(before) !== JSON.stringify(availability);
    if (isNews && visitors.adapter.rooms.has(room))
      visitors.local.to(room).emit('availability', availability);
    return asked.map(() => availability);
  });

  async function lookForThoseHere(workspaceId: string): Promise<void> {
    // Nobody here is to be told: whoever comes is told how it stands then.
    if (!visitors.adapter.rooms.has(rooms.visitors(workspaceId))) kept.delete(workspaceId);
    else await lookAndTell(workspaceId, null);
  }

  function later(workspaceId: string, afterMs: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (afterMs === soonMs) soon.delete(workspaceId);
      lookForThoseHere(workspaceId).catch((error: unknown) =>
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
      return lookAndTell(workspaceId, null);
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
