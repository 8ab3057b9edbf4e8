import { once } from 'node:events';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inHandfuls } from '../../../server/channels/chat/handfuls.js';
import { type VisitorRates, visitorRates } from '../../../server/channels/chat/rates.js';
import { openRedis, type RedisLink } from '../../../server/redis.js';
import { AppError } from '../../../shared/errors.js';
import { type RedisProcess, startRedis } from '../../faults/cluster.js';

/** How many of them were let through, in the order in which they came; each of the others was told how long to wait. */
async function letThrough(tries: number, attempt: (n: number) => Promise<void>): Promise<number> {
  let through = 0;
  for (let n = 0; n < tries; n += 1) {
    try {
      await attempt(n);
      through += 1;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.code).toBe('rate_limited');
      expect(error.details?.retryAfterMs).toBeGreaterThan(0);
    }
  }
  return through;
}

/** Browsers enough that none of them is over its own limit. */
const browser = (n: number, inboxId: string, workspaceId = 'w') => ({
  visitorId: `${inboxId}-${Math.floor(n / 100)}`,
  inboxId,
  workspaceId,
});

describe('how much a visitor may ask for', () => {
  it('is counted by browser first, and what one sends too much is not held against the others', async () => {
    const rates = visitorRates(null);
    expect(await letThrough(6_000, () => rates.message(browser(0, 'i')))).toBe(120);
    expect(await letThrough(100, () => rates.message(browser(100, 'i')))).toBe(100);
  });

  it('is counted by inbox and by workspace, against many that act as one', async () => {
    const rates = visitorRates(null);
    expect(await letThrough(5_100, (n) => rates.message(browser(n, 'i1')))).toBe(5_000);
    expect(await letThrough(4_900, (n) => rates.message(browser(n, 'i2')))).toBe(4_900);
    expect(await letThrough(300, (n) => rates.message(browser(n, 'i3')))).toBe(100);
    expect(await letThrough(300, (n) => rates.message(browser(n, 'i4', 'another')))).toBe(300);
  });

  it('is counted for new visitors by network and by inbox, and for those who come back by neither', async () => {
    const rates = visitorRates(null);
    expect(await letThrough(500, () => rates.newVisitor('i', '192.0.2.1'))).toBe(120);
    expect(await letThrough(7_000, (n) => rates.newVisitor('i', `network-${n}`))).toBe(6_000 - 120);
    expect(await letThrough(100, (n) => rates.newVisitor('another', `network-${n}`))).toBe(100);
    expect(await letThrough(1_000, (n) => rates.request(`one-of-the-office-${n}`))).toBe(1_000);
  });

  it('is counted for files by browser and by workspace', async () => {
    const rates = visitorRates(null);
    expect(await letThrough(40, () => rates.upload(browser(0, 'i')))).toBe(30);
    const many = (n: number) => rates.upload({ ...browser(0, 'i'), visitorId: `many-${Math.floor(n / 30)}` });
    expect(await letThrough(3_100, many)).toBe(3_000 - 30);
  });
});

describe('a handful', () => {
  it('is asked for once by all who come together, and never goes over', async () => {
    const limiter = new RateLimiterMemory({ points: 100, duration: 60 });
    let asked = 0;
    const consume = limiter.consume.bind(limiter);
    limiter.consume = (key, points) => {
      asked += 1;
      return consume(key, points);
    };
    const take = inHandfuls(limiter, 50);
    const outcomes = await Promise.allSettled(Array.from({ length: 130 }, () => take('one')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    expect(asked).toBeLessThan(40);
    await take('another');
  });
});

describe('with Redis', () => {
  let redis: RedisProcess;
  let links: RedisLink[];
  let processes: VisitorRates[];
  beforeAll(async () => {
    redis = await startRedis();
    links = [openRedis(redis.url), openRedis(redis.url)];
    for (const { client, isThere } of links) if (!isThere()) await once(client, 'ready');
    processes = links.map((link) => visitorRates(link.client));
  });
  afterAll(async () => {
    for (const link of links) link.close();
    await redis.remove();
  });
  const either = (n: number): VisitorRates => processes[n % 2] as VisitorRates;

  it('processes count together', async () => {
    expect(await letThrough(200, (n) => either(n).newVisitor('i', '192.0.2.1'))).toBe(120);
    expect(await letThrough(40, (n) => either(n).upload(browser(0, 'i')))).toBe(30);
    const messages = await letThrough(5_200, (n) => either(n).message(browser(n, 'i')));
    expect(messages).toBeLessThanOrEqual(5_000);
    expect(messages).toBeGreaterThanOrEqual(4_900);
  });

  it('that goes away stops nobody: each process counts for itself until it is back', async () => {
    await redis.kill();
    expect(await letThrough(200, () => either(0).newVisitor('i', '192.0.2.2'))).toBe(120);
    expect(await letThrough(100, (n) => either(0).message(browser(n, 'i2')))).toBe(100);
  });
});
