import type { ClientSession } from 'mongoose';
import { newId } from '../store/id.js';
import type { Scope } from '../workspaces/scope.js';
import { ContactModel, type ContactRow, type FieldName } from './model.js';
import { companyKey, nameWords } from './names.js';

export interface NewContact {
  /** What whoever brought it called it. */
  given?: Partial<Record<FieldName, string | undefined>> | undefined;
  /** Where an unproved sender's mail or calls gather: `inboxId:type:value`. */
  gathers?: string | undefined;
  importId?: string | undefined;
}

/** Makes a contact of which nothing is known yet but what it was called. */
export async function createContact(
  scope: Pick<Scope, 'workspaceId'>,
  input: NewContact = {},
  session: ClientSession | null = null,
): Promise<string> {
  const row = newContactRow(scope, input);
  await ContactModel.create([row], { session });
  return row._id;
}

/** The row of such a contact, not written yet. */
export function newContactRow(scope: Pick<Scope, 'workspaceId'>, input: NewContact = {}): ContactRow {
  const given: ContactRow['given'] = {};
  for (const [name, value] of Object.entries(input.given ?? {})) {
    const kept = value?.replace(/\s+/g, ' ').trim().toWellFormed();
    if (kept) given[name as FieldName] = [...kept].slice(0, 200).join('');
  }
  const id = newId();
  return {
    _id: id,
    workspaceId: scope.workspaceId,
    headId: id,
    parentId: null,
    parentMergeId: null,
    lastMergeId: null,
    groupVersion: 0,
    given,
    fields: {},
    blocked: false,
    gathers: input.gathers ?? id,
    nameWords: nameWords(given.name),
    companyKey: companyKey(given.company),
    ...(input.importId !== undefined && { importId: input.importId }),
    createdAt: new Date(),
  };
}
