import type mongoose from 'mongoose';
import type { AgentSummary, Role } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { isDuplicateKey } from '../store/duplicate-key.js';
import { newId } from '../store/id.js';
import { inTransaction } from '../store/transaction.js';
import type { Scope } from '../workspaces/scope.js';
import { addressOf, findLink, type LinkDeps, makeLink, revokeLinks, useLink } from './links.js';
import { addMember, membership } from './membership.js';
import { AgentModel, type AgentRow, MembershipModel, type MembershipRow } from './model.js';
import { hashPassword } from './passwords.js';
import { endSessionsOf } from './sessions.js';
import { checkPassword } from './sign-in.js';
import type { Throttle } from './throttle.js';

const membersAtMost = 1_000;

const summary = (member: MembershipRow, agent: AgentRow): AgentSummary => ({
  id: agent._id,
  name: agent.name,
  email: agent.email,
  role: member.role,
  availability: agent.availability,
  active: member.active,
});

/** Everybody who is or was a member: a former colleague's name still stands on old messages. */
export async function listAgents(scope: Scope): Promise<AgentSummary[]> {
  const members = await MembershipModel.find({ workspaceId: scope.workspaceId })
    .sort({ createdAt: 1, _id: 1 })
    .limit(membersAtMost)
    .lean();
  const agents = await AgentModel.find({ _id: { $in: members.map(({ agentId }) => agentId) } }).lean();
  const byId = new Map(agents.map((agent) => [agent._id, agent]));
  return members.flatMap((member) => {
    const agent = byId.get(member.agentId);
    return agent ? [summary(member, agent)] : [];
  });
}

/** Members who say that they are there, active ones only: what the widget tells visitors. */
export async function availableAgents(scope: Scope): Promise<{ id: string; name: string }[]> {
  const agents = await listAgents(scope);
  return agents
    .filter(({ active, availability }) => active && availability === 'available')
    .map(({ id, name }) => ({ id, name }));
}

export interface Invitation {
  id: string;
  email: string;
  role: Role;
  /** ISO 8601. */
  expiresAt: string;
  /** For handing over by other means than mail. */
  link: string;
}

/**
 * Invites somebody; an older invitation to the same address stops working.
 * @throws AppError `already_exists` when that address belongs to an active member
 */
export async function invite(
  deps: LinkDeps,
  scope: Scope,
  given: { email: string; role: Role },
): Promise<Invitation> {
  const { workspaceId, actor } = scope;
  const agent = await AgentModel.findOne({ email: given.email }, { _id: 1 }).lean();
  const member = agent && (await MembershipModel.exists({ workspaceId, agentId: agent._id, active: true }));
  if (member) throw new AppError('already_exists', { email: given.email });
  await revokeLinks('invitation', { workspaceId, email: given.email });
  const link = await makeLink(deps, 'invitation', limits.invitationDays * 24 * 3_600_000, {
    workspaceId,
    email: given.email,
    role: given.role,
    invitedBy: actor.type === 'agent' ? actor.id : null,
  });
  return {
    id: link._id,
    email: given.email,
    role: given.role,
    expiresAt: link.expiresAt.toISOString(),
    link: addressOf(deps, link),
  };
}

/**
 * Gives somebody a place in a workspace, for who has the server's command line: another role at once to who is a member,
 * else an invitation, whose link is answered. That the address has an account says nothing of whose account it is: whoever
 * once invited the address held that link, too.
 */
export async function giveAccess(
  deps: LinkDeps,
  scope: Scope,
  given: { email: string; role: Role },
): Promise<{ link: string | null }> {
  const agent = await AgentModel.findOne({ email: given.email }, { _id: 1 }).lean();
  if (!agent || !(await membership(agent._id, scope.workspaceId)))
    return { link: (await invite(deps, scope, given)).link };
  // An older invitation must not change the role that is given here.
  await revokeLinks('invitation', { workspaceId: scope.workspaceId, email: given.email });
  await addMember({ workspaceId: scope.workspaceId, agentId: agent._id, role: given.role });
  return { link: null };
}

/**
 * Accepts an invitation. Who has an account in another workspace keeps its name and password, and shows that it is
 * theirs by that password: a try at it like any other, since whoever invites holds the link too. Everybody else chooses
 * one.
 * @returns the agent's id
 * @throws AppError `link_used`, `credentials_wrong` (the link stays good), `rate_limited`
 */
export async function acceptInvitation(
  throttle: Throttle,
  given: { token: string; name: string; password: string },
  address: string,
): Promise<string> {
  const link = await findLink('invitation', given.token);
  const { email, workspaceId, role } = link;
  if (email === null || workspaceId === null || role === null) throw new AppError('link_used');
  const existing = await AgentModel.findOne({ email }).lean();
  if (existing) await checkPassword(throttle, { email, password: given.password }, address);
  const passwordHash = existing ? null : await hashPassword(given.password);
  const agentId = existing?._id ?? newId();
  try {
    await inTransaction(async (session) => {
      await useLink(link, session);
      if (passwordHash !== null) {
        await createAgent({ agentId, email, name: given.name, passwordHash }, session);
      }
      await addMember({ workspaceId, agentId, role }, session);
    });
  } catch (error) {
    if (isDuplicateKey(error)) {
      // The address got an account between the look and the write.
      throw new AppError('conflict', undefined, { cause: error });
    }
    throw error;
  }
  return agentId;
}

/** Writes a new agent. @throws the store's duplicate key error when the address is taken */
export async function createAgent(
  agent: { agentId: string; email: string; name: string; passwordHash: string },
  session: mongoose.ClientSession,
): Promise<void> {
  await AgentModel.create(
    [
      {
        _id: agent.agentId,
        email: agent.email,
        name: agent.name,
        passwordHash: agent.passwordHash,
        locale: 'en',
        availability: 'available',
        createdAt: new Date(),
      },
    ],
    { session },
  );
}

/**
 * Changes a member's role or takes its access away; either signs it out everywhere at once, and ends the invitations
 * that it made or could still come back by.
 * Nobody changes themselves, only an owner makes or changes an owner, and the last owner stays.
 * @throws AppError `not_found`, `forbidden`, `conflict` (the last owner)
 */
export async function changeAgent(
  scope: Scope,
  by: { agentId: string; role: Role },
  agentId: string,
  change: { role?: Role | undefined; active?: boolean | undefined },
): Promise<AgentSummary> {
  const { workspaceId } = scope;
  if (agentId === by.agentId || by.role === 'agent') throw new AppError('forbidden');
  const { before, after } = await inTransaction(async (session) => {
    const member = await MembershipModel.findOne({ workspaceId, agentId }, null, { session }).lean();
    if (!member) throw new AppError('not_found');
    if (by.role !== 'owner' && (member.role === 'owner' || change.role === 'owner')) {
      throw new AppError('forbidden');
    }
    const next = { role: change.role ?? member.role, active: change.active ?? member.active };
    if (member.role === 'owner' && member.active && (next.role !== 'owner' || !next.active)) {
      // Touching every owner makes two of these at once collide, so that one of them sees the other's result.
      const owners = { workspaceId, role: 'owner', active: true } as const;
      const touched = await MembershipModel.updateMany(owners, { $inc: { revision: 1 } }, { session });
      if (touched.matchedCount < 2) throw new AppError('conflict');
    }
    const changed = await MembershipModel.findOneAndUpdate(
      { workspaceId, agentId },
      { $set: next },
      { session, returnDocument: 'after' },
    ).lean();
    if (!changed) throw new AppError('not_found');
    if (next.role !== member.role || next.active !== member.active) {
      await revokeInvitations(workspaceId, agentId, session);
    }
    return { before: member, after: changed };
  });
  if (before.role !== after.role || before.active !== after.active) await endSessionsOf(agentId);
  const agent = await AgentModel.findOne({ _id: agentId }).lean();
  if (!agent) throw new AppError('not_found');
  return summary(after, agent);
}

async function revokeInvitations(
  workspaceId: string,
  agentId: string,
  session: mongoose.ClientSession,
): Promise<void> {
  const agent = await AgentModel.findOne({ _id: agentId }, { email: 1 }, { session }).lean();
  if (agent) await revokeLinks('invitation', { workspaceId, email: agent.email }, session);
  await revokeLinks('invitation', { workspaceId, invitedBy: agentId }, session);
}
