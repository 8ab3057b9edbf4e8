import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { inTransaction } from '../store/transaction.js';
import { addressOf, findLink, type LinkDeps, makeLink, revokeLinks, useLink } from './links.js';
import { AgentModel, type LinkRow } from './model.js';
import { hashPassword, isPassword } from './passwords.js';
import { endSessionsOf } from './sessions.js';

/** A reset link for an agent; older ones stop working. Null when nobody has that address. */
export async function makeResetLink(deps: LinkDeps, email: string): Promise<LinkRow | null> {
  const agent = await AgentModel.findOne({ email }, { _id: 1 }).lean();
  if (!agent) return null;
  await revokeLinks('reset', { agentId: agent._id });
  return makeLink(deps, 'reset', limits.passwordResetMinutes * 60_000, { agentId: agent._id, email });
}

/**
 * The same, as an address to hand over, for who has the server's command line.
 * @throws AppError `not_found`
 */
export async function resetAddress(deps: LinkDeps, email: string): Promise<string> {
  const link = await makeResetLink(deps, email);
  if (!link) throw new AppError('not_found', { email });
  return addressOf(deps, link);
}

/**
 * Sets a new password by a link and signs the agent out everywhere.
 * @returns the agent's id
 * @throws AppError `link_used`
 */
export async function resetPassword(given: { token: string; password: string }): Promise<string> {
  const link = await findLink('reset', given.token);
  const { agentId } = link;
  if (agentId === null) throw new AppError('link_used');
  const passwordHash = await hashPassword(given.password);
  await inTransaction(async (session) => {
    await useLink(link, session);
    await AgentModel.updateOne({ _id: agentId }, { $set: { passwordHash } }, { session });
  });
  await endSessionsOf(agentId);
  return agentId;
}

/**
 * Changes the password of somebody who knows it. Every other browser is signed out, and reset links stop working.
 * @throws AppError `credentials_wrong`
 */
export async function changePassword(
  who: { agentId: string; sessionId: string },
  given: { current: string; next: string },
): Promise<void> {
  const agent = await AgentModel.findOne({ _id: who.agentId }, { passwordHash: 1 }).lean();
  if (!agent || !(await isPassword(agent.passwordHash, given.current))) {
    throw new AppError('credentials_wrong');
  }
  const passwordHash = await hashPassword(given.next);
  const changed = await AgentModel.updateOne(
    { _id: who.agentId, passwordHash: agent.passwordHash },
    { $set: { passwordHash } },
  );
  if (changed.matchedCount === 0) throw new AppError('conflict');
  await revokeLinks('reset', { agentId: who.agentId });
  await endSessionsOf(who.agentId, who.sessionId);
}
