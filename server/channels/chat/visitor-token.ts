import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../../shared/errors.js';
import { limits } from '../../../shared/limits.js';

/**
 * A visitor's secret: names workspace, inbox and browser, and is a MAC over them. Whoever holds it is that browser;
 * nobody can make one from an id. Signing out deletes what it opens, so an old one opens nothing.
 */
export interface VisitorToken {
  workspaceId: string;
  inboxId: string;
  visitorId: string;
}

const keys = new Map<string, Buffer>();
function keyFor(secretKey: string): Buffer {
  const known = keys.get(secretKey);
  if (known) return known;
  const key = Buffer.from(hkdfSync('sha256', secretKey, 'threadline', 'chat/visitor-token', 32));
  keys.set(secretKey, key);
  return key;
}

const macOf = (secretKey: string, text: string): Buffer =>
  createHmac('sha256', keyFor(secretKey)).update(text).digest();

/** A token that is good for `visitorTokenDays`; each session answers with a new one. */
export function signVisitorToken(secretKey: string, named: VisitorToken, now = Date.now()): string {
  const at = Math.floor(now / 1_000).toString(36);
  const text = `v1.${named.workspaceId}.${named.inboxId}.${named.visitorId}.${at}`;
  return `${text}.${macOf(secretKey, text).toString('base64url')}`;
}

const shape = /^(v1\.([\w-]{1,64})\.([\w-]{1,64})\.([\w-]{1,64})\.([0-9a-z]{1,9}))\.([\w-]{43})$/;

/** @throws AppError `unauthorized`, `token_expired` */
export function readVisitorToken(secretKey: string, token: string, now = Date.now()): VisitorToken {
  const match = shape.exec(token);
  if (!match) throw new AppError('unauthorized');
  const [, text = '', workspaceId = '', inboxId = '', visitorId = '', at = '', mac = ''] = match;
  const given = Buffer.from(mac, 'base64url');
  const expected = macOf(secretKey, text);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new AppError('unauthorized');
  }
  const issuedMs = Number.parseInt(at, 36) * 1_000;
  if (now - issuedMs > limits.visitorTokenDays * 86_400_000) throw new AppError('token_expired');
  return { workspaceId: copyOf(workspaceId), inboxId: copyOf(inboxId), visitorId: copyOf(visitorId) };
}

/** A part that a pattern found keeps the whole text in memory, which here is a secret and longer than all its parts. */
const copyOf = (part: string): string => Buffer.from(part, 'latin1').toString('latin1');

/** Names a browser where its secret must not stand: in keys of events. */
export const visitorKey = (visitorId: string): string =>
  createHash('sha256').update(visitorId).digest('base64url').slice(0, 22);
