import type { RateLimiterAbstract } from 'rate-limiter-flexible';

/** What one process took of a window and has not spent. */
interface Hand {
  left: number;
  /** By the monotonic clock: when its window ends. */
  until: number;
  asking: Promise<void> | null;
}

const keysAtMost = 10_000;

/**
 * Counts for all processes together without asking for each: takes `size` points at a time and spends them here. What is
 * not spent when the window ends is lost with it, so a limit may be reached early by a handful a process, never late.
 * The returned function rejects as the limiter does.
 */
export function inHandfuls(limiter: RateLimiterAbstract, size: number): (key: string) => Promise<void> {
  const hands = new Map<string, Hand>();

  function handOf(key: string): Hand {
    const known = hands.get(key);
    if (known) return known;
    if (hands.size >= keysAtMost) {
      const now = performance.now();
      for (const [old, { until, asking }] of hands) if (until < now && !asking) hands.delete(old);
    }
    const hand: Hand = { left: 0, until: 0, asking: null };
    hands.set(key, hand);
    return hand;
  }

  return async (key) => {
    const hand = handOf(key);
    while (hand.left === 0 || hand.until <= performance.now()) {
      // Those who come while it is asked for wait for the same handful.
      hand.asking ??= limiter
        .consume(key, size)
        .then(({ msBeforeNext }) => {
          hand.left = size;
          hand.until = performance.now() + msBeforeNext;
        })
        .finally(() => {
          hand.asking = null;
        });
      await hand.asking;
    }
    hand.left -= 1;
  };
}
