import * as v from 'valibot';
import { defineJob } from '../../server/jobs/define.js';
import type { StartOptions } from '../../server/jobs/desk.js';
import type { DueQueue, JobPorts, JobShelf, JobStore, LeaseStore } from '../../server/jobs/ports.js';
import type { JobKind } from '../../server/jobs/runner.js';
import { AppError } from '../../shared/errors.js';
import { reached } from './reached.js';
import { crashServer, type SimServer } from './server.js';
import type { World } from './world.js';

/** What the oracle holds them to. A letter has few attempts, so that a schedule reaches the end; a chore is as usual. */
export const bounds = {
  letter: { attempts: 4, backoffMs: 5_000, backoffMaxMs: 12_000 },
  chore: { attempts: 8, backoffMs: 5_000, backoffMaxMs: 3_600_000 },
};

/** Few, so that they are reached; a plain run has what the product has when nobody says otherwise. */
export const runnerBounds = { concurrency: 2, holdMs: 30_000, pollMs: 5_000 };
export const plainBounds = { concurrency: 8, holdMs: 20_000 };

/** The way of one process to the jobs: it takes time, can fail before the store was reached, and after. */
export function simJobs(world: World, server: SimServer): JobStore & JobShelf {
  const { jobs, oracle } = world;
  async function carry<T>(name: string, work: () => Promise<T>): Promise<T> {
    await server.step(name);
    const result = await work();
    await world.kernel.delay(server.owner, 1);
    if (world.strikes(world.schedule.storeFails, `job answer lost:${server.owner.name}`)) {
      server.troubledAt = world.kernel.now;
      throw new AppError('store_unavailable');
    }
    return result;
  }
  return {
    ...reached(jobs, (name, work) => carry(`job.${name}`, work)),
    revive: (id, jobId, at) =>
      carry('job.revive', async () => {
        const row = await jobs.revive(id, jobId, at);
        if (row) oracle.revived([row]);
        return row;
      }),
    async reviveAll(id, at) {
      return carry('job.reviveAll', async () => {
        oracle.revived([...jobs.rows.values()].filter(({ state }) => state === 'dead'));
        return jobs.reviveAll(id, at);
      });
    },
    claim: (names, holder, now, heldUntil) =>
      carry('job.claim', async () => {
        const row = await jobs.claim(names, holder, now, heldUntil);
        if (row) oracle.claimed(row, server);
        return row;
      }),
    claimOne: (due, holder, now, heldUntil) =>
      carry('job.claim', async () => {
        const row = await jobs.claimOne(due, holder, now, heldUntil);
        if (row) oracle.claimed(row, server);
        return row;
      }),
    async renew(job, heldUntil) {
      const isOurs = await carry('job.renew', () => jobs.renew(job, heldUntil));
      // Known to its holder when the answer has come: it may be late, or get lost.
      if (!isOurs) oracle.lostHold(job);
      return isOurs;
    },
    settle: (job, change) =>
      carry('job.settle', async () => {
        oracle.settles(job, change, server);
        const isWritten = await jobs.settle(job, change);
        if (!isWritten && 'state' in change && change.state === 'done') oracle.fencedOut(job, server);
        return isWritten;
      }),
  };
}

export const simLeases = (world: World, server: SimServer): LeaseStore =>
  reached(world.leases, async (name, work) => {
    await server.step(`lease.${name}`);
    return work();
  });

/** One process's way to the queue, which loses all it holds, tells twice, and goes away with the mail server. */
export function simQueue(
  world: World,
  server: SimServer,
  random: () => number,
): Pick<StartOptions, 'queue' | 'sweepMs'> {
  const { queue, kernel, schedule } = world;
  if (!queue) return {};
  const own = queue.open();
  const due: DueQueue = {
    isThere: () => kernel.now >= world.mailAwayUntil,
    async put(jobs) {
      if (world.strikes(schedule.loss, 'queue lost')) queue.lose();
      if (world.strikes(schedule.storeFails, 'queue fails')) throw new Error('The queue did not answer.');
      await own.put(jobs);
    },
    take(concurrency, run) {
      own.take(concurrency, async (job) => {
        const times = world.strikes(schedule.double, 'job told twice') ? 2 : 1;
        for (let n = 0; n < times; n += 1) kernel.after(server.owner, random() * 20, () => void run(job));
      });
    },
    close: () => own.close(),
  };
  return { queue: due, ...(world.isPlain ? {} : { sweepMs: 3_000 }) };
}

export const jobPorts = (world: World, server: SimServer, random: () => number): JobPorts => ({
  now: () => server.now(),
  newId: world.newId,
  random,
  after: (delayMs, task) => world.kernel.after(server.owner, delayMs, task),
  report(problem) {
    world.hit(`job ${problem.what}`);
    world.note(server.owner.name, `job ${problem.what} ${problem.job?._id ?? ''} ${String(problem.error)}`);
    world.oracle.reported(problem);
  },
});

/** As server/channels/email/send.ts: settled already? else hand it to the mail server, then say what became of it. */
export function jobKinds(world: World, server: SimServer, random: () => number): JobKind[] {
  const { kernel, oracle } = world;
  return [
    defineJob(
      'email.send',
      v.strictObject({ eventId: v.string(), clientId: v.string() }),
      async ({ eventId }, context) => {
        oracle.begins(context, server);
        try {
          const keys = ['sent', 'failed'].map((state) => `email-delivery:${eventId}:${state}`);
          for (const key of keys) if (await server.findEvent(key)) return;
          const event = [...world.store.events.values()].find((one) => one._id === eventId);
          if (event?.kind !== 'email' || !event.conversationId) throw new AppError('not_found');
          const { messageId } = event.body as { messageId: string };
          const fails = () =>
            kernel.now < world.mailAwayUntil ||
            world.strikes(world.schedule.mailFails, `mail not taken:${server.owner.name}`);
          let state: 'sent' | 'failed' = 'sent';
          // Now and then a letter takes longer than a hold lasts without renewal.
          const partMs = random() < 0.3 ? 20_000 : random() * 600;
          for (let part = 0; part < 3; part += 1) {
            await kernel.delay(server.owner, partMs);
            oracle.works(context);
            if (context.signal.aborted) throw new Error('Told to stop.');
          }
          if (fails()) {
            if (context.attempt < bounds.letter.attempts) throw new Error('The mail server did not take it.');
            state = 'failed';
          } else {
            await context.confirmHold();
            oracle.letter(eventId, messageId, context);
            // It is out, and its mail server slow to say so: the hold may be lost by then.
            await kernel.delay(server.owner, partMs);
            if (fails()) throw new Error('The mail server’s answer was lost.');
          }
          await context.progress(0.5);
          await server.append({
            kind: 'email_delivery',
            body: { eventId, messageId, state, attempts: context.attempt },
            channel: 'email',
            direction: 'internal',
            actor: { type: 'system' },
            dedupeKey: `email-delivery:${eventId}:${state}`,
            occurredAt: server.now(),
            contactId: event.contactId,
            conversation: { id: event.conversationId },
          });
        } finally {
          oracle.ends(context, server);
        }
      },
      bounds.letter,
    ),
    defineJob('chore', v.strictObject({ what: v.string() }), async ({ what }, context) => {
      oracle.begins(context, server);
      try {
        await kernel.delay(server.owner, random() * 300);
        // What is wrong with it is put right once all else is.
        if (world.isHealed) return;
        if (what === 'hopeless') throw new AppError('not_found');
        // Whatever it is that somebody rejects with.
        if (what === 'sulky') await Promise.reject('no words');
        if (what === 'deadly') {
          world.hit('job that kills its process');
          crashServer(world, server.index, 1_000);
          await new Promise(() => {});
        }
      } finally {
        oracle.ends(context, server);
      }
    }),
  ];
}
