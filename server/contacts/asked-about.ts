import type { ClientSession } from 'mongoose';
import { EventModel, type StoredEvent } from '../timeline/model.js';
import type { Scope } from '../workspaces/scope.js';
import { type Group, groupOf, movesAmong } from './group.js';
import { byMergeOrder } from './link.js';
import { MergeModel, type MergeRow } from './model.js';

/** Events an unmerge asks about, the newest. */
const askedAbout = 1_000;

/** An event of nobody's identity, and the contact it stands on: another than it names when an unmerge moved it. */
interface AskedAbout {
  event: StoredEvent;
  standsOn: string;
}

/**
 * What an unmerge asks about: what nobody's identity brought while the contact that leaves was one with whoever it
 * stands on. Such events are their head's, and a head stays above all that it was one with. So they stand on those above
 * the contact that leaves, or were moved there, and are as new as every merge on the way up.
 */
export async function findAskedAbout(
  scope: Pick<Scope, 'workspaceId'>,
  merge: MergeRow,
  session: ClientSession | null = null,
): Promise<AskedAbout[]> {
  const { workspaceId } = scope;
  const above = await mergesAbove(scope, merge, session);
  const onThem = { $in: [...above.keys()] };
  const moves = await movesAmong(scope, above.keys(), session);
  const movedTo = new Map(moves.map((row) => [row._id, row.toContactId]));
  const came = moves.filter((row) => above.has(row.toContactId)).map((row) => row._id);
  const common = { workspaceId, mergeId: { $exists: true }, erased: { $exists: false } };
  const own = {
    ...common,
    contactId: onThem,
    recordedAt: { $gte: merge.mergedAt },
    ...(moves.length > 0 && { _id: { $nin: [...movedTo.keys()] } }),
  };
  const found = await EventModel.find(
    came.length === 0 ? own : { $or: [own, { ...common, _id: { $in: came } }] },
    null,
    { session },
  )
    .sort({ occurredAt: -1, _id: -1 })
    .limit(askedAbout)
    .lean();
  if (found.length === 0) return [];
  const mergeIds = [...new Set(found.flatMap((event) => event.mergeId ?? []))];
  const merges = await MergeModel.find({ workspaceId, _id: { $in: mergeIds } }, null, { session })
    .lean()
    .limit(mergeIds.length);
  const mergeOf = new Map(merges.map((one) => [one._id, one]));
  return found
    .map((event) => ({ event, standsOn: movedTo.get(event._id) ?? event.contactId }))
    .filter(({ event, standsOn }) => {
      // An event names the newest merge of its time: it was written after another when that is no newer.
      const [newestThen, since] = [mergeOf.get(event.mergeId ?? ''), above.get(standsOn)];
      return newestThen !== undefined && since !== undefined && byMergeOrder(newestThen, since) >= 0;
    });
}

/** Who is above the contact that leaves; for each the newest merge on the way up, which made the two one. */
async function mergesAbove(
  scope: Pick<Scope, 'workspaceId'>,
  merge: MergeRow,
  session: ClientSession | null,
): Promise<Map<string, MergeRow>> {
  const { members } = await groupOf(scope, merge.mergedId, session);
  const mergeIds = members.flatMap((member) => member.parentMergeId ?? []);
  const merges = await MergeModel.find({ workspaceId: scope.workspaceId, _id: { $in: mergeIds } }, null, {
    session,
  })
    .lean()
    .limit(mergeIds.length);
  return newestOnTheWayUp(members, merges, merge.mergedId);
}

function newestOnTheWayUp(
  members: Group['members'],
  merges: readonly MergeRow[],
  fromId: string,
): Map<string, MergeRow> {
  const rows = new Map(members.map((member) => [member._id, member]));
  const edges = new Map(merges.map((one) => [one._id, one]));
  const above = new Map<string, MergeRow>();
  let newest: MergeRow | undefined;
  // A tree has no circle; the bound is for a store that was damaged.
  for (let at = rows.get(fromId); at && above.size < members.length; at = rows.get(at.parentId ?? '')) {
    const edge = edges.get(at.parentMergeId ?? '');
    if (at.parentId === null || !edge) break;
    if (!newest || byMergeOrder(edge, newest) > 0) newest = edge;
    above.set(at.parentId, newest);
  }
  return above;
}
