import { randomBytes } from 'node:crypto';
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
export async function isProved(
  scope: Pick<Scope, 'workspaceId'>,
  contactIds: readonly string[],
): Promise<boolean> {
  const found = await IdentityModel.exists({
    workspaceId: scope.workspaceId,
    contactId: { $in: [...contactIds] },
    type: { $ne: 'visitor' },
  });
  return found !== null;
}
