import { describe, expect, it } from 'vitest';
import { authenticate } from '../../../server/channels/email/authenticate.js';
import { letter } from './fixtures.js';

const trustedHost = 'mx.kestrel.example';

/** A letter from nina@tidewater.example and what is believed of it: `dmarc`, or why it is not. */
const cases: Record<string, string> = {
  'dmarc-pass': 'dmarc',
  'dmarc-pass-below-own-received': 'dmarc',
  'dmarc-fail': 'dmarc_fail',
  'dmarc-absent': 'dmarc_none',
  'dmarc-none': 'dmarc_none',
  'no-results': 'no_results',
  'forged-results-inside': 'dmarc_fail',
  'dmarc-pass-above-a-scanner': 'dmarc',
  'dmarc-pass-below-a-scanner': 'dmarc',
  'forged-results-with-forged-hop': 'dmarc_none',
  'forged-results-below-own-results': 'dmarc_none',
  'forged-hop-called-localhost': 'dmarc_none',
  'forged-hop-called-loopback': 'dmarc_none',
  'forged-results-below-foreign-hop': 'no_results',
  'forged-results-below-sender-headers': 'no_results',
  'results-of-another-host': 'no_results',
  'results-of-a-look-alike-host': 'no_results',
  'pass-inside-a-comment': 'dmarc_fail',
  'pass-inside-quotes': 'dmarc_none',
  'two-verdicts': 'dmarc_fail',
  'pass-for-another-domain': 'dmarc_unaligned',
  'pass-for-a-parent-domain': 'dmarc_unaligned',
  'proved-but-two-from': 'several_from',
  'proved-but-name-is-address': 'name_is_address',
};

describe('a sender', () => {
  it.each(Object.entries(cases))('E1: %s -> %s', async (name, expected) => {
    const { headers, from } = await letter(name);
    const proof = authenticate(headers, from, { trustedHost });
    expect(proof).toEqual(
      expected === 'dmarc'
        ? { verified: true, method: 'dmarc' }
        : { verified: false, method: 'none', reason: expected },
    );
  });

  it('is proved by nobody when no host is trusted', async () => {
    const { headers, from } = await letter('dmarc-pass');
    expect(authenticate(headers, from, {})).toMatchObject({ verified: false, reason: 'no_trusted_host' });
  });

  it('is proved by the operator who answers for it, unless it is unclear who it is', async () => {
    const { headers, from } = await letter('dmarc-fail');
    expect(authenticate(headers, from, { trustedHost, vouch: true })).toEqual({
      verified: true,
      method: 'agent',
    });
    const unclear = await letter('two-from-lines');
    expect(authenticate(unclear.headers, unclear.from, { vouch: true })).toMatchObject({ verified: false });
  });

  it('keeps the better proof of the two', async () => {
    const { headers, from } = await letter('dmarc-pass');
    expect(authenticate(headers, from, { trustedHost, vouch: true }).method).toBe('dmarc');
  });
});
