import { randomBytes } from 'node:crypto';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { newId } from '../store/id.js';
import { publishNotice } from '../timeline/publish.js';
import { SessionModel, type SessionRow } from './model.js';
import {
  type AccessToken,
  isRefreshToken,
  parseRefreshToken,
  readAccessToken,
  refreshTokenFor,
  signAccessToken,
} from './tokens.js';

/** A refresh token just replaced is good for this long: two tabs that refresh at once are one browser, not a thief. */
const refreshLeewayMs = 20_000;
const refreshLifeMs = limits.refreshTokenDays * 24 * 3_600_000;

export interface Tokens {
  agentId: string;
  accessToken: string;
  refreshToken: string;
}

function tokensFor(secretKey: string, session: SessionRow): Tokens {
  const { _id: sessionId, agentId, generation, salt } = session;
  return {
    agentId,
    accessToken: signAccessToken(secretKey, { agentId, sessionId }),
    refreshToken: refreshTokenFor(secretKey, { sessionId, generation }, salt),
  };
}

/** Begins a session: always a new one, whatever the browser showed before. */
export async function openSession(secretKey: string, agentId: string, address: string): Promise<Tokens> {
  const now = new Date();
  const session: SessionRow = {
    _id: newId(),
    agentId,
    generation: 1,
    rotatedAt: now,
    salt: randomBytes(16).toString('base64url'),
    address,
    createdAt: now,
    expiresAt: new Date(now.getTime() + refreshLifeMs),
    endedAt: null,
  };
  await SessionModel.create(session);
  await dropOldSessions(agentId, now);
  return tokensFor(secretKey, session);
}

/** Sessions long over say nothing any more; an agent's list stays short. */
async function dropOldSessions(agentId: string, now: Date): Promise<void> {
  await SessionModel.deleteMany({
    agentId,
    expiresAt: { $lt: new Date(now.getTime() - refreshLifeMs) },
  });
}

/**
 * Exchanges a refresh token for the next one. A token that was exchanged before is in two hands, and nobody can tell
 * whose are the owner's: the whole session ends.
 * @throws AppError `unauthorized`
 */
export async function refreshSession(secretKey: string, token: string): Promise<Tokens> {
  const named = parseRefreshToken(token);
  if (!named) throw new AppError('unauthorized');
  const found = await SessionModel.findOne({ _id: named.sessionId }).lean();
  if (!found || !isRefreshToken(secretKey, named, found.salt) || !isOpen(found)) {
    throw new AppError('unauthorized');
  }
  const now = new Date();
  const next = await SessionModel.findOneAndUpdate(
    { _id: found._id, agentId: found.agentId, generation: named.generation, endedAt: null },
    {
      $inc: { generation: 1 },
      $set: { rotatedAt: now, expiresAt: new Date(now.getTime() + refreshLifeMs) },
    },
    { returnDocument: 'after' },
  ).lean();
  if (next) return tokensFor(secretKey, next);

  const current = await SessionModel.findOne({ _id: found._id, agentId: found.agentId }).lean();
  if (!current || !isOpen(current)) throw new AppError('unauthorized');
  const isLate = named.generation === current.generation - 1;
  if (isLate && now.getTime() - current.rotatedAt.getTime() <= refreshLeewayMs) {
    return tokensFor(secretKey, current);
  }
  await endSession(current.agentId, current._id);
  throw new AppError('unauthorized');
}

const isOpen = (session: Pick<SessionRow, 'endedAt' | 'expiresAt'>): boolean =>
  session.endedAt === null && session.expiresAt.getTime() > Date.now();

/**
 * Whose access token it is, if its session is still open.
 * @throws AppError `unauthorized`, `token_expired`
 */
export async function verifyAccessToken(secretKey: string, token: string): Promise<AccessToken> {
  const named = readAccessToken(secretKey, token);
  const session = await SessionModel.findOne(
    { _id: named.sessionId, agentId: named.agentId },
    { endedAt: 1, expiresAt: 1 },
  ).lean();
  if (!session || !isOpen(session)) throw new AppError('unauthorized');
  return named;
}

/** Signs one browser out. */
export async function endSession(agentId: string, sessionId: string): Promise<void> {
  await end(agentId, [sessionId]);
}

/** Signs an agent out everywhere, save in the browser that asked. */
export async function endSessionsOf(agentId: string, exceptSessionId?: string): Promise<void> {
  const open = await SessionModel.find({ agentId, endedAt: null }, { _id: 1 }).lean();
  await end(
    agentId,
    open.map(({ _id }) => _id).filter((id) => id !== exceptSessionId),
  );
}

async function end(agentId: string, sessionIds: readonly string[]): Promise<void> {
  if (sessionIds.length === 0) return;
  await SessionModel.updateMany(
    { _id: { $in: sessionIds }, agentId, endedAt: null },
    { $set: { endedAt: new Date() } },
  );
  // In every workspace at once, one that was just taken from the agent too.
  for (const sessionId of sessionIds) {
    publishNotice({ type: 'session-ended', workspaceId: null, agentId, sessionId });
  }
}

/**
 * Which of these sessions are over. A process asks this for its open sockets every few seconds, since a session may
 * have been ended by another process.
 */
export async function endedAmong(sessionIds: readonly string[]): Promise<Set<string>> {
  const open = await SessionModel.find(
    { _id: { $in: sessionIds }, endedAt: null, expiresAt: { $gt: new Date() } },
    { _id: 1 },
  ).lean();
  const openIds = new Set(open.map(({ _id }) => _id));
  return new Set(sessionIds.filter((id) => !openIds.has(id)));
}

/** Whether this agent has signed in from this address before. */
export async function hasSignedInFrom(agentId: string, address: string): Promise<boolean> {
  return (await SessionModel.exists({ agentId, address })) !== null;
}
