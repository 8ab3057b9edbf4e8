import { describe, expect, it } from 'vitest';
import { networkOf, type SignInAttempt, throttle } from '../../../server/agents/throttle.js';
import { AppError } from '../../../shared/errors.js';

/** How many tries in a row are let through. */
async function allowed(count: number, attempt: (index: number) => Promise<void>): Promise<number> {
  let passed = 0;
  for (let index = 0; index < count; index += 1) {
    try {
      await attempt(index);
      passed += 1;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.code).toBe('rate_limited');
      expect(error.details?.retryAfterMs).toBeGreaterThan(0);
    }
  }
  return passed;
}

const stranger = (email: string, address: string): SignInAttempt => ({
  email,
  address,
  isKnownAddress: false,
});

describe('guessing passwords (G1)', () => {
  it('is slowed for one account from one address', async () => {
    const limits = throttle(null);
    const passed = await allowed(100, () => limits.beforeSignIn(stranger('owner@example.com', '192.0.2.1')));
    expect(passed).toBeLessThanOrEqual(10);
  });

  it('is slowed for one password on many accounts', async () => {
    const limits = throttle(null);
    const passed = await allowed(300, (index) =>
      limits.beforeSignIn(stranger(`agent-${index}@example.com`, '192.0.2.1')),
    );
    expect(passed).toBeLessThanOrEqual(60);
  });

  it('is slowed for one account from many addresses, yet never shuts its owner out', async () => {
    const limits = throttle(null);
    const passed = await allowed(200, (index) =>
      limits.beforeSignIn(stranger('owner@example.com', `192.0.2.${index % 250}`)),
    );
    expect(passed).toBeLessThanOrEqual(40);
    const owner = { email: 'owner@example.com', address: '198.51.100.7', isKnownAddress: true };
    await limits.beforeSignIn(owner);
  });

  it('gives back what a right password used up', async () => {
    const limits = throttle(null);
    const owner = stranger('owner@example.com', '192.0.2.1');
    const passed = await allowed(200, async () => {
      await limits.beforeSignIn(owner);
      await limits.afterSignIn(owner);
    });
    expect(passed).toBe(200);
  });

  it('counts an IPv6 network as one address', () => {
    expect(networkOf('2001:db8:1:2::1')).toBe(networkOf('2001:db8:1:2:ffff:ffff:ffff:ffff'));
    expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'));
    expect(networkOf('::1')).toBe('0:0:0:0::/64');
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  });

  it('sends a mailbox at most three reset mails an hour', async () => {
    const limits = throttle(null);
    const sent = [];
    for (let index = 0; index < 6; index += 1) sent.push(await limits.mayMail('owner@example.com'));
    expect(sent).toEqual([true, true, true, false, false, false]);
  });
});
