import { describe, expect, it } from 'vitest';
import { newId } from '../../../server/store/id.js';
import type { StoredEvent } from '../../../server/timeline/model.js';
import type { EventRange } from '../../../server/timeline/page.js';
import { begin } from '../../../server/timeline/projection.js';
import type { Which } from '../../../server/timeline/timeline.js';
import { withStore } from '../store.js';
import { anEvent, type Side, sides, started } from './sides.js';

withStore();

const day = (number: number): Date => new Date(Date.UTC(2026, 2, number));

async function write({ store }: Side, events: readonly StoredEvent[]): Promise<void> {
  await store.transact((transaction) => transaction.insertEvents(events));
}

describe.each(sides)('pages of a conversation %s', (_name, make) => {
  it('are what this audience may see between two places, in this order', async () => {
    const side = await make();
    const { pages, workspaceId } = side;
    const first = started(workspaceId, 'k');
    const conversationId = first.conversationId ?? '';
    const kinds = ['message', 'note', 'email', 'message', 'status_changed'] as const;
    const rest = kinds.map((kind, at) => anEvent(workspaceId, { conversationId, kind, seq: at + 2 }));
    await write(side, [first, ...rest, anEvent(workspaceId, { conversationId: newId(), seq: 3 })]);
    await write(side, [anEvent('elsewhere', { conversationId, seq: 4 })]);
    const seqs = async (over: Partial<EventRange>) => {
      const range = {
        workspaceId,
        conversationId,
        audience: 'agent',
        upTo: 9,
        order: 'asc',
        limit: 9,
      } as const;
      return (await pages.eventsIn({ ...range, ...over })).map(({ seq }) => seq);
    };
    expect(await seqs({})).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await seqs({ after: 2 })).toEqual([3, 4, 5, 6]);
    expect(await seqs({ after: 2, upTo: 5, limit: 2 })).toEqual([3, 4]);
    expect(await seqs({ before: 5, order: 'desc' })).toEqual([4, 3, 2, 1]);
    expect(await seqs({ before: 99, order: 'desc', upTo: 4, limit: 2 })).toEqual([4, 3]);
    expect(await seqs({ audience: 'visitor', after: 1 })).toEqual([2, 5, 6]);
    expect(await seqs({ audience: 'visitor', before: 6, order: 'desc', limit: 2 })).toEqual([5, 2]);
    expect(await seqs({ conversationId: 'nowhere' })).toEqual([]);
    expect(
      await pages.eventsIn({
        workspaceId,
        conversationId,
        audience: 'agent',
        upTo: 1,
        order: 'asc',
        limit: 1,
      }),
    ).toEqual([first]);
  });

  it('begin at the head of the workspace’s own conversation', async () => {
    const { store, pages, workspaceId } = await make();
    const state = begin(started(workspaceId, 'k'));
    await store.transact((transaction) => transaction.writeConversations([{ state, previousHead: 0 }]));
    expect(await pages.headOf(workspaceId, state._id)).toBe(1);
    expect(await pages.headOf('elsewhere', state._id)).toBeNull();
    expect(await pages.headOf(workspaceId, 'nowhere')).toBeNull();
  });
});

describe.each(sides)('timelines of contacts %s', (_name, make) => {
  async function aTimeline() {
    const side = await make();
    const { workspaceId, timelines } = side;
    const [head, member, stranger] = [newId(), newId(), newId()];
    await side.addContact(head);
    await side.addContact(member, head);
    await side.addContact(stranger);
    const on = (contactId: string, at: number, over: Partial<StoredEvent> = {}) =>
      anEvent(workspaceId, { contactId, occurredAt: day(at), ...over });
    const events = {
      chat: on(head, 1),
      letter: on(member, 2, { kind: 'email', channel: 'email' }),
      note: on(head, 3, { kind: 'note', channel: null, direction: 'internal' }),
      twin: on(member, 4),
      other: on(head, 4, { kind: 'handling', channel: null }),
      undone: on(head, 5, { erased: 'undone' }),
      erased: on(head, 6, { erased: 'erased' }),
      theirs: on(stranger, 7),
      brought: on(stranger, 8),
      left: on(head, 9),
    };
    await write(side, Object.values(events));
    await side.moveEvent(events.brought._id, stranger, head);
    await side.moveEvent(events.left._id, member, stranger);
    const standing = await timelines.standingOf(workspaceId, member);
    const ids = async (which: Which = {}, direction: 'older' | 'newer' = 'newer', limit = 99) =>
      (await timelines.eventsOn(standing, which, direction, limit)).map(({ _id }) => _id);
    const named = (...names: (keyof typeof events)[]) => names.map((name) => events[name]._id);
    const twins = named('twin', 'other').toSorted();
    return { side, standing, events, ids, named, twins, stranger };
  }

  it('hold the whole group, what came to it and not what left or was undone', async () => {
    const { side, standing, ids, named, twins, stranger } = await aTimeline();
    const all = [...named('chat', 'letter', 'note'), ...twins, ...named('erased', 'brought')];
    expect(standing.memberIds).toHaveLength(2);
    expect(await ids()).toEqual(all);
    expect(await ids({}, 'older')).toEqual(all.toReversed());
    expect(await ids({}, 'older', 3)).toEqual(all.toReversed().slice(0, 3));
    expect(await side.timelines.countOn(standing, {})).toBe(all.length);
    const theirs = await side.timelines.standingOf(side.workspaceId, stranger);
    const found = await side.timelines.eventsOn(theirs, {}, 'newer', 9);
    expect(found.map(({ _id }) => _id)).toEqual(named('theirs', 'left'));
  });

  it('give what comes over a channel, is of a kind, and lies between two moments', async () => {
    const { side, standing, ids, named, twins } = await aTimeline();
    expect(await ids({ channels: ['email'] })).toEqual(named('letter'));
    expect(await ids({ channels: 'any', to: day(4) })).toEqual(named('chat', 'letter', 'twin'));
    expect(await ids({ kinds: { only: ['note', 'handling'] } })).toEqual(named('note', 'other'));
    expect(await ids({ kinds: { but: ['handling', 'message'] } })).toEqual(named('letter', 'note'));
    expect(await ids({ from: day(2), to: day(4) })).toEqual([...named('letter', 'note'), ...twins]);
    expect(await side.timelines.countOn(standing, { kinds: { only: ['message'] }, channels: ['chat'] })).toBe(
      4,
    );
  });

  it('go on beyond a place, between two events of one moment too', async () => {
    const { ids, named, twins } = await aTimeline();
    const place = { at: day(4), id: twins[0] ?? '' };
    expect(await ids({ beyond: { place, direction: 'newer' } })).toEqual([
      ...twins.slice(1),
      ...named('erased', 'brought'),
    ]);
    expect(await ids({ beyond: { place, direction: 'older' } })).toEqual(named('chat', 'letter', 'note'));
    const before = { place: { at: day(4), id: '' }, direction: 'older' as const };
    expect(await ids({ beyond: before }, 'older', 1)).toEqual(named('note'));
  });

  it('are nobody’s whom the workspace does not know', async () => {
    const { timelines, workspaceId } = await make();
    await expect(timelines.standingOf(workspaceId, 'nobody')).rejects.toMatchObject({
      code: 'contact_not_found',
    });
  });
});
