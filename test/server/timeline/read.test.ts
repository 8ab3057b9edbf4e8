import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createContact } from '../../../server/contacts/create.js';
import { mergeContacts } from '../../../server/contacts/merge.js';
import { append } from '../../../server/timeline/append.js';
import { decodePlace } from '../../../server/timeline/cursor.js';
import { readConversation, readPicture, readTimeline } from '../../../server/timeline/read.js';
import type { TimelineQuery } from '../../../server/timeline/timeline.js';
import type { TimelineEvent } from '../../../shared/events/timeline.js';
import { limits } from '../../../shared/limits.js';
import { aCompany, type Company, withStore } from '../store.js';
import { aMessage, aNote, aReply, begunUnder } from './drafts.js';

withStore();

const day = (number: number) => new Date(Date.UTC(2026, 0, number, 12));

/** A conversation whose messages and notes alternate as told. */
async function aThread(company: Company, kinds: ('message' | 'note')[]) {
  const { scope, chat } = company;
  const contactId = await createContact(scope);
  const { event } = await append(
    scope,
    aMessage({ contactId, conversation: begunUnder(contactId, chat._id) }),
  );
  const conversationId = event.conversationId ?? '';
  const conversation = { id: conversationId };
  for (const kind of kinds) {
    await append(
      scope,
      kind === 'note' ? aNote({ contactId, conversation }) : aReply({ contactId, conversation }),
    );
  }
  return { scope, contactId, conversationId };
}

describe('reading a conversation', () => {
  it('comes to the same forwards and backwards, for either audience and any page', async () => {
    const company = await aCompany();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('message' as const, 'note' as const), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('agent' as const, 'visitor' as const),
        async (kinds, limit, audience) => {
          const { scope, conversationId } = await aThread(company, kinds);
          const forwards: TimelineEvent[] = [];
          let after = 0;
          for (;;) {
            const page = await readConversation(scope, { conversationId, after, limit }, audience);
            forwards.push(...page.events);
            expect(page.upTo).toBeGreaterThanOrEqual(after);
            after = page.upTo;
            if (page.upTo === page.head) break;
          }
          const backwards: TimelineEvent[] = [];
          let before: number = after + 1;
          for (;;) {
            const page = await readConversation(scope, { conversationId, before, limit }, audience);
            backwards.unshift(...page.events);
            if (page.isStart) break;
            before = page.events[0]?.seq ?? 0;
          }
          expect(backwards).toEqual(forwards);
          const expected = ['conversation_started', 'message', ...kinds].filter(
            (kind) => audience === 'agent' || kind !== 'note',
          );
          expect(forwards.map(({ kind }) => kind)).toEqual(expected);
          expect(forwards.map(({ previousSeq }) => previousSeq)).toEqual([
            0,
            ...forwards.slice(0, -1).map(({ seq }) => seq),
          ]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('says that it is complete even when nothing in the piece may be seen', async () => {
    const { scope, conversationId } = await aThread(await aCompany(), ['note', 'note']);
    const page = await readConversation(scope, { conversationId, after: 2, limit: 10 }, 'visitor');
    expect(page).toEqual({ events: [], upTo: 4, head: 4, isStart: false });
  });

  it('is bounded by the page, whatever is asked', async () => {
    const { scope, conversationId } = await aThread(await aCompany(), ['message']);
    const page = await readConversation(scope, { conversationId, after: 0, limit: 1e9 }, 'agent');
    expect(page.events.length).toBeLessThanOrEqual(limits.pageEntries);
    await expect(
      readConversation(scope, { conversationId, after: 0, before: 9 }, 'agent'),
    ).rejects.toMatchObject({
      code: 'bad_request',
    });
    await expect(
      readConversation(scope, { conversationId: 'none', after: 0 }, 'agent'),
    ).rejects.toMatchObject({
      code: 'conversation_not_found',
    });
  });
});

async function pages(
  scope: Company['scope'],
  contactId: string,
  query: TimelineQuery & { limit: number },
): Promise<TimelineEvent[]> {
  const events: TimelineEvent[] = [];
  let next: TimelineQuery = query;
  for (let count = 0; count < 200; count += 1) {
    const page = await readTimeline(scope, contactId, next);
    events.push(...page.events);
    const cursor = query.direction === 'newer' ? page.newerCursor : page.olderCursor;
    if (cursor === undefined) return events;
    const { at: _at, ...rest } = query;
    next = { ...rest, cursor };
  }
  throw new Error('The pages do not end.');
}

describe('reading a timeline', () => {
  it('has one order for a merged group, both ways, however many share a time', async () => {
    const company = await aCompany();
    const { scope, agent, chat } = company;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ who: fc.integer({ min: 0, max: 2 }), day: fc.integer({ min: 1, max: 4 }) }), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.integer({ min: 1, max: 4 }),
        async (said, limit) => {
          const people = [await createContact(scope), await createContact(scope), await createContact(scope)];
          for (const one of said) {
            const contactId = people[one.who] ?? '';
            const conversation = begunUnder(contactId, chat._id);
            await append(scope, aMessage({ contactId, conversation, occurredAt: day(one.day) }));
          }
          const [a = '', b = '', c = ''] = people;
          await mergeContacts(agent, a, b);
          await mergeContacts(agent, c, a);
          const kinds = { kinds: 'message', limit };
          const older = await pages(scope, b, { ...kinds });
          const newer = await pages(scope, c, { ...kinds, direction: 'newer', at: day(1).toISOString() });
          expect(older).toHaveLength(said.length);
          expect(newer.toReversed()).toEqual(older);
          const inOrder = older.toSorted((x, y) =>
            x.occurredAt === y.occurredAt ? (x.id < y.id ? 1 : -1) : x.occurredAt < y.occurredAt ? 1 : -1,
          );
          expect(older).toEqual(inOrder);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('filters by channel and kind, and begins at a time', async () => {
    const { scope, chat, email } = await aCompany();
    const contactId = await createContact(scope);
    for (const number of [1, 2, 3]) {
      await append(
        scope,
        aMessage({ contactId, conversation: begunUnder('c', chat._id), occurredAt: day(number) }),
      );
    }
    await append(
      scope,
      aNote({ contactId, channel: 'email', conversation: begunUnder('m', email._id), occurredAt: day(2) }),
    );
    const read = async (query: TimelineQuery) => (await readTimeline(scope, contactId, query)).events;
    expect((await read({ channels: 'email' })).map(({ kind }) => kind)).toEqual([
      'note',
      'conversation_started',
    ]);
    expect((await read({ kinds: 'message,note' })).map(({ kind }) => kind)).toEqual([
      'message',
      'note',
      'message',
      'message',
    ]);
    expect(await read({ kinds: 'message', at: day(2).toISOString() })).toHaveLength(2);
    expect(await read({ kinds: 'message', at: day(2).toISOString(), direction: 'newer' })).toHaveLength(2);
    await expect(read({ kinds: 'message,password' })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(read({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('is nobody’s in another workspace', async () => {
    const [one, two] = [await aCompany(), await aCompany()];
    const contactId = await createContact(one.scope);
    await expect(readTimeline(two.scope, contactId, {})).rejects.toMatchObject({ code: 'contact_not_found' });
  });

  it('draws the year with a mark for each thing said, and counts what each chip would show', async () => {
    const { scope, chat } = await aCompany();
    const contactId = await createContact(scope);
    const conversation = begunUnder('c', chat._id);
    for (const number of [1, 2])
      await append(scope, aMessage({ contactId, conversation, occurredAt: day(number) }));
    await append(scope, aNote({ contactId, conversation, occurredAt: day(3) }));
    await append(scope, aMessage({ contactId, conversation, occurredAt: new Date('2023-05-05T00:00:00Z') }));
    const picture = await readPicture(scope, contactId, {
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-12-31T23:59:59.999Z',
    });
    expect(picture.marks.map(({ at, direction }) => [at.slice(0, 10), direction])).toEqual([
      ['2026-01-01', 'in'],
      ['2026-01-02', 'in'],
      ['2026-01-03', 'internal'],
    ]);
    expect(picture.counts).toEqual({ all: 5, chat: 3, email: 0, phone: 0, note: 1, change: 1 });
    expect(picture.years).toEqual([2023]);
    const since = await readPicture(scope, contactId, {
      from: '2026-01-03T00:00:00.000Z',
      to: '2027-01-02T00:00:00.000Z',
    });
    expect(since.years, 'a year that began before the picture does').toEqual([2026, 2023]);
  });
});

describe('a cursor', () => {
  it.each([
    '',
    'x',
    Buffer.from('[1]').toString('base64url'),
    Buffer.from('[1e300,"a"]').toString('base64url'),
  ])('that no answer held is refused: %j', (cursor) => {
    expect(() => decodePlace(cursor)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
});
