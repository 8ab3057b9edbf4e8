import { describe, expect, it } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import {
  changeConversation,
  countConversations,
  getConversation,
  type ListQuery,
  listConversations,
  noteHandling,
} from '../../../server/conversations/conversations.js';
import { conversationDetail } from '../../../server/conversations/detail.js';
import { ConversationModel } from '../../../server/conversations/model.js';
import { markRead } from '../../../server/conversations/read-marks.js';
import { sendAsAgent } from '../../../server/conversations/send.js';
import {
  visitorConversation,
  visitorConversations,
} from '../../../server/conversations/visitor-conversations.js';
import { append } from '../../../server/timeline/append.js';
import { onNotice } from '../../../server/timeline/publish.js';
import { readConversation } from '../../../server/timeline/read.js';
import { AppError } from '../../../shared/errors.js';
import { limits } from '../../../shared/limits.js';
import { aCompany, type Company, withStore } from '../store.js';
import { aMessage, aNote, aReply, begunUnder } from '../timeline/drafts.js';

withStore();

const minute = (number: number) => new Date(Date.UTC(2026, 2, 1, 9, number));

async function begin(company: Company, key: string, at: Date, name = key) {
  const contactId = await createContact(company.scope, { given: { name } });
  const conversation = begunUnder(key, company.chat._id, `About ${key}`);
  const { event } = await append(company.scope, aMessage({ contactId, conversation, occurredAt: at }));
  const id = event.conversationId ?? '';
  return { id, contactId, conversation: { id } };
}

const threadOf = ({ contactId, conversation }: Awaited<ReturnType<typeof begin>>) => ({
  contactId,
  conversation,
});

const names = async ({ scope, agentId }: Company, query: ListQuery) =>
  (await listConversations(scope, agentId, query)).rows.map((row) => row.contact.name);

const noPorts = {
  emailDraft: () => Promise.reject(new AppError('email_not_configured')),
  isOnline: async () => true,
  isEmailConfigured: () => false,
};

describe('the list', () => {
  it('shows each view its own, the latest or the longest waiting first, and counts them truly', async () => {
    const company = await aCompany();
    const { scope, agent, agentId, chat } = company;
    const [a, b, c, d, e] = [
      await begin(company, 'a', minute(1)),
      await begin(company, 'b', minute(2)),
      await begin(company, 'c', minute(3)),
      await begin(company, 'd', minute(4)),
      await begin(company, 'e', minute(5)),
    ];
    await changeConversation(agent, a.id, { assigneeId: agentId });
    await changeConversation(agent, d.id, { status: 'closed' });
    await changeConversation(agent, e.id, { status: 'spam' });
    await append(scope, aReply({ ...threadOf(b), occurredAt: minute(6) }));
    expect(await names(company, { view: 'all' })).toEqual(['b', 'c', 'a']);
    expect(await names(company, { view: 'all', sort: 'waiting' })).toEqual(['a', 'c', 'b']);
    expect(await names(company, { view: 'mine' })).toEqual(['a']);
    expect(await names(company, { view: 'unassigned' })).toEqual(['b', 'c']);
    expect(await names(company, { view: 'closed' })).toEqual(['d']);
    expect(await names(company, { view: 'spam' })).toEqual(['e']);
    expect(await names(company, { view: 'all', inboxId: company.email._id })).toEqual([]);
    expect(await countConversations(scope, agentId)).toEqual({
      mine: 1,
      unassigned: 2,
      all: 3,
      inboxes: { [chat._id]: 3, [company.email._id]: 0, [company.phone._id]: 0 },
    });
    expect(c.id).toBeTruthy();
  });

  it.each(['recent', 'waiting'] as const)('ends, page by page, with each once: %s', async (sort) => {
    const company = await aCompany();
    for (let index = 0; index < 7; index += 1) {
      const one = await begin(company, `k${index}`, minute(index % 3));
      if (index % 2 === 1) await append(company.scope, aReply({ ...threadOf(one), occurredAt: minute(9) }));
    }
    const whole = await names(company, { view: 'all', sort });
    expect(whole).toHaveLength(7);
    for (const limit of [1, 2, 3, 7]) {
      const paged: (string | null)[] = [];
      let cursor: string | undefined;
      do {
        const page = await listConversations(company.scope, company.agentId, {
          view: 'all',
          sort,
          limit,
          cursor,
        });
        paged.push(...page.rows.map((row) => row.contact.name));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(paged).toEqual(whole);
    }
  });

  it('has rows with what the agent has not read', async () => {
    const company = await aCompany();
    const { scope, agentId } = company;
    const one = await begin(company, 'a', minute(1));
    await append(scope, aMessage({ ...threadOf(one), text: 'Are you\nthere?', occurredAt: minute(2) }));
    await append(scope, aNote(threadOf(one)));
    const row = async () => (await listConversations(scope, agentId, { view: 'all' })).rows[0];
    expect(await row()).toMatchObject({
      number: 1,
      subject: 'About a',
      snippet: 'Are you there?',
      unread: 2,
      readSeq: 0,
      head: 4,
      waitingSince: minute(1).toISOString(),
      contact: { id: one.contactId, name: 'a', proved: false },
    });
    await markRead(scope, { type: 'agent', id: agentId }, one.id, 2);
    expect(await row()).toMatchObject({ unread: 1, readSeq: 2 });
    await markRead(scope, { type: 'agent', id: agentId }, one.id, 3);
    expect(await row()).toMatchObject({ unread: 0, readSeq: 3 });
  });
});

describe('a read mark', () => {
  it('only grows, is bounded by the head, and tells only what is new', async () => {
    const company = await aCompany();
    const { scope, agentId } = company;
    const one = await begin(company, 'a', minute(1));
    const told: number[] = [];
    const stop = onNotice((notice) => {
      if (notice.type === 'read') told.push(notice.seq);
    });
    const reader = { type: 'agent' as const, id: agentId };
    for (const seq of [1, 99, 1, 2]) await markRead(scope, reader, one.id, seq);
    await Promise.all([1, 2, 1].map((seq) => markRead(scope, { type: 'agent', id: 'other' }, one.id, seq)));
    stop();
    expect(told.slice(0, 2)).toEqual([1, 2]);
    expect(told.at(-1)).toBe(2);
    expect(told.length).toBeLessThanOrEqual(4);
    await expect(markRead(scope, reader, 'nowhere', 1)).rejects.toMatchObject({
      code: 'conversation_not_found',
    });
  });

  it('counts for the visitor what we wrote and they have not seen', async () => {
    const company = await aCompany();
    const { scope, agentId } = company;
    const one = await begin(company, 'a', minute(1));
    await append(scope, aReply({ ...threadOf(one), occurredAt: minute(2) }));
    await append(scope, aNote(threadOf(one)));
    await append(scope, aReply({ ...threadOf(one), occurredAt: minute(3) }));
    const seen = async () => (await visitorConversations(scope, [one.contactId]))[0];
    expect(await seen()).toMatchObject({ unread: 2, readSeq: 0, head: 5, status: 'open', agentReadSeq: 0 });
    await markRead(scope, { type: 'contact', id: one.contactId }, one.id, 3);
    await markRead(scope, { type: 'agent', id: agentId }, one.id, 2);
    expect(await seen()).toMatchObject({ unread: 1, readSeq: 3, agentReadSeq: 2 });
    // Of a letter nobody can know it.
    const letters = await append(
      scope,
      aMessage({
        contactId: one.contactId,
        channel: 'email',
        conversation: begunUnder('m', company.email._id),
      }),
    );
    const letter = await conversationDetail(scope, letters.event.conversationId ?? '', agentId, noPorts);
    expect(letter).not.toHaveProperty('contactReadSeq');
    expect(await conversationDetail(scope, one.id, agentId, noPorts)).toMatchObject({
      contactReadSeq: 3,
      reply: { by: 'chat', online: true },
    });
  });
});

describe('what a visitor sees', () => {
  it('is the same when many are looked up together, also beside one with very many conversations', async () => {
    const company = await aCompany();
    const { scope, chat } = company;
    const [one, two] = [await begin(company, 'a', minute(1)), await begin(company, 'b', minute(2))];
    const begun = await append(
      scope,
      aMessage({ contactId: one.contactId, conversation: begunUnder('c', chat._id), occurredAt: minute(3) }),
    );
    await markRead(scope, { type: 'contact', id: one.contactId }, one.id, 1);
    const ids = (list: { id: string }[]) => list.map(({ id }) => id);
    const look = () =>
      Promise.all(
        [[one.contactId], [two.contactId], [one.contactId, two.contactId], []].map((contactIds) =>
          visitorConversations(scope, contactIds, chat._id),
        ),
      );
    const [ofOne = [], ofTwo = [], ofBoth = [], ofNobody] = await look();
    expect(ids(ofOne)).toEqual([begun.event.conversationId, one.id]);
    expect(ids(ofTwo)).toEqual([two.id]);
    expect(ids(ofBoth)).toEqual([begun.event.conversationId, two.id, one.id]);
    expect(ofNobody).toEqual([]);
    expect(ofOne[1]).toMatchObject({ id: one.id, readSeq: 1, agentReadSeq: 0 });
    expect(await visitorConversations(scope, [one.contactId], 'another')).toEqual([]);

    const many = await createContact(scope, { given: { name: 'Many' } });
    const row = await getConversation(scope, two.id);
    await ConversationModel.insertMany(
      Array.from({ length: 80 }, (_, n) => ({
        ...row,
        _id: `many-${n}`,
        key: `many-${n}`,
        contactId: many,
        lastAt: minute(n),
      })),
    );
    const [crowded = [], ...others] = await Promise.all([
      visitorConversations(scope, [many], chat._id),
      ...[[one.contactId], [two.contactId]].map((contactIds) => visitorConversations(scope, contactIds)),
    ]);
    expect(crowded).toHaveLength(limits.conversationsOpenPerContact);
    expect(ids(crowded).slice(0, 2)).toEqual(['many-79', 'many-78']);
    expect(others).toEqual([ofOne, ofTwo]);
  });
});

describe('a change', () => {
  it('is an event, and what is so already is none', async () => {
    const company = await aCompany();
    const { agent, scope, agentId } = company;
    const one = await begin(company, 'a', minute(1));
    await changeConversation(agent, one.id, { assigneeId: agentId, status: 'closed' });
    await changeConversation(agent, one.id, { assigneeId: agentId, status: 'closed' });
    const { events } = await readConversation(scope, { conversationId: one.id, after: 2 }, 'agent');
    expect(events.map(({ kind, body, actor }) => ({ kind, body, actor }))).toEqual([
      { kind: 'assigned', body: { from: null, to: agentId }, actor: agent.actor },
      { kind: 'status_changed', body: { from: 'open', to: 'closed' }, actor: agent.actor },
    ]);
  });

  it('from a status that is no longer so is a conflict; without one, the last of many at once is what stands', async () => {
    const company = await aCompany();
    const { agent, scope } = company;
    const one = await begin(company, 'a', minute(1));
    await changeConversation(agent, one.id, { status: 'closed' });
    await expect(
      changeConversation(agent, one.id, { status: 'spam', ifStatus: 'open' }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await Promise.all(['x', 'y', 'z'].map((assigneeId) => changeConversation(agent, one.id, { assigneeId })));
    const { events } = await readConversation(scope, { conversationId: one.id, after: 3 }, 'agent');
    const steps = events.flatMap((event) => (event.kind === 'assigned' ? event.body : []));
    expect(steps).toHaveLength(3);
    for (const [index, step] of steps.entries())
      expect(step.from).toBe(index === 0 ? null : steps[index - 1]?.to);
    expect((await getConversation(scope, one.id)).assigneeId).toBe(steps.at(-1)?.to);
  });

  it('to spam looks closed to its customer', async () => {
    const company = await aCompany();
    const { agent, scope } = company;
    const one = await begin(company, 'a', minute(1));
    await changeConversation(agent, one.id, { status: 'spam' });
    const { events } = await readConversation(scope, { conversationId: one.id, after: 2 }, 'visitor');
    expect(JSON.stringify(events)).not.toContain('spam');
    expect((await visitorConversations(scope, [one.contactId]))[0]).toMatchObject({ status: 'closed' });
  });

  it('by handling is counted once a minute for each agent', async () => {
    const company = await aCompany();
    const { agent, scope, agentId } = company;
    const one = await begin(company, 'a', minute(1));
    await Promise.all([1, 2, 3].map(() => noteHandling(agent, agentId, one.id, 20)));
    const { events } = await readConversation(scope, { conversationId: one.id, after: 2 }, 'agent');
    // A minute may have ended between two of them.
    expect(events.length).toBeLessThanOrEqual(2);
    expect(events[0]).toMatchObject({ kind: 'handling', body: { seconds: 20 } });
  });
});

describe('somebody else’s conversation', () => {
  it('is answered like one that never was', async () => {
    const company = await aCompany();
    const { scope } = company;
    const [mine, theirs] = [await begin(company, 'a', minute(1)), await begin(company, 'b', minute(1))];
    const refusal = async (id: string) => {
      try {
        await visitorConversation(scope, mine.contactId, id);
        return null;
      } catch (error) {
        return error instanceof AppError ? error.toReply() : error;
      }
    };
    expect(await refusal(mine.id)).toBeNull();
    expect(await refusal(theirs.id)).toEqual(await refusal('never-was'));
  });
});

describe('an agent’s reply', () => {
  it('is a message out, and the same client id again the first one; a note stays inside', async () => {
    const company = await aCompany();
    const { agent, agentId, scope } = company;
    const one = await begin(company, 'a', minute(1));
    const send = {
      clientId: 'client-0001',
      conversationId: one.id,
      text: 'Yes',
      attachments: [],
      waitedMs: 0,
    };
    const first = await sendAsAgent(agent, agentId, { ...send, mode: 'reply' }, noPorts);
    const again = await sendAsAgent(agent, agentId, { ...send, mode: 'reply' }, noPorts);
    expect(first.event).toMatchObject({
      kind: 'message',
      direction: 'out',
      contactId: one.contactId,
      seq: 3,
    });
    expect(again).toEqual({ event: first.event, isFirst: false });
    await sendAsAgent(agent, agentId, { ...send, clientId: 'client-0002', mode: 'note' }, noPorts);
    const seen = await readConversation(scope, { conversationId: one.id, after: 2 }, 'visitor');
    expect(seen.events.map(({ kind }) => kind)).toEqual(['message']);
    expect((await getConversation(scope, one.id)).waitingSince).toBeNull();
  });
});
