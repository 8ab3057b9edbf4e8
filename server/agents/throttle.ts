import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { AppError } from '../../shared/errors.js';

/**
 * Slows the guessing of passwords and tokens, by address and by account. An account is never closed: whoever tries
 * against it from elsewhere is slowed, while an address from which its owner has signed in before has an allowance of
 * its own, and a reset link always works.
 */
export interface Throttle {
  /** Counts one try at a password. @throws AppError `rate_limited` with `retryAfterMs` */
  beforeSignIn(attempt: SignInAttempt): Promise<void>;
  /** Gives back what a right password had used up. */
  afterSignIn(attempt: SignInAttempt): Promise<void>;
  /** Counts one try at a link or one request for mail, by address. @throws AppError `rate_limited` */
  beforeLink(address: string): Promise<void>;
  /** Whether one more reset mail may go to this account: a stranger must not fill somebody's mailbox. */
  mayMail(email: string): Promise<boolean>;
}

export interface SignInAttempt {
  email: string;
  address: string;
  /** This account has signed in from this address before. */
  isKnownAddress: boolean;
}

const windows = {
  /** One password tried on many accounts. */
  address: { points: 60, duration: 600 },
  /** Many passwords tried on one account, from one address. */
  pair: { points: 10, duration: 600 },
  /** Many passwords tried on one account, from many addresses that its owner never used. */
  account: { points: 40, duration: 900 },
  link: { points: 30, duration: 600 },
  mail: { points: 3, duration: 3_600 },
} as const;
type Window = keyof typeof windows;

/** With Redis all processes count together; while it is away each counts for itself. */
export function throttle(redis: Redis | null): Throttle {
  const limiter = (window: Window): RateLimiterAbstract => {
    const options = { ...windows[window], keyPrefix: `agents:${window}` };
    const memory = new RateLimiterMemory(options);
    return redis
      ? new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: memory })
      : memory;
  };
  const limiters: Record<Window, RateLimiterAbstract> = {
    address: limiter('address'),
    pair: limiter('pair'),
    account: limiter('account'),
    link: limiter('link'),
    mail: limiter('mail'),
  };

  const keysOf = ({ email, address, isKnownAddress }: SignInAttempt): [Window, string][] => {
    const network = networkOf(address);
    return [
      ['address', network],
      ['pair', short(`${email} ${network}`)],
      ...(isKnownAddress ? [] : [['account', short(email)] satisfies [Window, string]]),
    ];
  };

  return {
    async beforeSignIn(attempt) {
      for (const [window, key] of keysOf(attempt)) await take(limiters[window], key);
    },
    async afterSignIn(attempt) {
      for (const [window, key] of keysOf(attempt)) {
        if (window === 'pair') await limiters.pair.delete(key);
        else await limiters[window].reward(key, 1);
      }
    },
    beforeLink: (address) => take(limiters.link, networkOf(address)),
    async mayMail(email) {
      try {
        await limiters.mail.consume(short(email));
        return true;
      } catch (refused) {
        if (refused instanceof RateLimiterRes) return false;
        throw refused;
      }
    },
  };
}

async function take(limiter: RateLimiterAbstract, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    throw new AppError('rate_limited', { retryAfterMs: refused.msBeforeNext });
  }
}

/** Keys of one length, whatever somebody typed. */
const short = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Whoever has one IPv6 address has 2^64 of them: they count as one. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [left = '', right = ''] = plain.split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === '' ? [] : right.split(':');
  const filled = plain.includes('::')
    ? [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'), ...after]
    : before;
  return `${filled
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
