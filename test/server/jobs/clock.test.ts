import { afterEach, describe, expect, it, vi } from 'vitest';
import { followStoreClock, storeNow } from '../../../server/store/clock.js';
import { withStore } from '../store.js';

withStore();

afterEach(() => {
  vi.useRealTimers();
});

describe('the store’s clock', () => {
  it('is the one that counts, wherever our own is set', async () => {
    const end = await followStoreClock();
    const before = Date.now();
    expect(Math.abs(storeNow().getTime() - before)).toBeLessThan(5_000);
    vi.useFakeTimers({ toFake: ['Date'], now: before + 3_600_000 });
    expect(Date.now() - before).toBeGreaterThanOrEqual(3_600_000);
    expect(storeNow().getTime() - before).toBeLessThan(60_000);
    end();
  });

  it('is our own while nobody has asked the store', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    expect(storeNow().getTime()).toBe(1_000);
  });
});
