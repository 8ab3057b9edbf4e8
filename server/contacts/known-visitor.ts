import { randomBytes } from 'node:crypto';
import { gather } from '../store/gather.js';
import { newId } from '../store/id.js';
import { publishNotice } from '../timeline/publish.js';
import type { Scope } from '../workspaces/scope.js';
import { contactRow } from './group.js';
import { ContactModel, IdentityModel } from './model.js';
import { nameWords } from './names.js';
import type { Visitor } from './visitors.js';

/**
 * One more browser of a contact that has proved itself (a new device, a private window): it needs no contact of its
 * own, which would only have to be merged.
 */
export async function createVisitorOf(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
): Promise<Visitor> {
  await contactRow(scope, contactId);
  const visitorId = randomBytes(24).toString('base64url');
  const now = new Date();
  await IdentityModel.create([
    {
      _id: newId(),
      workspaceId: scope.workspaceId,
      contactId,
      type: 'visitor',
      value: visitorId,
      proofs: [{ proof: 'token', at: now }],
      createdAt: now,
    },
  ]);
  return { visitorId, contactId };
}

/** Notes what the company's own word calls a contact; what an agent filled in goes before it. */
export async function nameContact(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  name: string,
): Promise<void> {
  const kept = [...name.replace(/\s+/g, ' ').trim().toWellFormed()].slice(0, 200).join('');
  const contact = await contactRow(scope, contactId);
  if (kept === '' || contact.given.name === kept) return;
  const isShown = contact.fields.name === undefined;
  await ContactModel.updateOne(
    { _id: contactId, workspaceId: scope.workspaceId },
    { $set: { 'given.name': kept, ...(isShown && { nameWords: nameWords(kept) }) } },
  );
  publishNotice({ type: 'contact', workspaceId: scope.workspaceId, contactId: contact.headId });
}

/** Whether anything but a browser's secret has proved who these contacts are. */
export const isProved = (
  scope: Pick<Scope, 'workspaceId'>,
  contactIds: readonly string[],
): Promise<boolean> => proved(scope.workspaceId, contactIds);

/** Browsers that come together are looked up together. */
const proved = gather(isProvedEach);

async function isProvedEach(workspaceId: string, each: readonly (readonly string[])[]): Promise<boolean[]> {
  const atMost = each.length * 4 + 50;
  const found = await IdentityModel.find(
    { workspaceId, contactId: { $in: each.flat() }, type: { $ne: 'visitor' } },
    { contactId: 1 },
  )
    .lean()
    .limit(each.length === 1 ? 1 : atMost);
  // Somebody has very many: whose were not read is not known.
  if (found.length === atMost) {
    const alone = await Promise.all(each.map((one) => isProvedEach(workspaceId, [one])));
    return alone.flat();
  }
  const known = new Set(found.map(({ contactId }) => contactId));
  return each.map((contactIds) => contactIds.some((id) => known.has(id)));
}
