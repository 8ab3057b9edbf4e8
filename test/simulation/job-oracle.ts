import type { JobRow } from '../../server/jobs/model.js';
import type { JobProblem, JobStore } from '../../server/jobs/ports.js';
import type { JobContext } from '../../server/jobs/runner.js';
import type { Written } from '../server/timeline/memory-store.js';
import { bounds, plainBounds, runnerBounds } from './jobs.js';
import type { SimServer } from './server.js';
import type { World } from './world.js';

/** How often whoever looks after dead jobs has one done again. */
const mendings = 3;

interface Attempt {
  fence: number;
  server: SimServer;
  isRunning: boolean;
}

/** Of the jobs: at least once, under a stable id, one living holder at a time, fences that count. */
export function createJobOracle(worldOf: () => World, violate: (rule: string, what: string) => void) {
  const latest = new Map<string, Attempt>();
  const running = new Map<SimServer, Set<string>>();
  const expected = new Set<string>();
  const letters = new Map<string, string[]>();
  const fencedOut = new Map<string, SimServer>();
  /** Attempts, as `job#fence`: begun by a handler, and known to their holder to be lost. */
  const begun = new Set<string>();
  const lost = new Set<string>();
  let clocksDiffered = false;

  const boundsOf = (jobId: string) =>
    bounds[worldOf().jobs.rows.get(jobId)?.name === 'chore' ? 'chore' : 'letter'];
  const attemptOf = (jobId: string, fence: number): Attempt | undefined => {
    const attempt = latest.get(jobId);
    return attempt?.fence === fence ? attempt : undefined;
  };

  return {
    clocksDiffer: () => {
      clocksDiffered = true;
    },
    revived(rows: readonly JobRow[]): void {
      for (const { _id } of rows) latest.delete(_id);
    },
    commits({ events, jobs }: Written): void {
      for (const event of events) {
        if (event.kind !== 'email' || event.direction !== 'out') continue;
        // One that was found somewhere left another way: it must not leave again.
        if (typeof (event.body as { clientId?: unknown }).clientId !== 'string') continue;
        expected.add(event._id);
        if (!jobs.some((job) => job.key === `email.send:${event._id}`)) {
          violate('a job with its event', `${event._id} was committed without its job`);
        }
      }
      for (const job of jobs) {
        if (!events.some(({ _id }) => expected.has(_id) && job.key === `email.send:${_id}`)) {
          violate('a job with its event', `${job.key} was committed without its event`);
        }
      }
    },
    claimed(row: JobRow, server: SimServer): void {
      const world = worldOf();
      const { now } = world.kernel;
      const before = latest.get(row._id);
      if (before && row.fence <= before.fence) violate('fences', `${row._id} was taken with an old fence`);
      if (before?.isRunning && before.server.owner.isAlive) {
        world.hit('job taken over from a living holder');
        const { holdMs } = world.isPlain ? plainBounds : runnerBounds;
        const hadTrouble =
          clocksDiffered ||
          before.server.troubledAt >= now - holdMs ||
          before.server.owner.pausedUntil >= now - holdMs;
        if (!hadTrouble)
          violate('one holder', `${row._id} was taken from ${before.server.owner.name}, which is well`);
      } else if (before?.isRunning) world.hit('job taken over from the dead');
      // Begun when the answer has come: it may get lost.
      latest.set(row._id, { fence: row.fence, server, isRunning: false });
    },
    lostHold(job: JobRow): void {
      lost.add(`${job._id}#${job.fence}`);
    },
    begins({ jobId, fence, attempt }: JobContext, server: SimServer): void {
      const { concurrency } = worldOf().isPlain ? plainBounds : runnerBounds;
      const mine = running.get(server) ?? new Set();
      running.set(server, mine.add(`${jobId}#${fence}`));
      if (mine.size > concurrency) violate('bounded', `${server.owner.name} runs ${mine.size} jobs at once`);
      if (begun.has(`${jobId}#${fence}`)) violate('fences', `${jobId} was begun twice under fence ${fence}`);
      begun.add(`${jobId}#${fence}`);
      const own = attemptOf(jobId, fence);
      if (own) own.isRunning = true;
      const { attempts } = boundsOf(jobId);
      if (attempt > attempts) violate('bounded', `${jobId} is in its attempt ${attempt} of ${attempts}`);
    },
    /** The handler is about to do what cannot be undone. */
    works({ jobId, fence, signal }: JobContext): void {
      if (lost.has(`${jobId}#${fence}`) && !signal.aborted) {
        violate('told to stop', `${jobId} goes on under fence ${fence}, which it knows to be lost`);
      }
    },
    ends({ jobId, fence }: JobContext, server: SimServer): void {
      running.get(server)?.delete(`${jobId}#${fence}`);
      // Its outcome may not reach the store: the hold then runs out by itself.
      const attempt = attemptOf(jobId, fence);
      if (attempt) attempt.isRunning = false;
    },
    letter(eventId: string, messageId: string, { jobId, fence }: JobContext): void {
      if (lost.has(`${jobId}#${fence}`))
        violate('told to stop', `${eventId} left under fence ${fence}, which was lost`);
      if (!expected.has(eventId)) violate('nothing out of nowhere', `a letter for ${eventId}`);
      const sent = letters.get(eventId) ?? [];
      if (sent.length > 0) worldOf().hit('letter sent again under its id');
      if (sent[0] !== undefined && sent[0] !== messageId)
        violate('a stable id', `${eventId} left under two ids`);
      letters.set(eventId, [...sent, messageId]);
    },
    settles(job: JobRow, change: Parameters<JobStore['settle']>[1], server: SimServer): void {
      if (!('state' in change)) return;
      const attempt = attemptOf(job._id, job.fence);
      if (attempt) attempt.isRunning = false;
      const { attempts, backoffMs, backoffMaxMs } = boundsOf(job._id);
      if (change.state === 'waiting') {
        const most = Math.min(backoffMs * 2 ** (job.attempts - 1), backoffMaxMs);
        const wait = change.dueAt.getTime() - server.now().getTime();
        const { now } = worldOf().kernel;
        const isWell = Math.max(server.troubledAt, server.owner.pausedUntil) < now - 100;
        // Less what the way to the store took.
        if (isWell && (wait > most || wait < most / 2 - 50))
          violate('backs off', `${job._id} waits ${wait} ms`);
        if (job.attempts >= attempts) violate('bounded', `${job._id} has no attempt left, and waits`);
      }
      // What no retry can change is dead at once.
      const { what } = job.payload as { what: unknown };
      const isHopeless = job.name === 'chore' && (what === 'hopeless' || typeof what !== 'string');
      if (change.state === 'dead' && job.attempts < attempts && !isHopeless)
        violate('at least once', `${job._id} died early`);
    },
    fencedOut(job: JobRow, server: SimServer): void {
      worldOf().hit('job fenced out');
      fencedOut.set(`${job._id}#${job.fence}`, server);
    },
    reported({ what, job }: JobProblem): void {
      // Or the answer that says so was lost on its way.
      if (what !== 'fenced_out' && what !== 'store') return;
      for (const id of fencedOut.keys()) if (id.startsWith(`${job?._id}#`)) fencedOut.delete(id);
    },
    unfinishedJob(): string | null {
      for (const row of worldOf().jobs.rows.values()) {
        if (row.state === 'waiting' || row.state === 'running') return `${row._id} is ${row.state}`;
      }
      const [dead] = this.unmended();
      return dead === undefined ? null : `${dead} is dead, and nobody looked`;
    },
    /** Dead, and not given up by whoever looks after them. */
    unmended: (): string[] =>
      [...worldOf().jobs.rows.values()].flatMap(({ _id, state }) =>
        state === 'dead' && (worldOf().mended.get(_id) ?? 0) < mendings ? [_id] : [],
      ),
    finalJobs(): void {
      const world = worldOf();
      const rows = [...world.jobs.rows.values()];
      for (const eventId of expected) {
        const row = rows.find(({ key }) => key === `email.send:${eventId}`);
        const said = [...world.store.events.values()].find(({ dedupeKey }) =>
          dedupeKey.startsWith(`email-delivery:${eventId}:`),
        );
        if (!row) violate('at least once', `the job of ${eventId} is gone`);
        else if (row.state === 'done' && !said)
          violate('at least once', `${eventId} is done, and nobody was told`);
        else if (said?.dedupeKey.endsWith(':sent') && !letters.has(eventId))
          violate('at least once', `${eventId} never left`);
      }
      for (const { _id, name, state, payload } of rows) {
        const isBroken = name === 'chore' && typeof (payload as { what: unknown }).what !== 'string';
        if (state === 'dead' && !isBroken)
          violate('at least once', `${_id} is dead, and nothing is wrong any more`);
      }
      for (const [id, server] of fencedOut) {
        if (server.owner.isAlive) violate('told to stop', `${id} was fenced out, and nobody heard of it`);
      }
    },
  };
}
