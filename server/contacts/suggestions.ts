import type { Suggestion } from '../../shared/api.js';
import type { Scope } from '../workspaces/scope.js';
import { type ContactFace, facesOf } from './fields.js';
import type { Group } from './group.js';
import { groupOf } from './group.js';
import { ClaimModel, ContactModel, DismissalModel, IdentityModel } from './model.js';
import { companyKey, isNearName } from './names.js';

/** More probable doubles than this are no help. */
const suggested = 10;
const looked = 50;

type Reason = Suggestion['reason'];
interface Candidate {
  contactId: string;
  reason: Reason;
  value: string;
}

/**
 * Contacts that are probably the same person as this group, each with its reason: the same e-mail address or phone
 * number said or proved, or nearly the same name in the same company. Only agents ever see these.
 */
export async function suggestionsFor(scope: Pick<Scope, 'workspaceId'>, group: Group): Promise<Suggestion[]> {
  const own = (await facesOf(scope, [group.head._id])).get(group.head._id);
  if (!own) return [];
  const candidates = [...(await sharingValues(scope, group)), ...(await nearlyNamed(scope, group, own))];
  const faces = await facesOf(
    scope,
    candidates.map((one) => one.contactId),
  );
  const dismissed = await dismissedBy(scope, group.memberIds);
  const suggestions = new Map<string, Suggestion>();
  for (const { contactId, reason, value } of candidates) {
    const other = faces.get(contactId);
    if (!other || other.id === group.head._id || suggestions.has(other.id)) continue;
    if (other.memberIds.some((id) => dismissed.has(id))) continue;
    if (reason === 'similar_name' && !isNearName(own.fields.name ?? '', other.fields.name ?? '')) continue;
    suggestions.set(other.id, {
      contactId: group.head._id,
      otherId: other.id,
      otherName: other.fields.name,
      reason,
      value,
    });
  }
  return [...suggestions.values()].slice(0, suggested);
}

/** Whoever said or proved an address or number that this group said or proved. */
async function sharingValues(scope: Pick<Scope, 'workspaceId'>, group: Group): Promise<Candidate[]> {
  const { workspaceId } = scope;
  const types: ('email' | 'phone')[] = ['email', 'phone'];
  const filter = { workspaceId, contactId: { $in: group.memberIds }, type: { $in: types } };
  const [identities, claims] = await Promise.all([
    IdentityModel.find(filter, { type: 1, value: 1 }).limit(looked).lean(),
    ClaimModel.find(filter, { type: 1, value: 1 }).limit(looked).lean(),
  ]);
  const values = new Map(
    [...identities, ...claims].map(({ type, value }) => [`${type}:${value}`, { type, value }]),
  );
  if (values.size === 0) return [];
  const same = {
    workspaceId,
    contactId: { $nin: group.memberIds },
    $or: [...values.values()].map(({ type, value }) => ({ type: type as 'email' | 'phone', value })),
  };
  const [proved, claimed] = await Promise.all([
    IdentityModel.find(same, { contactId: 1, type: 1, value: 1 }).limit(looked).lean(),
    ClaimModel.find(same, { contactId: 1, type: 1, value: 1 }).limit(looked).lean(),
  ]);
  return [...proved, ...claimed].map(({ contactId, type, value }) => ({
    contactId,
    reason: type === 'email' ? 'same_email' : 'same_phone',
    value,
  }));
}

async function nearlyNamed(
  scope: Pick<Scope, 'workspaceId'>,
  group: Group,
  own: ContactFace,
): Promise<Candidate[]> {
  const key = companyKey(own.fields.company);
  if (key === null || own.fields.name === null) return [];
  const rows = await ContactModel.find(
    { workspaceId: scope.workspaceId, companyKey: key, _id: { $nin: group.memberIds } },
    { _id: 1 },
  )
    .limit(looked)
    .lean();
  const name = own.fields.name;
  return rows.map((row) => ({ contactId: row._id, reason: 'similar_name', value: name }));
}

async function dismissedBy(
  scope: Pick<Scope, 'workspaceId'>,
  memberIds: readonly string[],
): Promise<Set<string>> {
  const rows = await DismissalModel.find({
    workspaceId: scope.workspaceId,
    contactIds: { $in: [...memberIds] },
  })
    .limit(1_000)
    .lean();
  return new Set(rows.flatMap((row) => row.contactIds).filter((id) => !memberIds.includes(id)));
}

/** Puts a suggestion aside for good, from both sides; the same again changes nothing. @throws AppError `contact_not_found` */
export async function dismissSuggestion(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  otherId: string,
): Promise<void> {
  const [left, right] = await Promise.all([groupOf(scope, contactId), groupOf(scope, otherId)]);
  const contactIds = [left.head._id, right.head._id].toSorted();
  const _id = contactIds.join(':');
  await DismissalModel.updateOne(
    { _id, workspaceId: scope.workspaceId },
    { $setOnInsert: { contactIds, dismissedAt: new Date() } },
    { upsert: true },
  );
}
