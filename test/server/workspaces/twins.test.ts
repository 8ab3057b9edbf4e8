import { describe, expect, it } from 'vitest';
import { makeClaim } from '../../../server/contacts/claims.js';
import { changeContact, contactDetail, listContacts } from '../../../server/contacts/contacts.js';
import { headOf } from '../../../server/contacts/group.js';
import { beginImport, undoImport } from '../../../server/contacts/imports.js';
import { mergeContacts, previewMerge, previewUnmerge, unmerge } from '../../../server/contacts/merge.js';
import { proveIdentity } from '../../../server/contacts/prove.js';
import { resolveIdentity, resolveOrCreate } from '../../../server/contacts/resolve.js';
import { dismissSuggestion } from '../../../server/contacts/suggestions.js';
import {
  createVisitor,
  forgetVisitor,
  isBlocked,
  visibleContacts,
  visitorContact,
} from '../../../server/contacts/visitors.js';
import {
  changeConversation,
  countConversations,
  getConversation,
  listConversations,
  noteHandling,
} from '../../../server/conversations/conversations.js';
import { markRead } from '../../../server/conversations/read-marks.js';
import { visitorConversation } from '../../../server/conversations/visitor-conversations.js';
import { enqueue, listDead } from '../../../server/jobs/queue.js';
import { append, appendsSettled } from '../../../server/timeline/append.js';
import { eraseEvents } from '../../../server/timeline/erase.js';
import { readConversation, readPicture, readTimeline } from '../../../server/timeline/read.js';
import { rebuild } from '../../../server/timeline/rebuild.js';
import { mongooseRemake } from '../../../server/timeline/remake-store.js';
import { aCompany, type Company, dumpOf, withStore } from '../store.js';
import { aMessage, aNote, aReply, begunUnder } from '../timeline/drafts.js';

withStore();

/** The same people with the same addresses, user ids, keys and messages, in whichever workspace. */
async function live(company: Company) {
  const { scope, agent, agentId, email, chat, phone } = company;
  const ann = await resolveOrCreate(scope, {
    inboxId: email._id,
    type: 'email',
    value: 'ann@example.com',
    proved: 'dmarc',
    name: 'Ann Okafor',
    source: 'email',
  });
  const caller = await resolveOrCreate(scope, {
    inboxId: phone._id,
    type: 'phone',
    value: '+442079460018',
    source: 'call',
  });
  const visitor = await createVisitor(scope);
  await makeClaim(scope, visitor.contactId, { type: 'email', value: 'ann@example.com', source: 'form' });
  await proveIdentity(scope, visitor.contactId, { type: 'external', value: 'user-1', proof: 'jwt' });
  const importId = await beginImport(scope, { source: 'old.mbox', channel: 'email', vouch: false });
  const first = await append(
    scope,
    aMessage({
      contactId: ann.contactId,
      dedupeKey: 'chat:1',
      conversation: begunUnder('thread', chat._id),
      importId,
    }),
  );
  const conversationId = first.event.conversationId ?? '';
  const conversation = { id: conversationId };
  await append(
    scope,
    aMessage({
      contactId: visitor.contactId,
      dedupeKey: 'chat:2',
      conversation: begunUnder('own', chat._id),
    }),
  );
  await append(agent, aReply({ contactId: ann.contactId, dedupeKey: 'agent:1', conversation }));
  await append(agent, aNote({ contactId: ann.contactId, dedupeKey: 'agent:2', conversation }));
  await markRead(scope, { type: 'agent', id: agentId }, conversationId, 2);
  const { mergeId } = await mergeContacts(agent, ann.contactId, caller.contactId);
  await enqueue(scope, 'twins', {}, { key: 'job' });
  return {
    ...company,
    ann: ann.contactId,
    caller: caller.contactId,
    visitor,
    importId,
    conversationId,
    mergeId,
    eventId: first.event.id,
  };
}
type Lived = Awaited<ReturnType<typeof live>>;

describe('twin workspaces', () => {
  it('do not touch one another, whatever is done in one, also with the other’s ids', async () => {
    const mine = await live(await aCompany());
    const theirs = await live(await aCompany());
    await appendsSettled();
    const before = await dumpOf(theirs.scope.workspaceId);
    const foreign = await attempt(mine, theirs);
    expect(foreign.filter(([, outcome]) => outcome === 'done')).toEqual([]);
    await liveOn(mine);
    await appendsSettled();
    expect(await dumpOf(theirs.scope.workspaceId)).toBe(before);
  });

  it('find nobody of one another', async () => {
    const mine = await aCompany();
    await live(await aCompany());
    expect(await resolveIdentity(mine.scope, { type: 'email', value: 'ann@example.com' })).toBeNull();
    expect(await resolveIdentity(mine.scope, { type: 'external', value: 'user-1' })).toBeNull();
    expect((await listContacts(mine.scope, { query: 'ann' })).rows).toEqual([]);
    expect((await listConversations(mine.scope, mine.agentId, { view: 'all' })).rows).toEqual([]);
    expect(await countConversations(mine.scope, mine.agentId)).toMatchObject({ all: 0 });
    expect(await listDead(mine.scope)).toEqual([]);
  });
});

/** Every operation in my workspace with their ids. What is refused says why; what finds nothing says `nothing`. */
async function attempt(mine: Lived, theirs: Lived): Promise<[string, string][]> {
  const { scope, agent, agentId } = mine;
  const { ann, caller, conversationId, mergeId, importId, eventId, visitor } = theirs;
  const range = { from: '2026-01-01T00:00:00.000Z', to: '2026-12-31T00:00:00.000Z' };
  const conversation = { id: conversationId };
  const tries: Record<string, () => Promise<unknown>> = {
    append: () => append(scope, aMessage({ contactId: mine.ann, conversation })),
    note: () => append(agent, aNote({ contactId: ann, channel: null })),
    readConversation: () => readConversation(scope, { conversationId, after: 0 }, 'agent'),
    readTimeline: () => readTimeline(scope, ann, {}),
    readPicture: () => readPicture(scope, ann, range),
    getConversation: () => getConversation(scope, conversationId),
    changeConversation: () => changeConversation(agent, conversationId, { status: 'spam' }),
    visitorConversation: () => visitorConversation(scope, mine.ann, conversationId),
    noteHandling: () => noteHandling(agent, agentId, conversationId, 5),
    markRead: () => markRead(scope, { type: 'agent', id: theirs.agentId }, conversationId, 3),
    contactDetail: () => contactDetail(scope, ann, agentId),
    changeContact: () => changeContact(agent, ann, { blocked: true, fields: { name: 'Taken' } }),
    isBlocked: () => isBlocked(scope, ann),
    visibleContacts: () => visibleContacts(scope, ann),
    mergeContacts: () => mergeContacts(agent, mine.ann, ann),
    mergeTheirs: () => mergeContacts(agent, ann, visitor.contactId),
    previewMerge: () => previewMerge(scope, ann, visitor.contactId),
    unmerge: () => unmerge(agent, mergeId),
    previewUnmerge: () => previewUnmerge(scope, mergeId),
    dismiss: () => dismissSuggestion(scope, ann, visitor.contactId),
    makeClaim: () => makeClaim(scope, caller, { type: 'email', value: 'x@example.com', source: 'form' }),
    proveIdentity: () => proveIdentity(scope, caller, { type: 'external', value: 'user-9', proof: 'jwt' }),
    undoImport: () => undoImport(scope, importId),
  };
  const outcomes = await Promise.all(
    Object.entries(tries).map(async ([name, run]): Promise<[string, string]> => {
      try {
        await run();
        return [name, 'done'];
      } catch (error) {
        return [name, error instanceof Error ? error.message : String(error)];
      }
    }),
  );
  expect(await eraseEvents(mongooseRemake, scope.workspaceId, [eventId])).toBe(0);
  expect(await visitorContact(scope, visitor.visitorId)).toBeNull();
  expect(await headOf(scope, ann)).toBeNull();
  await forgetVisitor(scope, visitor.visitorId);
  return outcomes;
}

/** Everything that changes something, on my own. */
async function liveOn(mine: Lived): Promise<void> {
  const { scope, agent, agentId, ann, visitor, conversationId } = mine;
  await changeConversation(agent, conversationId, { status: 'closed', assigneeId: agentId });
  await append(
    scope,
    aMessage({ contactId: ann, conversation: { id: conversationId }, dedupeKey: 'chat:3' }),
  );
  await changeContact(agent, ann, { blocked: true, fields: { name: 'Ann' } });
  await unmerge(agent, mine.mergeId);
  await proveIdentity(scope, visitor.contactId, { type: 'email', value: 'ann@example.com', proof: 'jwt' });
  await dismissSuggestion(scope, ann, mine.caller);
  await eraseEvents(mongooseRemake, scope.workspaceId, [mine.eventId]);
  await undoImport(scope, mine.importId);
  await forgetVisitor(scope, visitor.visitorId);
  await rebuild(mongooseRemake, scope);
}
