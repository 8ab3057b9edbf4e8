import { ContactModel } from '../../contacts/model.js';
import type { Scope } from '../../workspaces/scope.js';
import { LetterLinkModel, type LetterLinkRow } from './model.js';
import { hashOf, type Letter } from './parse.js';

/**
 * Which conversation a letter belongs to: the one in which its sender, and nobody else, holds an id that it names. Ids
 * are looked up under the contact (and whoever is merged with it), so that a stranger who knows an id gets a
 * conversation of their own. The subject decides nothing.
 */

export interface Threaded {
  contactId: string;
  letter: Pick<Letter, 'messageId' | 'inReplyTo' | 'references' | 'threadIndex'>;
  /** What begins a conversation of its own: stable for this letter. */
  ownKey: string;
}

/** Ids of a letter that are followed; a hostile list is as long as its header. */
const idsFollowed = 60;

/** The ids by which a letter may belong to a thread, the nearest first. */
function idsOf({ messageId, inReplyTo, references, threadIndex }: Threaded['letter']): string[] {
  const ids = [...inReplyTo.toReversed(), ...references.toReversed()].slice(0, idsFollowed);
  if (threadIndex !== undefined) ids.push(`thread-index:${threadIndex}`);
  if (messageId !== '') ids.push(messageId);
  return [...new Set(ids)];
}

const linkId = (scope: Pick<Scope, 'workspaceId'>, inboxId: string, contactId: string, id: string): string =>
  hashOf([scope.workspaceId, inboxId, contactId, id]).slice(0, 40);

/**
 * The conversation key of each letter, in their order. Links are written before the events: whoever dies in between
 * finds the same keys again, and a conversation that was never begun is begun under its key by the next letter.
 */
export async function threadKeys(
  scope: Pick<Scope, 'workspaceId'>,
  inboxId: string,
  letters: readonly Threaded[],
): Promise<string[]> {
  const groups = await membersOf(
    scope,
    letters.map((one) => one.contactId),
  );
  const known = await findLinks(
    scope,
    letters.flatMap(({ contactId, letter }) =>
      (groups.get(contactId) ?? [contactId]).flatMap((member) =>
        idsOf(letter).map((id) => linkId(scope, inboxId, member, id)),
      ),
    ),
  );
  const fresh = new Map<string, LetterLinkRow>();
  const chosen = letters.map(({ contactId, letter, ownKey }) => {
    const ids = idsOf(letter);
    const members = groups.get(contactId) ?? [contactId];
    const key = firstKnown(known, members, ids, scope, inboxId) ?? ownKey;
    for (const id of ids) {
      const _id = linkId(scope, inboxId, contactId, id);
      if (known.has(_id)) continue;
      const row = { _id, workspaceId: scope.workspaceId, contactId, key, ours: false };
      known.set(_id, row);
      fresh.set(_id, row);
    }
    return { contactId, ids, key };
  });
  const settled = await insertLinks(scope, [...fresh.values()]);
  // Another process may have been faster with an id of the same thread: its key counts for both.
  return chosen.map(({ contactId, ids, key }) => {
    const lost = ids
      .map((id) => settled.get(linkId(scope, inboxId, contactId, id)))
      .find((row) => row && row.key !== key);
    return lost?.key ?? key;
  });
}

/** For each contact everybody who is merged with it, itself included. */
async function membersOf(
  scope: Pick<Scope, 'workspaceId'>,
  contactIds: readonly string[],
): Promise<Map<string, string[]>> {
  const { workspaceId } = scope;
  const ids = [...new Set(contactIds)];
  const rows = await ContactModel.find({ workspaceId, _id: { $in: ids } }, { headId: 1 }).lean();
  const heads = [...new Set(rows.map((row) => row.headId))];
  const members = new Map<string, string[]>(heads.map((head) => [head, []]));
  const all = await ContactModel.find({ workspaceId, headId: { $in: heads } }, { headId: 1 }).lean();
  for (const { _id, headId } of all) members.get(headId)?.push(_id);
  return new Map(rows.map((row) => [row._id, members.get(row.headId) ?? [row._id]]));
}

function firstKnown(
  known: ReadonlyMap<string, LetterLinkRow>,
  members: readonly string[],
  ids: readonly string[],
  scope: Pick<Scope, 'workspaceId'>,
  inboxId: string,
): string | undefined {
  for (const id of ids) {
    for (const member of members) {
      const row = known.get(linkId(scope, inboxId, member, id));
      if (row) return row.key;
    }
  }
  return undefined;
}

async function findLinks(
  scope: Pick<Scope, 'workspaceId'>,
  ids: readonly string[],
): Promise<Map<string, LetterLinkRow>> {
  const found = new Map<string, LetterLinkRow>();
  const list = [...new Set(ids)];
  for (let at = 0; at < list.length; at += 1_000) {
    const rows = await LetterLinkModel.find({
      workspaceId: scope.workspaceId,
      _id: { $in: list.slice(at, at + 1_000) },
    }).lean();
    for (const row of rows) found.set(row._id, row);
  }
  return found;
}

/** Writes new links, the first writer of each wins; answers with those that somebody else had written. */
async function insertLinks(
  scope: Pick<Scope, 'workspaceId'>,
  rows: readonly LetterLinkRow[],
): Promise<Map<string, LetterLinkRow>> {
  if (rows.length === 0) return new Map();
  const result = await LetterLinkModel.bulkWrite(
    rows.map((row) => ({
      updateOne: {
        filter: { _id: row._id, workspaceId: scope.workspaceId },
        update: { $setOnInsert: { contactId: row.contactId, key: row.key, ours: row.ours } },
        upsert: true,
      },
    })),
    { ordered: false },
  );
  if (result.upsertedCount === rows.length) return new Map();
  return findLinks(
    scope,
    rows.map((row) => row._id),
  );
}

/** Notes that a Message-ID is of a letter that we write in this conversation. */
export async function linkOurs(
  scope: Pick<Scope, 'workspaceId'>,
  inboxId: string,
  conversation: { contactId: string; key: string },
  messageId: string,
): Promise<void> {
  const { contactId, key } = conversation;
  const _id = linkId(scope, inboxId, contactId, messageId);
  await insertLinks(scope, [{ _id, workspaceId: scope.workspaceId, contactId, key, ours: true }]);
}

/** Whether we wrote the letter of this id here, to this contact. */
export async function isOurs(
  scope: Pick<Scope, 'workspaceId'>,
  inboxId: string,
  contactId: string,
  messageId: string,
): Promise<boolean> {
  const memberIds = (await membersOf(scope, [contactId])).get(contactId) ?? [contactId];
  const links = await findLinks(
    scope,
    memberIds.map((member) => linkId(scope, inboxId, member, messageId)),
  );
  return [...links.values()].some((row) => row.ours);
}
