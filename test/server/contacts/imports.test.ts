import mongoose from 'mongoose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import { beginImport, finishImport, listImports, undoImport } from '../../../server/contacts/imports.js';
import { mergeContacts, unmerge } from '../../../server/contacts/merge.js';
import { resolveIdentity, resolveOrCreate } from '../../../server/contacts/resolve.js';
import { ReadModel } from '../../../server/conversations/model.js';
import { markRead } from '../../../server/conversations/read-marks.js';
import { append } from '../../../server/timeline/append.js';
import { readTimeline } from '../../../server/timeline/read.js';
import { aCompany, type Company, dumpOf, withStore } from '../store.js';
import { aMessage, aNote, begunUnder } from '../timeline/drafts.js';

withStore();

/** Imports letters of these senders, vouched for. */
async function anImport(company: Company, senders: string[]) {
  const { scope, email } = company;
  const importId = await beginImport(scope, { source: 'old.mbox', channel: 'email', vouch: true });
  const results = [];
  for (const value of senders) {
    const { contactId } = await resolveOrCreate(scope, {
      inboxId: email._id,
      type: 'email',
      value,
      proved: 'agent',
      source: 'import',
      importId,
    });
    const draft = aMessage({
      contactId,
      channel: 'email',
      importId,
      dedupeKey: `mail:${value}`,
      conversation: begunUnder(`thread:${value}`, email._id),
    });
    results.push({ contactId, draft, ...(await append(scope, draft)) });
  }
  await finishImport(scope, importId, { imported: senders.length, duplicates: 0, broken: 0 });
  return { importId, results };
}

describe('an import', () => {
  it('that is undone leaves nothing that it alone brought, and may come again', async () => {
    const company = await aCompany();
    const { scope } = company;
    const empty = JSON.parse(await dumpOf(scope.workspaceId));
    const { importId } = await anImport(company, ['ann@example.com', 'bob@example.com']);
    expect(await undoImport(scope, importId)).toEqual({ events: 4, conversations: 2, contacts: 2 });
    const after = JSON.parse(await dumpOf(scope.workspaceId));
    for (const kept of ['Event', 'Import', 'Workspace']) {
      delete empty[kept];
      delete after[kept];
    }
    expect(after).toEqual(empty);
    expect(await listImports(scope)).toMatchObject([{ _id: importId, undoneAt: expect.any(Date) }]);
    expect(await undoImport(scope, importId)).toEqual({ events: 0, conversations: 0, contacts: 0 });
    const again = await anImport(company, ['ann@example.com']);
    expect(again.results[0]).toMatchObject({ isFirst: true, event: { seq: 2 } });
  });

  it('that is undone leaves what came otherwise: proofs, letters, notes, their conversations and people', async () => {
    const company = await aCompany();
    const { scope, agent, email } = company;
    const { importId, results } = await anImport(company, ['ann@example.com', 'bob@example.com']);
    const [ann, bob] = results;
    if (!ann || !bob) throw new Error('Nothing was imported.');
    const live = await resolveOrCreate(scope, {
      inboxId: email._id,
      type: 'email',
      value: 'ann@example.com',
      proved: 'dmarc',
      source: 'email',
    });
    expect(live.contactId).toBe(ann.contactId);
    const conversation = { id: ann.event.conversationId ?? '' };
    const letter = await append(
      scope,
      aMessage({ contactId: ann.contactId, channel: 'email', conversation }),
    );
    const note = await append(
      agent,
      aNote({ contactId: bob.contactId, conversation: { id: bob.event.conversationId ?? '' } }),
    );
    expect(await undoImport(scope, importId)).toMatchObject({ conversations: 0, contacts: 0 });
    expect(await resolveIdentity(scope, { type: 'email', value: 'ann@example.com' })).toBe(ann.contactId);
    expect(await resolveIdentity(scope, { type: 'email', value: 'bob@example.com' })).toBeNull();
    const said = async (contactId: string) =>
      (await readTimeline(scope, contactId, { kinds: 'message,note' })).events.map(({ id }) => id);
    expect(await said(ann.contactId)).toEqual([letter.event.id]);
    expect(await said(bob.contactId)).toEqual([note.event.id]);
    expect(letter.event.seq).toBe(3);
  });

  it('that is undone leaves the person on whom a note stands that an unmerge moved there', async () => {
    const company = await aCompany();
    const { scope, agent } = company;
    const { importId, results } = await anImport(company, ['ann@example.com']);
    const contactId = results[0]?.contactId ?? '';
    const headId = await createContact(scope);
    const { mergeId } = await mergeContacts(agent, headId, contactId);
    const note = await append(agent, aNote({ contactId: headId, channel: null }));
    await unmerge(agent, mergeId, { movedEventIds: [note.event.id] });
    expect(await undoImport(scope, importId)).toMatchObject({ contacts: 0 });
    const { events } = await readTimeline(scope, contactId, { kinds: 'message,note' });
    expect(events.map(({ id }) => id)).toEqual([note.event.id]);
  });

  it('that is undone while it is being read leaves each reader’s count as what they have read', async () => {
    const company = await aCompany();
    const { scope } = company;
    for (let round = 0; round < 6; round += 1) {
      const { importId, results } = await anImport(company, [`ann-${round}@example.com`]);
      const { contactId = '', event } = results[0] ?? {};
      const conversationId = event?.conversationId ?? '';
      for (let n = 0; n < 2; n += 1) {
        await append(scope, aMessage({ contactId, channel: 'email', conversation: { id: conversationId } }));
      }
      const readers = ['one', 'two', 'three'].map((id) => ({ type: 'agent' as const, id }));
      await Promise.all([
        undoImport(scope, importId),
        ...readers.map((reader) => markRead(scope, reader, conversationId, 3)),
      ]);
      // Of what was not undone, one stands at or before 3.
      const marks = await ReadModel.find({ workspaceId: scope.workspaceId, conversationId }).lean();
      expect(marks.map(({ readerId, counted }) => [readerId, counted]).sort()).toEqual([
        ['one', 1],
        ['three', 1],
        ['two', 1],
      ]);
    }
  });

  it('that is undone between a mark’s look and its commit leaves the count right, and no mark of what is gone', async () => {
    const company = await aCompany();
    const { scope } = company;
    const reader = { type: 'agent' as const, id: 'anna' };
    const marks = (conversationId: string) =>
      ReadModel.find({ workspaceId: scope.workspaceId, conversationId }).lean();
    const { commitTransaction } = mongoose.mongo.ClientSession.prototype;
    onTestFinished(() => {
      mongoose.mongo.ClientSession.prototype.commitTransaction = commitTransaction;
    });
    /** All of the undoing takes place before the mark's first commit. */
    async function markOver(importId: string, conversationId: string): Promise<void> {
      mongoose.mongo.ClientSession.prototype.commitTransaction = async function () {
        mongoose.mongo.ClientSession.prototype.commitTransaction = commitTransaction;
        await undoImport(scope, importId);
        return commitTransaction.call(this);
      };
      await markRead(scope, reader, conversationId, 2);
    }
    const partly = await anImport(company, ['ann@example.com']);
    const { contactId = '', event } = partly.results[0] ?? {};
    const kept = event?.conversationId ?? '';
    await append(scope, aMessage({ contactId, channel: 'email', conversation: { id: kept } }));
    await markOver(partly.importId, kept);
    expect((await marks(kept)).map(({ counted }) => counted)).toEqual([0]);
    const wholly = await anImport(company, ['bob@example.com']);
    const gone = wholly.results[0]?.event.conversationId ?? '';
    await markOver(wholly.importId, gone);
    expect(await marks(gone)).toEqual([]);
  });

  it('is another workspace’s neither to see nor to undo', async () => {
    const [one, two] = [await aCompany(), await aCompany()];
    const { importId } = await anImport(one, ['ann@example.com']);
    await anImport(two, ['ann@example.com']);
    const before = await dumpOf(two.scope.workspaceId);
    await expect(undoImport(two.scope, importId)).rejects.toMatchObject({ code: 'not_found' });
    await undoImport(one.scope, importId);
    expect(await dumpOf(two.scope.workspaceId)).toBe(before);
  });
});
