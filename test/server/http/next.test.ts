import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownPath } from '../../../server/http/next.js';

describe('A12: where to go next', () => {
  it.each([
    '//evil.io',
    '/\\evil.io',
    '\\\\evil.io',
    'https:evil.io',
    'https://evil.io',
    'javascript:alert(1)',
    '/\t/evil.io',
    '/%0a\n//evil.io',
    '',
    ' /x',
    undefined,
    ['/x'],
    { $gt: '' },
  ])('is never %j', (next) => {
    expect(ownPath(next, '/home')).toBe('/home');
  });

  it.each(['/', '/demo', '/demo?lang=ru#bikes', '/a/b%2fc'])('may be %s', (next) => {
    expect(ownPath(next)).toBe(next);
  });

  it('stays on this origin whatever is asked for', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `/${text}`),
        ),
        (next) => {
          expect(new URL(ownPath(next), 'https://own.example').origin).toBe('https://own.example');
        },
      ),
      { numRuns: 500 },
    );
  });
});
