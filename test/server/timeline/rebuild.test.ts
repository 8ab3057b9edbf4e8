import { describe, expect, it } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import { changeConversation } from '../../../server/conversations/conversations.js';
import { ConversationModel, ReadModel } from '../../../server/conversations/model.js';
import { markRead } from '../../../server/conversations/read-marks.js';
import { append } from '../../../server/timeline/append.js';
import { eraseEvents } from '../../../server/timeline/erase.js';
import { readConversation } from '../../../server/timeline/read.js';
import { rebuild } from '../../../server/timeline/rebuild.js';
import { mongooseRemake } from '../../../server/timeline/remake-store.js';
import { WorkspaceModel } from '../../../server/workspaces/model.js';
import { aCompany, withStore } from '../store.js';
import { aMessage, aNote, aReply, begunUnder } from './drafts.js';

withStore();

async function aBusyCompany() {
  const company = await aCompany();
  const { scope, agent, agentId, chat } = company;
  const conversations: string[] = [];
  for (let index = 0; index < 4; index += 1) {
    const contactId = await createContact(scope);
    const conversation = begunUnder(`k${index}`, chat._id, `Question ${index}`);
    const { event } = await append(scope, aMessage({ contactId, conversation, text: 'one' }));
    const id = event.conversationId ?? '';
    conversations.push(id);
    await append(
      scope,
      aMessage({ contactId, conversation, text: 'two', occurredAt: new Date('2026-02-01') }),
    );
    await markRead(scope, { type: 'agent', id: agentId }, id, 2);
    await append(scope, aReply({ contactId, conversation: { id } }));
    await append(scope, aNote({ contactId, conversation: { id } }));
    if (index > 0) await changeConversation(agent, id, { assigneeId: agentId, status: 'closed' });
    if (index > 1) await append(scope, aMessage({ contactId, conversation }));
    await markRead(scope, { type: 'contact', id: contactId }, id, 4);
  }
  return { ...company, conversations };
}

const projections = async (workspaceId: string) => ({
  conversations: await ConversationModel.find({ workspaceId }).sort({ _id: 1 }).lean(),
  reads: await ReadModel.find({ workspaceId }).sort({ _id: 1 }).lean(),
  workspace: await WorkspaceModel.findOne({ _id: workspaceId }).lean(),
});

describe('rebuild', () => {
  it('makes every projection again, equal to the live ones field by field', async () => {
    const { scope } = await aBusyCompany();
    const { workspaceId } = scope;
    const live = await projections(workspaceId);
    await ConversationModel.updateMany(
      { workspaceId, number: { $gt: 2 } },
      {
        $set: {
          head: 1,
          incoming: 99,
          status: 'spam',
          snippet: 'wrong',
          lastAt: new Date(0),
          waitingSince: null,
        },
      },
    );
    await ConversationModel.deleteMany({ workspaceId, number: 1 });
    await ConversationModel.create([{ ...live.conversations[0], _id: 'ghost', key: 'ghost', number: 77 }]);
    await ReadModel.updateMany({ workspaceId }, { $set: { counted: 0 } });
    await WorkspaceModel.updateOne({ _id: workspaceId }, { $set: { conversationCount: 0 } });
    const progress: number[] = [];
    const done = await rebuild(mongooseRemake, scope, ({ conversations }) => progress.push(conversations));
    expect(done).toEqual({ conversations: 4, removed: 1 });
    expect(progress.at(-1)).toBe(4);
    expect(await projections(workspaceId)).toEqual(live);
  });

  it('changes nothing where nothing is wrong, and nothing of another workspace', async () => {
    const [one, two] = [await aBusyCompany(), await aBusyCompany()];
    const before = [await projections(one.scope.workspaceId), await projections(two.scope.workspaceId)];
    await rebuild(mongooseRemake, one.scope);
    expect([await projections(one.scope.workspaceId), await projections(two.scope.workspaceId)]).toEqual(
      before,
    );
  });
});

describe('an erasure', () => {
  it('leaves the place and takes the words, from the projection too', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const draft = aMessage({ contactId, conversation: begunUnder('k', chat._id), text: 'canary-4711' });
    const { event } = await append(scope, draft);
    const conversationId = event.conversationId ?? '';
    expect(await eraseEvents(mongooseRemake, scope.workspaceId, [event.id, 'nobody'])).toBe(1);
    expect(await eraseEvents(mongooseRemake, scope.workspaceId, [event.id])).toBe(0);
    const page = await readConversation(scope, { conversationId, after: 0 }, 'visitor');
    expect(page.events[1]).toMatchObject({
      id: event.id,
      seq: 2,
      erased: true,
      body: { text: '', attachments: [] },
    });
    expect(JSON.stringify([page, await projections(scope.workspaceId)])).not.toContain('canary-4711');
    const other = await aCompany();
    const again = await append(scope, draft);
    expect(again.isFirst).toBe(true);
    expect(await eraseEvents(mongooseRemake, other.scope.workspaceId, [again.event.id])).toBe(0);
  });
});
