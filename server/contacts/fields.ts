import { limits } from '../../shared/limits.js';
import type { Scope } from '../workspaces/scope.js';
import { byMergeOrder } from './link.js';
import {
  ContactModel,
  type ContactRow,
  type FieldName,
  fieldNames,
  IdentityModel,
  MergeModel,
  type MergeRow,
} from './model.js';

/** A contact's fields as they are shown for its whole group. */
type ShownFields = Record<FieldName, string | null>;

/**
 * Fields are kept for each contact, and shown by what the head prefers: an edit of the head's after all merges, else
 * what the newest merge that spoke of the field preferred, else the head's, else the first that has one.
 */
function shownFields(
  head: ContactRow,
  members: readonly ContactRow[],
  merges: readonly MergeRow[],
): ShownFields {
  const ordered = merges.toSorted(byMergeOrder);
  return Object.fromEntries(
    fieldNames.map((name) => [name, shownField(name, head, members, ordered)]),
  ) as ShownFields;
}

function shownField(
  name: FieldName,
  head: ContactRow,
  members: readonly ContactRow[],
  merges: readonly MergeRow[],
): string | null {
  const preferred = merges.findLast((merge) => members.some((one) => one._id === merge.preferences[name]));
  const edit = head.fields[name];
  if (preferred && !(edit && edit.at > preferred.mergedAt)) {
    const chosen = members.find((one) => one._id === preferred.preferences[name]);
    if (chosen) return ownValue(chosen, name);
  }
  if (edit) return edit.value;
  for (const member of [head, ...members]) {
    const value = ownValue(member, name);
    if (value !== null) return value;
  }
  return null;
}

function ownValue(row: ContactRow, name: FieldName): string | null {
  const edit = row.fields[name];
  return edit ? edit.value : (row.given[name] ?? null);
}

/** What a list shows of a contact: its head, the shown name, and whether anything proved who it is. */
export interface ContactFace {
  id: string;
  fields: ShownFields;
  proved: boolean;
  memberIds: string[];
}

/** The faces of the groups that these contacts belong to, by the contact's id. A few reads, however many contacts. */
export async function facesOf(
  scope: Pick<Scope, 'workspaceId'>,
  contactIds: readonly string[],
): Promise<Map<string, ContactFace>> {
  if (contactIds.length === 0) return new Map();
  const { workspaceId } = scope;
  const asked = await ContactModel.find(
    { workspaceId, _id: { $in: [...new Set(contactIds)] } },
    { headId: 1 },
  )
    .lean()
    .limit(contactIds.length);
  const headIds = [...new Set(asked.map((row) => row.headId))];
  const members = await ContactModel.find({ workspaceId, headId: { $in: headIds } })
    .lean()
    .limit(headIds.length * limits.mergedContacts);
  const mergeIds = members.flatMap((member) => member.parentMergeId ?? []);
  const [merges, proved] = await Promise.all([
    mergeIds.length === 0
      ? []
      : MergeModel.find({ workspaceId, _id: { $in: mergeIds } })
          .lean()
          .limit(mergeIds.length),
    IdentityModel.distinct('contactId', {
      workspaceId,
      contactId: { $in: members.map((member) => member._id) },
      type: { $ne: 'visitor' },
    }),
  ]);
  const provedIds = new Set<string>(proved);
  const mergeById = new Map(merges.map((merge) => [merge._id, merge]));
  const faces = new Map<string, ContactFace>();
  for (const headId of headIds) {
    const group = members.filter((member) => member.headId === headId);
    const head = group.find((member) => member._id === headId);
    if (!head) continue;
    const own = group.flatMap((member) => mergeById.get(member.parentMergeId ?? '') ?? []);
    const face: ContactFace = {
      id: headId,
      fields: shownFields(head, group, own),
      proved: group.some((member) => provedIds.has(member._id)),
      memberIds: group.map((member) => member._id),
    };
    for (const member of group) faces.set(member._id, face);
  }
  return faces;
}
