import type { Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { AppError } from '../../../shared/errors.js';
import { inHandfuls } from './handfuls.js';
import type { VisitorToken } from './visitor-token.js';

/** Where a visitor writes: what its requests count against. */
type Writer = Pick<VisitorToken, 'visitorId' | 'inboxId' | 'workspaceId'>;

/**
 * How much visitors may ask for. What is over is refused with the time to wait, and kept by the sender. A visitor who
 * comes back counts against nobody but itself: a whole office that reconnects shares one address.
 */
export interface VisitorRates {
  /** One more new visitor of this inbox, from this network. @throws AppError `rate_limited` with `retryAfterMs` */
  newVisitor(inboxId: string, network: string): Promise<void>;
  /** One more message of this browser, and of its inbox and workspace. @throws AppError `rate_limited` */
  message(writer: Writer): Promise<void>;
  /** One more request of any kind. @throws AppError `rate_limited` */
  request(visitorId: string): Promise<void>;
  /** One more file of this browser, and of its workspace. @throws AppError `rate_limited` */
  upload(writer: Writer): Promise<void>;
}

/** `points` in `duration` seconds. An outbox that was offline for long empties itself at once: `message` has room for it. */
const windows = {
  newVisitor: { points: 120, duration: 60 },
  message: { points: 120, duration: 10 },
  request: { points: 600, duration: 10 },
  upload: { points: 30, duration: 60 },
  // Far above what the busiest site does: these are against many addresses and many visitors that act as one.
  inboxNewVisitor: { points: 6_000, duration: 60 },
  inboxMessage: { points: 5_000, duration: 10 },
  workspaceMessage: { points: 10_000, duration: 10 },
  workspaceUpload: { points: 3_000, duration: 60 },
} as const;
type Window = keyof typeof windows;

/** What is counted for whole inboxes and workspaces is taken from Redis this many at a time. */
const handful = 50;

/** With Redis all processes count together, save what a browser asks of the one process it speaks to. */
export function visitorRates(redis: Redis | null): VisitorRates {
  const limiter = (window: Window): RateLimiterAbstract => {
    const options = { ...windows[window], keyPrefix: `chat:${window}` };
    const memory = new RateLimiterMemory(options);
    // While Redis is away each process counts for itself.
    return redis
      ? new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: memory })
      : memory;
  };
  const ofProcess = (window: Window): Take => {
    const memory = new RateLimiterMemory({ ...windows[window], keyPrefix: `chat:${window}` });
    return refusing((key) => memory.consume(key));
  };
  const exactly = (window: Window): Take => {
    const counted = limiter(window);
    return refusing((key) => counted.consume(key));
  };
  const ofMany = (window: Window): Take => refusing(inHandfuls(limiter(window), handful));

  const take: Record<Window, Take> = {
    newVisitor: exactly('newVisitor'),
    // A browser speaks to one process: no round trip for each of its messages.
    message: ofProcess('message'),
    request: ofProcess('request'),
    upload: exactly('upload'),
    inboxNewVisitor: ofMany('inboxNewVisitor'),
    inboxMessage: ofMany('inboxMessage'),
    workspaceMessage: ofMany('workspaceMessage'),
    workspaceUpload: ofMany('workspaceUpload'),
  };
  return {
    async newVisitor(inboxId, network) {
      await take.newVisitor(network);
      await take.inboxNewVisitor(inboxId);
    },
    // Its own limit first: what one browser sends too much is not held against the others.
    async message({ visitorId, inboxId, workspaceId }) {
      await take.message(visitorId);
      await take.inboxMessage(inboxId);
      await take.workspaceMessage(workspaceId);
    },
    request: take.request,
    async upload({ visitorId, workspaceId }) {
      await take.upload(visitorId);
      await take.workspaceUpload(workspaceId);
    },
  };
}

type Take = (key: string) => Promise<void>;

/** @throws AppError `rate_limited` with `retryAfterMs` where the limiter refuses */
const refusing =
  (consume: (key: string) => Promise<unknown>): Take =>
  async (key) => {
    try {
      await consume(key);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new AppError('rate_limited', { retryAfterMs: Math.max(1, refused.msBeforeNext) });
    }
  };

/** For benchmarks alone: nothing is counted. */
export const noRates: VisitorRates = {
  newVisitor: async () => {},
  message: async () => {},
  request: async () => {},
  upload: async () => {},
};
