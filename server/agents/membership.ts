import type mongoose from 'mongoose';
import type { Role } from '../../shared/api.js';
import { newId } from '../store/id.js';
import { MembershipModel } from './model.js';

/** The role of an active member; null for everybody else. Read anew at every request: a change holds at once. */
export async function membership(agentId: string, workspaceId: string): Promise<{ role: Role } | null> {
  const row = await MembershipModel.findOne({ workspaceId, agentId, active: true }, { role: 1 }).lean();
  return row && { role: row.role };
}

/** The workspaces in which this agent is active, in the order it joined them. */
export async function membershipsOf(agentId: string): Promise<{ workspaceId: string; role: Role }[]> {
  const rows = await MembershipModel.find({ agentId, active: true }).sort({ createdAt: 1 }).limit(200).lean();
  return rows.map(({ workspaceId, role }) => ({ workspaceId, role }));
}

/** Makes somebody a member, or an active member again with this role. */
export async function addMember(
  member: { workspaceId: string; agentId: string; role: Role },
  session?: mongoose.ClientSession,
): Promise<void> {
  const { workspaceId, agentId, role } = member;
  await MembershipModel.updateOne(
    { workspaceId, agentId },
    { $set: { role, active: true }, $setOnInsert: { _id: newId(), createdAt: new Date(), revision: 0 } },
    { upsert: true, ...(session && { session }) },
  );
}
