import type { ClientSession } from 'mongoose';
import { EventModel } from '../timeline/model.js';
import { bodyOf } from '../timeline/projection.js';
import type { Scope } from '../workspaces/scope.js';
import { contactRow } from './group.js';
import { ContactModel, type ContactRow, type FieldName, MovedEventModel } from './model.js';
import { companyKey, nameWords } from './names.js';

/** A contact with more edits than this is beyond any person's patience; the newest decide. */
const editsRead = 5_000;

/**
 * A contact's fields and block, made again from the events that are its own: what the door keeps up to date event by
 * event, after events have left or come (an unmerge) or an import was undone.
 */
export async function refoldInside(
  session: ClientSession,
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
): Promise<void> {
  const { workspaceId } = scope;
  const contact = await contactRow(scope, contactId, session);
  const moved = await MovedEventModel.find(
    { workspaceId, $or: [{ fromContactId: contactId }, { toContactId: contactId }] },
    null,
    { session },
  )
    .lean()
    .limit(editsRead);
  const came = moved.filter((row) => row.toContactId === contactId).map((row) => row._id);
  const left = moved.filter((row) => row.fromContactId === contactId).map((row) => row._id);
  const events = await EventModel.find(
    {
      $or: [
        { workspaceId, contactId, _id: { $nin: left } },
        { workspaceId, _id: { $in: came } },
      ],
      kind: { $in: ['contact_changed', 'contact_blocked'] },
      erased: { $exists: false },
    },
    null,
    { session },
  )
    .sort({ recordedAt: -1, _id: -1 })
    .limit(editsRead)
    .lean();
  const fields: ContactRow['fields'] = {};
  let blocked = false;
  for (const event of events.reverse()) {
    if (event.kind === 'contact_blocked') blocked = bodyOf(event, 'contact_blocked').blocked;
    else {
      for (const [name, value] of Object.entries(bodyOf(event, 'contact_changed').changes)) {
        fields[name as FieldName] = { value: value ?? null, at: event.recordedAt };
      }
    }
  }
  const shown = (name: FieldName) => {
    const edit = fields[name];
    return edit ? edit.value : contact.given[name];
  };
  const keys = { nameWords: nameWords(shown('name')), companyKey: companyKey(shown('company')) };
  await ContactModel.updateOne(
    { _id: contactId, workspaceId },
    { $set: { fields, blocked, ...keys } },
    { session },
  );
}
