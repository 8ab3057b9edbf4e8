import type { Role } from '../../shared/api.js';
import { MembershipModel } from './model.js';

/** The role of an active member; null for everybody else. Read anew at every request: a change holds at once. */
export async function membership(agentId: string, workspaceId: string): Promise<{ role: Role } | null> {
  const row = await MembershipModel.findOne({ workspaceId, agentId, active: true }, { role: 1 }).lean();
  return row && { role: row.role };
}

/** Ids of the workspaces in which this agent is active, with its roles. */
export async function membershipsOf(agentId: string): Promise<{ workspaceId: string; role: Role }[]> {
  const rows = await MembershipModel.find({ agentId, active: true }).sort({ createdAt: 1 }).limit(200).lean();
  return rows.map(({ workspaceId, role }) => ({ workspaceId, role }));
}
