import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bullQueue } from '../../../server/jobs/bull.js';
import { defineJob } from '../../../server/jobs/define.js';
import { JobModel } from '../../../server/jobs/model.js';
import { enqueue, listDead, retryDead, startJobs } from '../../../server/jobs/queue.js';
import { openRedis, type RedisLink } from '../../../server/redis.js';
import { AppError } from '../../../shared/errors.js';
import { type RedisProcess, startRedis } from '../../faults/cluster.js';
import { aCompany, withStore } from '../store.js';

withStore();

let redis: RedisProcess;
let link: RedisLink;
const stops: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  redis = await startRedis();
  link = openRedis(redis.url);
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(async () => {
  link?.close();
  await redis?.remove();
});

let names = 0;
const aName = () => `bull.${++names}`;
const Payload = v.strictObject({ text: v.string() });
const until = { timeout: 30_000, interval: 20 };

/** Two processes as far as jobs go: each its own runner and its own Bull. What ran, by the text of its payload. */
function twoRunners(name: string, work: (text: string) => Promise<void> = async () => {}) {
  const ran: string[] = [];
  for (const who of ['a', 'b']) {
    const jobs = startJobs(
      [
        defineJob(
          name,
          Payload,
          async ({ text }) => {
            ran.push(`${who} ${text}`);
            await work(text);
          },
          { backoffMs: 20 },
        ),
      ],
      {
        report: () => {},
        queue: bullQueue({ ...link, onError: () => {} }),
        pollMs: 100,
        sweepMs: 200,
      },
    );
    stops.push(() => jobs.stop());
  }
  return { ran, texts: () => ran.map((line) => line.slice(2)).toSorted() };
}
const done = (workspaceId: string) => JobModel.countDocuments({ workspaceId, state: 'done' });

describe('jobs through Redis', () => {
  it('run once each, shared by the processes', async () => {
    const { scope } = await aCompany();
    const name = aName();
    const { ran, texts } = twoRunners(name, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
    const all = Array.from({ length: 40 }, (_, n) => `job ${String(n).padStart(2, '0')}`);
    await Promise.all(all.map((text) => enqueue(scope, name, { text }, { key: text })));
    await expect.poll(() => done(scope.workspaceId), until).toBe(40);
    expect(texts()).toEqual(all);
    expect(new Set(ran.map((line) => line[0])).size).toBe(2);
  });

  it('wait for their time, fail, wait again, and end with the dead letters, from where they may go again', async () => {
    const { scope } = await aCompany();
    const name = aName();
    let works = false;
    const { texts } = twoRunners(name, async (text) => {
      if (text === 'hopeless' && !works) throw new AppError('not_found');
    });
    const began = Date.now();
    await enqueue(scope, name, { text: 'later' }, { key: 'later', dueAt: new Date(began + 500) });
    await enqueue(scope, name, { text: 'hopeless' }, { key: 'hopeless' });
    await expect.poll(() => done(scope.workspaceId), until).toBe(1);
    expect(Date.now() - began).toBeGreaterThanOrEqual(500);
    const [dead] = await listDead(scope);
    expect(dead).toMatchObject({ key: 'hopeless', attempts: 1 });
    works = true;
    await retryDead(scope, dead?._id ?? '');
    await expect.poll(() => done(scope.workspaceId), until).toBe(2);
    expect(texts()).toEqual(['hopeless', 'hopeless', 'later']);
  });

  it('survive a Redis that comes back empty, and one that is away', async () => {
    const { scope } = await aCompany();
    const name = aName();
    const { texts } = twoRunners(name);
    const soon = new Date(Date.now() + 1_000);
    await enqueue(scope, name, { text: 'forgotten by Redis' }, { key: '1', dueAt: soon });
    await redis.restart();
    await expect.poll(() => done(scope.workspaceId), until).toBe(1);
    await redis.kill();
    await enqueue(scope, name, { text: 'without Redis' }, { key: '2' });
    await expect.poll(() => done(scope.workspaceId), until).toBe(2);
    await redis.restart();
    await expect.poll(() => link.isThere(), until).toBe(true);
    await enqueue(scope, name, { text: 'with Redis again' }, { key: '3' });
    await expect.poll(() => done(scope.workspaceId), until).toBe(3);
    expect(texts()).toEqual(['forgotten by Redis', 'with Redis again', 'without Redis']);
  });

  it('leave nothing of what they are about in Redis, nor anything that is due much later', async () => {
    const { scope } = await aCompany();
    const name = aName();
    twoRunners(name);
    const inAnHour = new Date(Date.now() + 3_600_000);
    const inAMinute = new Date(Date.now() + 60_000);
    await enqueue(scope, name, { text: 'a secret' }, { key: 'in an hour', dueAt: inAnHour });
    await enqueue(scope, name, { text: 'a secret' }, { key: 'in a minute', dueAt: inAMinute });
    const kept = async () => {
      const keys = await link.client.keys('threadline:*');
      const values = await Promise.all(
        keys.map(async (key) =>
          (await link.client.type(key)) === 'hash' ? JSON.stringify(await link.client.hgetall(key)) : key,
        ),
      );
      return values.join('\n');
    };
    await expect.poll(kept, until).toContain('in a minute');
    expect(await kept()).not.toContain('in an hour');
    expect(await kept()).not.toContain('a secret');
  });
});
