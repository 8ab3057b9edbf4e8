import type { ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { storeNow } from '../store/clock.js';
import { newId } from '../store/id.js';
import { appendInside } from '../timeline/append.js';
import type { Scope } from '../workspaces/scope.js';
import { type Group, groupOf } from './group.js';
import { ContactModel, type FieldName, MergeModel, type MergeRow } from './model.js';

/**
 * Groups are trees of merges: each contact but the head points at the one that it was merged into. Cutting one edge
 * gives back exactly the two groups that it joined, whatever was merged or undone since.
 */

export interface Link {
  /** The contact that the other group goes under. */
  parentId: string;
  /** Any member of the group that is merged. */
  mergedId: string;
  reason: string;
  preferences: Partial<Record<FieldName, string>>;
  byProof: boolean;
}

export interface Linked {
  mergeId: string;
  headId: string;
  /** The head of the group that was merged: no head any more. */
  mergedId: string;
  tell: () => void;
}

/**
 * Links two groups inside the caller's transaction, which calls `tell` after its commit. Both heads are written, so of
 * two merges at once that would close a circle one runs again and sees the other.
 * @throws AppError `merge_refused` with `reason` `same_group` or `too_many`; `contact_not_found`
 */
export async function linkInside(session: ClientSession, scope: Scope, link: Link): Promise<Linked> {
  const { workspaceId } = scope;
  const above = await groupOf(scope, link.parentId, session);
  const below = await groupOf(scope, link.mergedId, session);
  if (above.head._id === below.head._id) throw new AppError('merge_refused', { reason: 'same_group' });
  if (above.members.length + below.members.length > limits.mergedContacts) {
    throw new AppError('merge_refused', { reason: 'too_many', limit: limits.mergedContacts });
  }
  const merge: MergeRow = {
    _id: newId(),
    workspaceId,
    headId: above.head._id,
    mergedId: below.head._id,
    reason: link.reason,
    by: scope.actor.type === 'agent' ? scope.actor.id : null,
    byProof: link.byProof,
    preferences: link.preferences,
    mergedAt: storeNow(),
    undoneAt: null,
  };
  await MergeModel.create([merge], { session });
  await regroup(session, scope, below, above.head._id);
  await ContactModel.updateOne(
    { _id: below.head._id, workspaceId },
    { $set: { parentId: link.parentId, parentMergeId: merge._id } },
    { session },
  );
  await ContactModel.updateOne(
    { _id: above.head._id, workspaceId },
    { $set: { lastMergeId: merge._id }, $inc: { groupVersion: 1 } },
    { session },
  );
  const { tell } = await appendInside(session, scope, [
    {
      kind: 'contact_merged',
      body: {
        mergeId: merge._id,
        headId: merge.headId,
        mergedId: merge.mergedId,
        reason: merge.reason,
        preferences: Object.fromEntries(Object.entries(merge.preferences)),
      },
      channel: null,
      direction: 'internal',
      actor: scope.actor,
      dedupeKey: `merged:${merge._id}`,
      occurredAt: merge.mergedAt,
      contactId: merge.headId,
    },
  ]);
  return { mergeId: merge._id, headId: merge.headId, mergedId: merge.mergedId, tell };
}

async function regroup(session: ClientSession, scope: Scope, group: Group, headId: string): Promise<void> {
  const { matchedCount } = await ContactModel.updateMany(
    { workspaceId: scope.workspaceId, _id: { $in: group.memberIds }, headId: group.head._id },
    { $set: { headId }, $inc: { groupVersion: 1 } },
    { session },
  );
  if (matchedCount !== group.members.length) throw new AppError('conflict');
}

/**
 * Cuts one merge inside the caller's transaction: the contact that left takes along whoever was merged into it.
 * @throws AppError `not_found`, `merge_refused` with `reason` `undone`
 */
export async function unlinkInside(
  session: ClientSession,
  scope: Scope,
  mergeId: string,
  movedEventIds: string[],
): Promise<Linked & { mergedId: string }> {
  const { workspaceId } = scope;
  const merge = await standingMerge(scope, mergeId, session);
  const group = await groupOf(scope, merge.mergedId, session);
  const leaving = subtree(group, merge.mergedId);
  const staying = group.members.filter((member) => !leaving.has(member._id));
  const stillStand = await MergeModel.find(
    { workspaceId, _id: { $in: group.members.flatMap((member) => member.parentMergeId ?? []) } },
    null,
    { session },
  )
    .lean()
    .limit(limits.mergedContacts);
  const newestAmong = (ids: ReadonlySet<string | null>): string | null =>
    stillStand
      .filter((one) => one._id !== mergeId && ids.has(one._id))
      .toSorted(byMergeOrder)
      .at(-1)?._id ?? null;
  const edgesOf = (list: Group['members']) => new Set(list.map((member) => member.parentMergeId));
  const leavingMembers = group.members.filter((member) => leaving.has(member._id));
  const moved = await ContactModel.updateMany(
    { workspaceId, _id: { $in: [...leaving] }, headId: group.head._id },
    { $set: { headId: merge.mergedId }, $inc: { groupVersion: 1 } },
    { session },
  );
  if (moved.matchedCount !== leaving.size) throw new AppError('conflict');
  await ContactModel.updateOne(
    { _id: merge.mergedId, workspaceId },
    { $set: { parentId: null, parentMergeId: null, lastMergeId: newestAmong(edgesOf(leavingMembers)) } },
    { session },
  );
  await ContactModel.updateOne(
    { _id: group.head._id, workspaceId },
    { $set: { lastMergeId: newestAmong(edgesOf(staying)) }, $inc: { groupVersion: 1 } },
    { session },
  );
  const undoneAt = storeNow();
  const { matchedCount } = await MergeModel.updateOne(
    { _id: mergeId, workspaceId, undoneAt: null },
    { $set: { undoneAt } },
    { session },
  );
  if (matchedCount === 0) throw new AppError('merge_refused', { reason: 'undone' });
  const { tell } = await appendInside(session, scope, [
    {
      kind: 'contact_unmerged',
      body: { mergeId, headId: group.head._id, mergedId: merge.mergedId, movedEventIds },
      channel: null,
      direction: 'internal',
      actor: scope.actor,
      dedupeKey: `unmerged:${mergeId}`,
      occurredAt: undoneAt,
      contactId: group.head._id,
    },
  ]);
  return { mergeId, headId: group.head._id, mergedId: merge.mergedId, tell };
}

/** @throws AppError `not_found`, `merge_refused` when it was undone already */
export async function standingMerge(
  scope: Pick<Scope, 'workspaceId'>,
  mergeId: string,
  session: ClientSession | null = null,
): Promise<MergeRow> {
  const merge = await MergeModel.findOne({ _id: mergeId, workspaceId: scope.workspaceId }, null, {
    session,
  }).lean();
  if (!merge) throw new AppError('not_found');
  if (merge.undoneAt) throw new AppError('merge_refused', { reason: 'undone' });
  return merge;
}

/** The contact and all that were merged into it, and into those. */
function subtree(group: Group, rootId: string): Set<string> {
  const found = new Set([rootId]);
  // At most as many rounds as members: each round that finds nobody new is the last.
  for (let size = 0; size < found.size; ) {
    size = found.size;
    for (const { _id, parentId } of group.members) {
      if (parentId !== null && found.has(parentId)) found.add(_id);
    }
  }
  return found;
}

/** The order in which merges came to be. */
export const byMergeOrder = (
  a: Pick<MergeRow, 'mergedAt' | '_id'>,
  b: Pick<MergeRow, 'mergedAt' | '_id'>,
): number => a.mergedAt.getTime() - b.mergedAt.getTime() || (a._id < b._id ? -1 : a._id === b._id ? 0 : 1);
