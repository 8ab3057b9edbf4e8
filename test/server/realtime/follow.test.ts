import mongoose from 'mongoose';
import { afterEach, describe, expect, it } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import { type Follower, followEvents } from '../../../server/realtime/follow.js';
import { newId } from '../../../server/store/id.js';
import { append } from '../../../server/timeline/append.js';
import { type DraftEvent, prepare } from '../../../server/timeline/draft.js';
import { settleInside } from '../../../server/timeline/place.js';
import { onNotice, onPublished, type Published, publishOnce } from '../../../server/timeline/publish.js';
import { mongooseStore } from '../../../server/timeline/store.js';
import { systemPorts } from '../../../server/timeline/system.js';
import { aCompany, withStore } from '../store.js';
import { aMessage, begunUnder } from '../timeline/drafts.js';

withStore({ isTest: true });

let follower: Follower | null = null;
const stops: (() => void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await follower?.close();
  follower = null;
});

/** What this process told its sockets, by the event's id. */
function listen(): Map<string, Published[]> {
  const told = new Map<string, Published[]>();
  stops.push(
    onPublished((published) => {
      told.set(published.event.id, [...(told.get(published.event.id) ?? []), published]);
    }),
  );
  return told;
}

async function until(holds: () => boolean): Promise<void> {
  const guard = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > guard) throw new Error('not within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** As another process does it: the very same writing, and no word to this one. */
async function appendElsewhere(scope: { workspaceId: string }, draft: DraftEvent) {
  const [settled] = await mongooseStore.transact((transaction) =>
    settleInside(transaction, [prepare(scope.workspaceId, draft)], systemPorts),
  );
  if (!settled || 'error' in settled) throw new Error('it was refused');
  return settled.event;
}

describe('Following the store', () => {
  it('tells what another process appended, once, with its conversation', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const told = listen();
    follower = followEvents({ patienceMs: 50, report: ({ error }) => expect.unreachable(String(error)) });
    const event = await appendElsewhere(
      scope,
      aMessage({ contactId, conversation: begunUnder('elsewhere', chat._id) }),
    );
    await until(() => told.has(event._id));
    const [published] = told.get(event._id)!;
    expect(published).toMatchObject({
      workspaceId: scope.workspaceId,
      conversation: { _id: event.conversationId, head: event.seq },
      visibleToVisitor: true,
    });
  });

  it('tells each event once, whoever is first: the writer or the stream', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const told = listen();
    const [settled] = await mongooseStore.transact((transaction) =>
      settleInside(
        transaction,
        [prepare(scope.workspaceId, aMessage({ contactId, conversation: begunUnder('both', chat._id) }))],
        systemPorts,
      ),
    );
    if (!settled || 'error' in settled) throw new Error('it was refused');
    // A busy process: the stream has brought its own event before it came to say so itself.
    publishOnce(settled.placed);
    publishOnce(settled.placed);
    expect([...told.values()].map((times) => times.length)).toEqual(settled.placed.map(() => 1));
  });

  it('leaves to this process what it told itself', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const told = listen();
    follower = followEvents({ patienceMs: 50, report: ({ error }) => expect.unreachable(String(error)) });
    const { event: own } = await append(
      scope,
      aMessage({ contactId, conversation: begunUnder('own', chat._id) }),
    );
    // What is told later was looked at later: by then the first was passed over, or told twice.
    const other = await appendElsewhere(
      scope,
      aMessage({ contactId, conversation: begunUnder('other', chat._id) }),
    );
    await until(() => told.has(other._id));
    expect(told.get(own.id)).toHaveLength(1);
  });

  it('reads again what was written while the past of the stream was lost, and goes on', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const told = listen();
    const problems: unknown[] = [];
    follower = followEvents({ patienceMs: 50, report: ({ error }) => problems.push(error) });
    const write = (key: string) =>
      appendElsewhere(scope, aMessage({ contactId, conversation: begunUnder(key, chat._id) }));
    const before = await write('before');
    await until(() => told.has(before._id));
    await mongoose.connection
      .getClient()
      .db('admin')
      .command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['getMore'], errorCode: 286 },
      });
    // Breaks it, by asking for more.
    const first = await write('at the break');
    await until(() => problems.length > 0);
    expect(problems).toMatchObject([{ code: 286 }]);
    const meanwhile = await write('while it is away');
    await until(() => told.has(first._id) && told.has(meanwhile._id));
    const after = await write('after');
    await until(() => told.has(after._id));
    for (const { _id } of [before, first, meanwhile, after]) expect(told.get(_id)).toHaveLength(1);
  });

  it('tells of a merge made elsewhere, under the name of either contact', async () => {
    const { scope } = await aCompany();
    const [headId, mergedId] = [await createContact(scope), await createContact(scope)];
    const told = new Set<string>();
    stops.push(onNotice((notice) => notice.type === 'contact' && void told.add(notice.contactId)));
    follower = followEvents({ patienceMs: 50, report: ({ error }) => expect.unreachable(String(error)) });
    await appendElsewhere(scope, {
      kind: 'contact_merged',
      body: { mergeId: newId(), headId, mergedId, reason: 'agent', preferences: {} },
      channel: null,
      direction: 'internal',
      actor: { type: 'system' },
      dedupeKey: 'merged:elsewhere',
      occurredAt: new Date(),
      contactId: headId,
    });
    await until(() => told.has(headId) && told.has(mergedId));
  });
});
