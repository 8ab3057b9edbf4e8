import {
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import jwt from 'jsonwebtoken';
import * as v from 'valibot';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { Id } from '../../shared/text.js';

/** One secret signs many kinds of token. Each kind has a key of its own, so that none is ever taken for another. */
type Purpose = 'access-token' | 'refresh-token' | 'link';

/** Made once: of bytes, the library tries to make a public key at each look first, which costs more than all the rest. */
const keys = new Map<string, KeyObject>();

function keyFor(secretKey: string, purpose: Purpose): KeyObject {
  const name = `${purpose} ${secretKey}`;
  const known = keys.get(name);
  if (known) return known;
  const bytes = hkdfSync('sha256', secretKey, 'threadline', `agents/${purpose}`, 32);
  const key = createSecretKey(Buffer.from(bytes));
  keys.set(name, key);
  return key;
}

const audience = 'threadline:agents';
const AccessClaims = v.object({ sub: Id, sid: Id, exp: v.number() });

export interface AccessToken {
  agentId: string;
  sessionId: string;
}

export function signAccessToken(secretKey: string, { agentId, sessionId }: AccessToken): string {
  return jwt.sign({ sid: sessionId }, keyFor(secretKey, 'access-token'), {
    algorithm: 'HS256',
    audience,
    subject: agentId,
    expiresIn: limits.accessTokenSeconds,
  });
}

/**
 * Whose token it is, by its signature alone; whether its session is still open is asked elsewhere.
 * @throws AppError `unauthorized`, `token_expired`
 */
export function readAccessToken(secretKey: string, token: string): AccessToken {
  if (token.length > limits.tokenBytes) throw new AppError('unauthorized');
  try {
    const claims = v.parse(
      AccessClaims,
      jwt.verify(token, keyFor(secretKey, 'access-token'), { algorithms: ['HS256'], audience }),
    );
    return { agentId: claims.sub, sessionId: claims.sid };
  } catch (error) {
    if (error instanceof jwt.TokenExpiredError) throw new AppError('token_expired');
    throw new AppError('unauthorized', undefined, { cause: error });
  }
}

export interface RefreshToken {
  sessionId: string;
  generation: number;
}

function refreshMac(secretKey: string, { sessionId, generation }: RefreshToken, salt: string): string {
  return createHmac('sha256', keyFor(secretKey, 'refresh-token'))
    .update(`${sessionId}.${generation}.${salt}`)
    .digest('base64url');
}

/**
 * A refresh token names its session and its generation, and is a MAC over both. The next one is therefore always the
 * same: a browser whose answer was lost on the way can ask again and gets that very token, without the server having
 * to keep any.
 */
export function refreshTokenFor(secretKey: string, named: RefreshToken, salt: string): string {
  return `${named.sessionId}.${named.generation}.${refreshMac(secretKey, named, salt)}`;
}

/** The session and generation that a refresh token names, not checked yet; null when it is none. */
export function parseRefreshToken(token: string): (RefreshToken & { mac: string }) | null {
  const match = /^([0-9a-zA-Z_-]{1,64})\.(\d{1,9})\.([0-9a-zA-Z_-]{43})$/.exec(token);
  if (!match) return null;
  const [, sessionId = '', generation = '', mac = ''] = match;
  return { sessionId, generation: Number(generation), mac };
}

export function isRefreshToken(
  secretKey: string,
  named: RefreshToken & { mac: string },
  salt: string,
): boolean {
  return sameText(named.mac, refreshMac(secretKey, named, salt));
}

/**
 * The token of a link, made from the link's id: a job can be handed the id and make the token when it sends the mail,
 * so that no job, log or backup holds one.
 */
export function linkToken(secretKey: string, kind: string, linkId: string): string {
  return createHmac('sha256', keyFor(secretKey, 'link')).update(`${kind}:${linkId}`).digest('base64url');
}

export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
