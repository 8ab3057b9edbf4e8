import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import { mergeContacts } from '../../../server/contacts/merge.js';
import { JobModel } from '../../../server/jobs/model.js';
import { append, appendAll, appendsSettled } from '../../../server/timeline/append.js';
import { EventModel } from '../../../server/timeline/model.js';
import { onPublished, type Published } from '../../../server/timeline/publish.js';
import { readConversation } from '../../../server/timeline/read.js';
import { AppError } from '../../../shared/errors.js';
import type { TimelineEvent } from '../../../shared/events/timeline.js';
import { aCompany, type Company, withStore } from '../store.js';
import { aMessage, aNote, aReply, begunUnder } from './drafts.js';

withStore();

async function aConversation(company?: Company) {
  const { scope, chat } = company ?? (await aCompany());
  const contactId = await createContact(scope);
  const { event } = await append(
    scope,
    aMessage({ contactId, conversation: begunUnder(`k:${contactId}`, chat._id) }),
  );
  return { scope, contactId, conversation: { id: event.conversationId ?? '' }, first: event };
}

const all = async (scope: Company['scope'], id: string, audience: 'agent' | 'visitor' = 'agent') =>
  (await readConversation(scope, { conversationId: id, after: 0, limit: 200 }, audience)).events;

describe('append', () => {
  it('answers a retry with the first event and writes it once', async () => {
    const { scope, contactId, conversation } = await aConversation();
    const draft = aMessage({ contactId, conversation, dedupeKey: 'chat:visitor-1:m1' });
    const first = await append(scope, draft);
    const again = await append(scope, { ...draft, body: { ...draft.body, text: 'Something else' } });
    expect([first.isFirst, again.isFirst]).toEqual([true, false]);
    expect(again.event).toEqual(first.event);
    expect((await all(scope, conversation.id)).map(({ id }) => id)).toContain(first.event.id);
    expect(await all(scope, conversation.id)).toHaveLength(3);
  });

  it('keeps the same key of two workspaces apart', async () => {
    const [one, two] = [await aConversation(), await aConversation()];
    const dedupeKey = 'chat:same';
    const a = await append(one.scope, aMessage({ ...one, dedupeKey }));
    const b = await append(two.scope, aMessage({ ...two, dedupeKey }));
    expect([a.isFirst, b.isFirst]).toEqual([true, true]);
    expect(a.event.id).not.toBe(b.event.id);
  });

  it('cannot reach another workspace’s conversation', async () => {
    const [one, two] = [await aConversation(), await aConversation()];
    const draft = aMessage({ contactId: one.contactId, conversation: two.conversation });
    await expect(append(one.scope, draft)).rejects.toMatchObject({ code: 'conversation_not_found' });
  });

  it('numbers conversations from 1 in each workspace, without a hole when many begin at once', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const begun = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        append(scope, aMessage({ contactId, conversation: begunUnder(`n${index}`, chat._id) })),
      ),
    );
    const events = await EventModel.find({ workspaceId: scope.workspaceId }).lean();
    const started = events.filter(({ kind }) => kind === 'conversation_started');
    expect(new Set(begun.map(({ event }) => event.conversationId)).size).toBe(40);
    const numbers = started.map((event) => (event.body as { number: number }).number);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  });

  it('gives each audience the seq before that it may see', async () => {
    const { scope, contactId, conversation } = await aConversation();
    await append(scope, aNote({ contactId, conversation }));
    const reply = await append(scope, aReply({ contactId, conversation }));
    const message = await append(scope, aMessage({ contactId, conversation }));
    expect(reply.event).toMatchObject({ seq: 4, previousSeq: 3 });
    expect(message.event).toMatchObject({ seq: 5, previousSeq: 4 });
    const seen = await all(scope, conversation.id, 'visitor');
    expect(seen.map(({ seq, previousSeq }) => [previousSeq, seq])).toEqual([
      [0, 1],
      [1, 2],
      [2, 4],
      [4, 5],
    ]);
  });

  it('opens a closed conversation again with whom it is with, whoever of their group writes', async () => {
    const { agent, agentId, scope, chat } = await aCompany();
    const [headId, otherId] = [await createContact(scope), await createContact(scope)];
    await mergeContacts(agent, headId, otherId);
    const { event } = await append(
      scope,
      aMessage({ contactId: headId, conversation: begunUnder('a', chat._id) }),
    );
    const conversation = { id: event.conversationId ?? '' };
    await append(agent, {
      kind: 'status_changed',
      body: { from: 'open', to: 'closed' },
      channel: 'chat',
      direction: 'internal',
      actor: { type: 'agent', id: agentId },
      dedupeKey: 'closed',
      occurredAt: new Date(),
      contactId: headId,
      conversation,
    });
    await append(scope, aMessage({ contactId: otherId, conversation }));
    expect((await all(scope, conversation.id)).slice(-2)).toMatchObject([
      { kind: 'message', contactId: otherId },
      { kind: 'status_changed', contactId: headId, body: { to: 'open' } },
    ]);
  });

  it('writes the job of an e-mail with its event', async () => {
    const { scope, email, agentId } = await aCompany();
    const contactId = await createContact(scope);
    const { event } = await append(scope, {
      kind: 'email',
      body: {
        messageId: '<1@example.org>',
        inReplyTo: [],
        references: [],
        from: { name: '', address: 'us@example.org' },
        to: [{ name: '', address: 'you@example.com' }],
        cc: [],
        subject: 'Hello',
        text: 'Hello',
        attachments: [],
        clientId: 'client-id-1',
      },
      channel: 'email',
      direction: 'out',
      actor: { type: 'agent', id: agentId },
      dedupeKey: 'agent:1',
      occurredAt: new Date(),
      contactId,
      conversation: begunUnder('mail', email._id, 'Hello'),
    });
    const jobs = await JobModel.find({ workspaceId: scope.workspaceId }).lean();
    expect(jobs).toMatchObject([{ name: 'email.send', payload: { eventId: event.id }, state: 'waiting' }]);
  });

  it('settles each draft of a list by itself', async () => {
    const { scope, contactId, conversation } = await aConversation();
    const results = await appendAll(scope, [
      aMessage({ contactId, conversation }),
      aMessage({ contactId, conversation, text: '' }),
      aMessage({ contactId, conversation: { id: 'nowhere' } }),
      aMessage({ contactId, conversation }),
    ]);
    expect(results.map((one) => (one instanceof AppError ? one.code : one.event.seq))).toEqual([
      3,
      'message_empty',
      'conversation_not_found',
      4,
    ]);
  });

  it('publishes what a fresh read then shows, once and after the acknowledgement', async () => {
    const { scope, contactId, conversation } = await aConversation();
    await appendsSettled();
    await new Promise((resolve) => setImmediate(resolve));
    const published: Published[] = [];
    const stop = onPublished((one) => published.push(one));
    const { event } = await append(scope, aMessage({ contactId, conversation }));
    expect(published).toEqual([]);
    await expect.poll(() => published.length).toBe(1);
    stop();
    expect(published[0]).toMatchObject({
      event: { id: event.id },
      previous: { agent: 2, visitor: 2 },
      visibleToVisitor: true,
      conversation: { head: 3 },
    });
  });

  it('gives a reader one order, no gap and no double, while many write and retry at once', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 30 }),
        async (keys) => {
          const { scope, contactId, conversation } = await aConversation();
          const reader = follow(scope, conversation.id);
          const acknowledged = await Promise.all(
            keys.map((key) =>
              append(scope, aMessage({ contactId, conversation, dedupeKey: `${conversation.id}:${key}` })),
            ),
          );
          const read = await reader.stop();
          const firsts = [...new Map(acknowledged.map(({ event }) => [event.id, event])).values()];
          expect(firsts).toHaveLength(new Set(keys).size);
          const inOrder = firsts.toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
          expect(read.filter((event) => (event.seq ?? 0) > 2).map(({ id }) => id)).toEqual(
            inOrder.map(({ id }) => id),
          );
          expect(read.map(({ previousSeq }) => previousSeq)).toEqual([
            0,
            ...read.slice(0, -1).map(({ seq }) => seq),
          ]);
        },
      ),
      { numRuns: 15, examples: [[[1, 1]]] },
    ));
});

/** Reads on from its cursor, three at a time, while others write. */
function follow(scope: Company['scope'], conversationId: string) {
  const events: TimelineEvent[] = [];
  let after = 0;
  let isStopping = false;
  const read = async () => {
    for (let rounds = 0; rounds < 10_000; rounds += 1) {
      const wasStopping = isStopping;
      const page = await readConversation(scope, { conversationId, after, limit: 3 }, 'agent');
      events.push(...page.events);
      after = page.upTo;
      if (wasStopping && page.upTo === page.head) return;
    }
  };
  const running = read();
  return {
    async stop() {
      isStopping = true;
      await running;
      return events;
    },
  };
}
