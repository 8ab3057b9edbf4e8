import type * as v from 'valibot';
import type { ChangeMe, Me } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { publishNotice } from '../timeline/publish.js';
import { WorkspaceModel } from '../workspaces/model.js';
import { membershipsOf } from './membership.js';
import { AgentModel } from './model.js';
import { changePassword } from './password-reset.js';

/** Who is signed in, and where it may work. @throws AppError `unauthorized` when the agent is gone */
export async function readMe(agentId: string): Promise<Me> {
  const agent = await AgentModel.findOne({ _id: agentId }).lean();
  if (!agent) throw new AppError('unauthorized');
  const memberships = await membershipsOf(agentId);
  const ids = memberships.map(({ workspaceId }) => workspaceId);
  const workspaces = await WorkspaceModel.find({ _id: { $in: ids } }, { name: 1 }).lean();
  const names = new Map(workspaces.map(({ _id, name }) => [_id, name]));
  return {
    id: agent._id,
    name: agent.name,
    email: agent.email,
    locale: agent.locale,
    availability: agent.availability,
    workspaces: memberships.map(({ workspaceId, role }) => ({
      id: workspaceId,
      name: names.get(workspaceId) ?? '',
      role,
    })),
  };
}

/**
 * Changes one's own name, language, availability or password; nothing else of an agent is its own to change.
 * @throws AppError `credentials_wrong`
 */
export async function changeMe(
  who: { agentId: string; sessionId: string },
  change: v.InferOutput<typeof ChangeMe>,
): Promise<Me> {
  const { password, availability, name, locale } = change;
  if (password) await changePassword(who, password);
  const set = { ...(name !== undefined && { name }), ...(locale !== undefined && { locale }) };
  if (Object.keys(set).length > 0) await AgentModel.updateOne({ _id: who.agentId }, { $set: set });
  if (availability !== undefined) await setAvailability(who.agentId, availability);
  return readMe(who.agentId);
}

/** Sets an agent's availability and tells its workspaces; sockets use this too. */
export async function setAvailability(agentId: string, availability: 'available' | 'away'): Promise<void> {
  await AgentModel.updateOne({ _id: agentId }, { $set: { availability } });
  for (const { workspaceId } of await membershipsOf(agentId)) {
    publishNotice({ workspaceId, type: 'agent', agentId, availability });
  }
}
