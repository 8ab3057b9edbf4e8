import { createHash } from 'node:crypto';
import Bull from 'bull';
import type { Redis, RedisOptions } from 'ioredis';
import type { DueJob, DueQueue } from './ports.js';
import { systemJobPorts } from './system.js';

/** What Redis keeps of a job: its name, and nothing of what it is about. */
type Told = Pick<DueJob, 'workspaceId' | 'name' | 'key'>;

interface BullOptions {
  isThere: () => boolean;
  /** One more connection, whose commands wait until Redis is back. */
  connect: (options?: RedisOptions) => Redis;
  /** Told of what Bull could not do. */
  onError: (error: Error) => void;
}

/** How long a stop waits for Redis. */
const closeWithinMs = 1_000;

/** The queue in Redis, by Bull. Attempts, back-off and who may run a job are the runner's; Bull waits and tells. */
export function bullQueue({ isThere, connect, onError }: BullOptions): DueQueue {
  const queue = new Bull<Told>('jobs', {
    prefix: 'threadline',
    createClient: (type) =>
      // Bull takes connections that block or subscribe only when they do not ask whether Redis is ready.
      type === 'client' ? connect() : connect({ enableReadyCheck: false, maxRetriesPerRequest: null }),
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  queue.on('error', onError);

  return {
    isThere,
    async put(jobs) {
      if (!isThere()) throw new Error('Redis is away.');
      const now = systemJobPorts.now().getTime();
      await queue.addBulk(
        jobs.map((job) => ({
          data: { workspaceId: job.workspaceId, name: job.name, key: job.key },
          opts: { jobId: idOf(job), delay: Math.max(0, job.dueAt.getTime() - now) },
        })),
      );
    },
    take(concurrency, run) {
      queue.process(concurrency, (told) => run(told.data)).catch(onError);
    },
    async close() {
      const closed = queue.close(true).catch(onError);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, closeWithinMs);
      });
      await Promise.race([closed, late]);
      clearTimeout(timer);
    },
  };
}

/** One for each wait of a job: put again while it is there it is the same. */
const idOf = ({ workspaceId, name, key, attempts }: DueJob): string =>
  createHash('sha256')
    .update(JSON.stringify([workspaceId, name, key, attempts]))
    .digest('base64url');
