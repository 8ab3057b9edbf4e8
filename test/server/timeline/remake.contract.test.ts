import { describe, expect, it } from 'vitest';
import { newId } from '../../../server/store/id.js';
import type { StoredEvent } from '../../../server/timeline/model.js';
import { begin, project } from '../../../server/timeline/projection.js';
import type { RemakeTransaction, Tombstone } from '../../../server/timeline/remake.js';
import { withStore } from '../store.js';
import { anEvent, sides, started } from './sides.js';

withStore();

const tombstoneOf = (
  { _id, workspaceId }: StoredEvent,
  erased: Tombstone['erased'] = 'erased',
): Tombstone => ({
  _id,
  workspaceId,
  v: 1,
  body: { text: '', attachments: [], clientId: '' },
  dedupeKey: `erased:${_id}`,
  erased,
});

describe.each(sides)('the port of making again %s', (_name, make) => {
  async function aConversation() {
    const side = await make();
    const { workspaceId, store } = side;
    const first = started(workspaceId, newId());
    const conversationId = first.conversationId ?? '';
    const said = [
      anEvent(workspaceId, { conversationId, seq: 2 }),
      anEvent(workspaceId, { conversationId, seq: 3, direction: 'out' }),
      anEvent(workspaceId, { conversationId, seq: 4, kind: 'note', direction: 'internal' }),
      anEvent(workspaceId, { conversationId, seq: 5 }),
    ] as const;
    const state = said.reduce(project, begin(first));
    await store.transact(async (transaction) => {
      await transaction.writeConversations([{ state, previousHead: 0 }]);
      await transaction.insertEvents([first, ...said]);
    });
    const inside = <T>(work: (transaction: RemakeTransaction) => Promise<T>) => side.remake.transact(work);
    const stands = () =>
      store.transact(
        async (transaction) =>
          (await transaction.findConversations([{ workspaceId, id: conversationId }]))[0],
      );
    return { side, workspaceId, conversationId, first, said, state, inside, stands };
  }

  it('reads a conversation’s events in order, in pieces', async () => {
    const { inside, workspaceId, conversationId, first, said } = await aConversation();
    expect(await inside((one) => one.eventsAfter(workspaceId, conversationId, 0, 2))).toEqual([
      first,
      said[0],
    ]);
    expect(await inside((one) => one.eventsAfter(workspaceId, conversationId, 2, 9))).toEqual(said.slice(1));
    expect(await inside((one) => one.eventsAfter('elsewhere', conversationId, 0, 9))).toEqual([]);
  });

  it('buries events: their places stay, their keys are free again, and none of another workspace goes', async () => {
    const { side, inside, workspaceId, said } = await aConversation();
    const ids = said.map(({ _id }) => _id);
    expect(await inside((one) => one.findUnerased('elsewhere', ids))).toEqual([]);
    await inside((one) => one.bury([{ ...tombstoneOf(said[1]), workspaceId: 'elsewhere' }]));
    await inside(async (one) => {
      await one.bury([tombstoneOf(said[0])]);
      // What the transaction wrote it reads.
      expect(await one.findUnerased(workspaceId, ids)).toHaveLength(3);
    });
    const [buried] = await inside((one) => one.eventsAfter(workspaceId, said[0].conversationId ?? '', 1, 1));
    expect(buried).toEqual({ ...said[0], ...tombstoneOf(said[0]) });
    const keyed = anEvent(workspaceId, { dedupeKey: said[0].dedupeKey });
    await side.store.transact((transaction) => transaction.insertEvents([keyed]));
    const found = await inside((one) => one.findUnerased(workspaceId, ids));
    expect(found.map(({ _id }) => _id).toSorted()).toEqual(ids.slice(1).toSorted());
  });

  it('does all of a transaction or nothing', async () => {
    const { inside, workspaceId, conversationId, said, state, stands } = await aConversation();
    const failing = inside(async (one) => {
      await one.bury([tombstoneOf(said[0])]);
      await one.putConversation({ ...state, incoming: 99 });
      await one.dropConversation(workspaceId, conversationId);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await stands()).toEqual(state);
    expect(await inside((one) => one.findUnerased(workspaceId, [said[0]._id]))).toHaveLength(1);
  });

  it('puts a conversation in the place of what stands, or where nothing does', async () => {
    const { inside, workspaceId, conversationId, state, stands } = await aConversation();
    await inside((one) => one.putConversation({ ...state, incoming: 99 }));
    expect(await stands()).toEqual({ ...state, incoming: 99 });
    await inside((one) => one.dropConversation('elsewhere', conversationId));
    expect(await stands()).toEqual({ ...state, incoming: 99 });
    await inside((one) => one.dropConversation(workspaceId, conversationId));
    expect(await stands()).toBeUndefined();
    await inside((one) => one.putConversation(state));
    expect(await stands()).toEqual(state);
  });

  it('counts what a reader has read, moves marks, and drops them with their conversation', async () => {
    const { side, inside, workspaceId, conversationId, said, state } = await aConversation();
    const mark = {
      _id: `${conversationId}:agent:a`,
      workspaceId,
      conversationId,
      readerType: 'agent' as const,
      readerId: 'a',
      seq: 2,
      counted: 0,
    };
    await side.addMark(mark);
    const counted = (reader: 'agent' | 'contact', seq: number) =>
      inside((one) => one.countedUpTo(state, reader, seq));
    expect(await Promise.all([1, 2, 4, 5].map((seq) => counted('agent', seq)))).toEqual([0, 1, 1, 2]);
    expect(await Promise.all([2, 3].map((seq) => counted('contact', seq)))).toEqual([0, 1]);
    await inside((one) => one.bury([tombstoneOf(said[3], 'undone')]));
    const less = { ...state, incoming: 1, lastIncomingSeq: 2 };
    expect(await inside((one) => one.countedUpTo(less, 'agent', 2))).toBe(1);
    await inside((one) => one.moveMark({ ...mark, seq: 4, counted: 1 }));
    const marks = await inside((one) => one.findMarks(workspaceId, conversationId));
    expect(marks).toEqual([expect.objectContaining({ _id: mark._id, seq: 4, counted: 1 })]);
    expect(await inside((one) => one.findMarks('elsewhere', conversationId))).toEqual([]);
    await inside((one) => one.dropConversation(workspaceId, conversationId));
    expect(await inside((one) => one.findMarks(workspaceId, conversationId))).toEqual([]);
  });

  it('runs again when somebody advanced the conversation meanwhile', async () => {
    const { side, inside, workspaceId, conversationId, state, stands } = await aConversation();
    let runs = 0;
    await inside(async (one) => {
      runs += 1;
      const events = await one.eventsAfter(workspaceId, conversationId, 0, 99);
      if (runs === 1) {
        await side.store.transact(async (transaction) => {
          const next = { ...state, head: 6 };
          await transaction.writeConversations([{ state: next, previousHead: 5 }]);
          await transaction.insertEvents([anEvent(workspaceId, { conversationId, seq: 6 })]);
        });
      }
      await one.putConversation({ ...state, head: events.at(-1)?.seq ?? 0, subject: 'again' });
    });
    expect(runs).toBe(2);
    expect(await stands()).toMatchObject({ head: 6, subject: 'again' });
  });

  it('walks over what events name, what rows there are, and the workspaces', async () => {
    const { side, workspaceId, conversationId, state, inside } = await aConversation();
    const { remake } = side;
    const unbegun = { ...state, _id: newId(), key: newId() };
    await inside((one) => one.putConversation(unbegun));
    expect(await remake.nextNamed(workspaceId, '')).toBe(conversationId);
    expect(await remake.nextNamed(workspaceId, conversationId)).toBeNull();
    const rows = [conversationId, unbegun._id].toSorted();
    expect(await remake.conversationsAfter(workspaceId, '', 9)).toEqual(rows);
    expect(await remake.conversationsAfter(workspaceId, '', 1)).toEqual(rows.slice(0, 1));
    expect(await remake.conversationsAfter(workspaceId, rows[0] ?? '', 9)).toEqual(rows.slice(1));
    expect(await remake.isNamed(workspaceId, conversationId)).toBe(true);
    expect(await remake.isNamed(workspaceId, unbegun._id)).toBe(false);
    expect(await remake.isNamed('elsewhere', conversationId)).toBe(false);
    expect(await remake.workspaceIds({ workspaceId })).toEqual([workspaceId]);
    expect(await remake.workspaceIds({ workspaceId: 'elsewhere' })).toEqual([]);
    expect(await remake.workspaceIds('all')).toContain(workspaceId);
    await remake.raiseCount(workspaceId, 7);
    await remake.raiseCount(workspaceId, 3);
    expect(await side.numberOf(workspaceId)).toBe(7);
  });
});
