import { describe, expect, it } from 'vitest';
import { isOriginAllowed } from '../../../server/channels/chat/origins.js';
import { readVisitorToken, signVisitorToken } from '../../../server/channels/chat/visitor-token.js';

const secretKey = 'a-secret-key-of-at-least-32-characters';
const named = { workspaceId: 'w1', inboxId: 'i1', visitorId: 'abcDEF-_123' };

describe("a visitor's secret", () => {
  it('names workspace, inbox and browser', () => {
    expect(readVisitorToken(secretKey, signVisitorToken(secretKey, named))).toEqual(named);
  });

  it('W1: cannot be made from an id, changed in any place, or signed with another key', () => {
    const token = signVisitorToken(secretKey, named);
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === 'x' ? 'y' : 'x';
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      // The last character of a MAC holds two bits that say nothing.
      if (at === token.length - 1) continue;
      expect(() => readVisitorToken(secretKey, changed)).toThrow(
        expect.objectContaining({ code: 'unauthorized' }),
      );
    }
    const foreign = signVisitorToken('another-secret-key-of-32-characters!!', named);
    for (const text of [foreign, '', 'v1', token.slice(0, -1), `${token}x`, token.replace('v1', 'v2')]) {
      expect(() => readVisitorToken(secretKey, text)).toThrow(
        expect.objectContaining({ code: 'unauthorized' }),
      );
    }
  });

  it('ends after 400 days', () => {
    const token = signVisitorToken(secretKey, named, 0);
    const day = 86_400_000;
    expect(readVisitorToken(secretKey, token, 400 * day)).toEqual(named);
    expect(() => readVisitorToken(secretKey, token, 400 * day + 1_000)).toThrow(
      expect.objectContaining({ code: 'token_expired' }),
    );
  });
});

describe('S2, A11: allowed origins', () => {
  const allowed = ['https://shop.example', 'https://*.example.org', 'http://localhost:3000'];

  it.each([
    'https://shop.example',
    'https://SHOP.example',
    'https://a.example.org',
    'https://a.b.example.org',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('admit %s', (origin) => {
    expect(isOriginAllowed(allowed, origin)).toBe(true);
  });

  it.each([
    'https://evil.io',
    'null',
    '',
    'https://shop.example.evil.io',
    'https://evilshop.example',
    'http://shop.example',
    'https://shop.example:8443',
    'https://example.org',
    'https://evilexample.org',
    'https://example.org.evil.io',
    'https://shop.example/path',
    'https://user@shop.example',
    'http://localhost:3001',
    'https://localhost:3000',
    'http://localhost.evil.io:3000',
    'file://',
    'javascript:alert(1)',
  ])('refuse %j', (origin) => {
    expect(isOriginAllowed(allowed, origin)).toBe(false);
  });

  it('admit all, save what is no site, only where somebody wrote a star', () => {
    expect(isOriginAllowed(['*'], 'https://evil.io')).toBe(true);
    expect(isOriginAllowed(['*'], 'null')).toBe(false);
    expect(isOriginAllowed([], 'https://shop.example')).toBe(false);
  });
});
