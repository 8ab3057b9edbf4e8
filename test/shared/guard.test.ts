import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../shared/errors.js';
import { guardShape } from '../../shared/guard.js';
import { limits } from '../../shared/limits.js';

const codeOf = (act: () => void): string => {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return error instanceof AppError ? error.code : `threw ${String(error)}`;
  }
};

/** `depth` arrays, one in another. */
const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
};

describe('guardShape', () => {
  it('takes data up to the depth limit and refuses one more', () => {
    expect(codeOf(() => guardShape(nested(limits.jsonDepth)))).toBe('accepted');
    expect(codeOf(() => guardShape(nested(limits.jsonDepth + 1)))).toBe('too_deep');
  });

  it('refuses an array nested 100,000 deep without running out of stack', () => {
    expect(codeOf(() => guardShape(nested(100_000)))).toBe('too_deep');
  });

  it('refuses keys that reach a prototype, at every depth', () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const hostile: unknown = JSON.parse(`{"a":{"b":[{"${key}":{"polluted":true}}]}}`);
      expect(codeOf(() => guardShape(hostile))).toBe('unsafe_key');
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('refuses more keys than the limit, and takes the limit', () => {
    const withKeys = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
    expect(codeOf(() => guardShape(withKeys(limits.jsonKeys)))).toBe('accepted');
    expect(codeOf(() => guardShape(withKeys(limits.jsonKeys + 1)))).toBe('too_large');
  });

  it('never throws anything but a typed error, whatever it is given', () =>
    fc.assert(
      fc.property(fc.anything({ maxDepth: 20, withNullPrototype: true }), (value) => {
        expect(codeOf(() => guardShape(value))).not.toMatch(/^threw/);
      }),
    ));
});
