import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import {
  isRefreshToken,
  linkToken,
  parseRefreshToken,
  readAccessToken,
  refreshTokenFor,
  signAccessToken,
} from '../../../server/agents/tokens.js';
import { AppError } from '../../../shared/errors.js';

const secretKey = 'k'.repeat(40);
const who = { agentId: 'agent-1', sessionId: 'session-1' };

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof AppError ? error.code : 'other';
  }
};

describe('access tokens', () => {
  it('name their agent and session', () => {
    expect(readAccessToken(secretKey, signAccessToken(secretKey, who))).toEqual(who);
  });

  it('are refused when anything about them is another', () => {
    const token = signAccessToken(secretKey, who);
    const [header = '', payload = '', signature = ''] = token.split('.');
    const claims = jwt.decode(token, { json: true }) ?? {};
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const forged = [
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${Buffer.from(JSON.stringify({ ...claims, sub: 'agent-2' })).toString('base64url')}.${signature}`,
      jwt.sign({ sid: 's' }, secretKey, { subject: 'agent-1', audience: 'threadline:agents', expiresIn: 60 }),
      signAccessToken('another key, long enough to be one', who),
      jwt.sign(claims, secretKey, { algorithm: 'HS512' }),
      '',
      'a.b.c',
      'x'.repeat(100_000),
    ];
    for (const one of forged) expect(codeOf(() => readAccessToken(secretKey, one))).toBe('unauthorized');
  });

  it('are not taken for a refresh token or a link, nor those for one', () => {
    const refresh = refreshTokenFor(secretKey, { sessionId: 'session-1', generation: 1 }, 'salt');
    expect(codeOf(() => readAccessToken(secretKey, refresh))).toBe('unauthorized');
    expect(codeOf(() => readAccessToken(secretKey, linkToken(secretKey, 'reset', 'x')))).toBe('unauthorized');
    expect(parseRefreshToken(signAccessToken(secretKey, who))).toBeNull();
  });
});

describe('refresh tokens', () => {
  const named = { sessionId: 'session-1', generation: 4 };
  const accepted = (token: string, salt = 'salt') => {
    const parsed = parseRefreshToken(token);
    return parsed !== null && isRefreshToken(secretKey, parsed, salt);
  };

  it('are good for their session, generation and salt only', () => {
    const token = refreshTokenFor(secretKey, named, 'salt');
    expect(accepted(token)).toBe(true);
    expect(accepted(token, 'pepper')).toBe(false);
    expect(accepted(token.replace('.4.', '.5.'))).toBe(false);
    expect(accepted(token.replace('session-1', 'session-2'))).toBe(false);
    expect(accepted(refreshTokenFor('another key, long enough to be one', named, 'salt'))).toBe(false);
    for (const other of ['', '.', '..', 'a.b.c', `${token}x`, token.slice(0, -1)])
      expect(accepted(other)).toBe(false);
  });
});
