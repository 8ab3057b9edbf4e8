import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { ConversationModel, ReadModel } from '../conversations/model.js';
import { removeFiles } from '../files/files.js';
import { newId } from '../store/id.js';
import { entombInside } from '../timeline/erase.js';
import { EventModel, ImportModel, type ImportRow } from '../timeline/model.js';
import { publishNotice } from '../timeline/publish.js';
import { remakeTransaction } from '../timeline/remake-store.js';
import { reprojectInside } from '../timeline/reproject.js';
import { transact } from '../timeline/store.js';
import { contentKinds } from '../timeline/visibility.js';
import type { Scope } from '../workspaces/scope.js';
import { movedEvents } from './group.js';
import { ClaimModel, ContactModel, IdentityModel } from './model.js';
import { refoldInside } from './refold.js';

/** An import is written down before its first entry, so that all it brought can be undone by its id. */
export async function beginImport(
  scope: Pick<Scope, 'workspaceId'>,
  input: Pick<ImportRow, 'source' | 'channel' | 'vouch'>,
): Promise<string> {
  const row: ImportRow = {
    _id: newId(),
    workspaceId: scope.workspaceId,
    source: input.source,
    channel: input.channel,
    vouch: input.vouch,
    counts: { imported: 0, duplicates: 0, broken: 0 },
    startedAt: new Date(),
    finishedAt: null,
    undoneAt: null,
  };
  await ImportModel.create([row]);
  return row._id;
}

export async function finishImport(
  scope: Pick<Scope, 'workspaceId'>,
  importId: string,
  counts: ImportRow['counts'],
): Promise<void> {
  await ImportModel.updateOne(
    { _id: importId, workspaceId: scope.workspaceId },
    { $set: { counts, finishedAt: new Date() } },
  );
}

/** The workspace's imports, the newest first. */
export async function listImports(scope: Pick<Scope, 'workspaceId'>): Promise<ImportRow[]> {
  return ImportModel.find({ workspaceId: scope.workspaceId })
    .sort({ startedAt: -1 })
    .limit(limits.pageEntries)
    .lean();
}

export interface Undone {
  events: number;
  conversations: number;
  contacts: number;
}

/**
 * Undoes an import whole: its events become tombstones that stand on no timeline and may be imported again; what it
 * alone proved is proved no more; conversations and contacts that nothing else holds are gone. A part that was done
 * stays done: called again after a crash, it goes on.
 * @throws AppError `not_found`
 */
export async function undoImport(scope: Scope, importId: string): Promise<Undone> {
  const { workspaceId } = scope;
  const row = await ImportModel.findOne({ _id: importId, workspaceId }).lean();
  if (!row) throw new AppError('not_found');
  const done: Undone = { events: 0, conversations: 0, contacts: 0 };
  if (row.undoneAt) return done;
  done.events = await entombEvents(scope, importId);
  for await (const conversationId of touched(scope, importId, 'conversationId')) {
    if (await settleConversation(scope, conversationId, importId)) done.conversations += 1;
    // Once more, for who set a mark in it meanwhile: see `markRead`.
    if (await ReadModel.exists({ workspaceId, conversationId }))
      await transact((session) => reprojectInside(remakeTransaction(session), workspaceId, conversationId));
  }
  await withdrawProofs(scope, importId);
  await ClaimModel.deleteMany({ workspaceId, importId });
  for await (const contactId of touched(scope, importId, 'contactId')) {
    if (await settleContact(scope, contactId, importId)) done.contacts += 1;
    publishNotice({ type: 'contact', workspaceId, contactId });
  }
  await ImportModel.updateOne({ _id: importId, workspaceId }, { $set: { undoneAt: new Date() } });
  return done;
}

const batchSize = 200;

/** All but the beginnings of conversations: whether those go is known only when the rest is gone. */
async function entombEvents(scope: Scope, importId: string): Promise<number> {
  let count = 0;
  for (;;) {
    const { files, found } = await transact(async (session) => {
      const events = await EventModel.find(
        {
          workspaceId: scope.workspaceId,
          importId,
          erased: { $ne: 'undone' },
          kind: { $ne: 'conversation_started' },
        },
        null,
        { session },
      )
        .limit(batchSize)
        .lean();
      return {
        files: await entombInside(remakeTransaction(session), events, 'undone'),
        found: events.length,
      };
    });
    await removeFiles(scope, files);
    count += found;
    if (found < batchSize) return count;
  }
}

/** The distinct conversations or contacts that the import's events name, tombstones included. */
async function* touched(
  scope: Pick<Scope, 'workspaceId'>,
  importId: string,
  field: 'conversationId' | 'contactId',
): AsyncGenerator<string> {
  const seen = new Set<string>();
  const events = EventModel.find(
    { workspaceId: scope.workspaceId, importId },
    { conversationId: 1, contactId: 1 },
  )
    .lean()
    .cursor({ batchSize: 1_000 });
  for await (const event of events) {
    const id = event[field];
    if (id === undefined || seen.has(id)) continue;
    seen.add(id);
  }
  yield* seen;
}

/** Makes the conversation again from what is left of it. True when nothing that anybody said is left, and it is gone. */
async function settleConversation(scope: Scope, conversationId: string, importId: string): Promise<boolean> {
  const { workspaceId } = scope;
  return transact(async (session) => {
    const rest = { workspaceId, conversationId, erased: { $ne: 'undone' as const } };
    const said = await EventModel.exists({ ...rest, kind: { $in: [...contentKinds] } }).session(session);
    const began = await EventModel.exists({ ...rest, kind: 'conversation_started', importId }).session(
      session,
    );
    if (!said && began) {
      const events = await EventModel.find(rest, null, { session }).limit(1_000).lean();
      await entombInside(remakeTransaction(session), events, 'undone');
    }
    const existed = await ConversationModel.exists({ _id: conversationId, workspaceId }).session(session);
    const state = await reprojectInside(remakeTransaction(session), workspaceId, conversationId);
    return existed !== null && state === null;
  });
}

/** What the import alone proved is no identity any more; what was proved otherwise too stays. */
async function withdrawProofs(scope: Scope, importId: string): Promise<void> {
  const { workspaceId } = scope;
  const mine = { workspaceId, 'proofs.importId': importId };
  for (;;) {
    const rows = await IdentityModel.find(mine).limit(batchSize).lean();
    for (const row of rows) {
      await transact(async (session) => {
        const key = { _id: row._id, workspaceId };
        const now = await IdentityModel.findOne(key, null, { session }).lean();
        if (!now) return;
        const proofs = now.proofs.filter((proof) => proof.importId !== importId);
        if (proofs.length === 0) await IdentityModel.deleteOne(key, { session });
        else await IdentityModel.updateOne(key, { $set: { proofs } }, { session });
      });
    }
    if (rows.length < batchSize) return;
  }
}

/** Removes a contact that the import made and that nothing else holds; of any other makes the fields again. */
async function settleContact(scope: Scope, contactId: string, importId: string): Promise<boolean> {
  const { workspaceId } = scope;
  return transact(async (session) => {
    const contact = await ContactModel.findOne({ _id: contactId, workspaceId }, null, { session }).lean();
    if (!contact) return false;
    const own = { workspaceId, contactId };
    const { to: movedHere } = await movedEvents(scope, [contactId], session);
    const isAlone =
      contact.importId === importId && contact.parentId === null && contact.lastMergeId === null;
    const held =
      !isAlone ||
      (await IdentityModel.exists(own).session(session)) ||
      (await ClaimModel.exists(own).session(session)) ||
      (await EventModel.exists({ ...own, erased: { $ne: 'undone' } }).session(session)) ||
      (await EventModel.exists({
        workspaceId,
        _id: { $in: movedHere },
        erased: { $ne: 'undone' },
      }).session(session));
    if (held) {
      await refoldInside(session, scope, contactId);
      return false;
    }
    await ContactModel.deleteOne({ _id: contactId, workspaceId }, { session });
    return true;
  });
}
