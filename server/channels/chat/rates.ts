import type { Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { AppError } from '../../../shared/errors.js';

/** How much a visitor may ask for. What is over is refused with the time to wait, and kept by the sender. */
export interface VisitorRates {
  /** One more new visitor from this network. @throws AppError `rate_limited` with `retryAfterMs` */
  newVisitor(network: string): Promise<void>;
  /** One more message of this browser. @throws AppError `rate_limited` */
  message(visitorId: string): Promise<void>;
  /** One more request of any kind. @throws AppError `rate_limited` */
  request(visitorId: string): Promise<void>;
  /** One more file. @throws AppError `rate_limited` */
  upload(visitorId: string): Promise<void>;
}

/** `points` in `duration` seconds. An outbox that was offline for long empties itself at once: `message` has room for it. */
const windows = {
  newVisitor: { points: 120, duration: 60 },
  message: { points: 120, duration: 10 },
  request: { points: 600, duration: 10 },
  upload: { points: 30, duration: 60 },
} as const;
type Window = keyof typeof windows;

/** With Redis all processes count new visitors together; while it is away each counts for itself. */
export function visitorRates(redis: Redis | null): VisitorRates {
  const limiter = (window: Window, shared: boolean): RateLimiterAbstract => {
    const options = { ...windows[window], keyPrefix: `chat:${window}` };
    const memory = new RateLimiterMemory(options);
    return redis && shared
      ? new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: memory })
      : memory;
  };
  const limiters: Record<Window, RateLimiterAbstract> = {
    newVisitor: limiter('newVisitor', true),
    // A browser speaks to one process: no round trip for each of its messages.
    message: limiter('message', false),
    request: limiter('request', false),
    upload: limiter('upload', true),
  };
  const take = (window: Window) => async (key: string) => {
    try {
      await limiters[window].consume(key);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new AppError('rate_limited', { retryAfterMs: Math.max(1, refused.msBeforeNext) });
    }
  };
  return {
    newVisitor: take('newVisitor'),
    message: take('message'),
    request: take('request'),
    upload: take('upload'),
  };
}

/** For benchmarks alone: nothing is counted. */
export const noRates: VisitorRates = {
  newVisitor: async () => {},
  message: async () => {},
  request: async () => {},
  upload: async () => {},
};
