import { describe, expect, it } from 'vitest';
import { newId } from '../../../server/store/id.js';
import {
  Contended,
  type ConversationState,
  DuplicateKey,
  type TimelineTransaction,
} from '../../../server/timeline/ports.js';
import { begin } from '../../../server/timeline/projection.js';
import { withStore } from '../store.js';
import { anEvent as event, sides, started } from './sides.js';

withStore();

/** Lets two transactions reach the same point before either goes on. */
function meeting(count: number) {
  let here = 0;
  let open: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  return async () => {
    here += 1;
    if (here >= count) open();
    await all;
  };
}

describe.each(sides)('the store port %s', (_name, make) => {
  it('makes all of a transaction durable, or nothing', async () => {
    const { store, workspaceId } = await make();
    const one = event(workspaceId);
    const failing = store.transact(async (transaction) => {
      await transaction.insertEvents([one]);
      await transaction.takeNumbers(workspaceId, 3);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await store.transact((transaction) => transaction.findEvents([one]))).toEqual([]);
    expect(await store.transact((transaction) => transaction.takeNumbers(workspaceId, 2))).toBe(1);
    expect(await store.transact((transaction) => transaction.takeNumbers(workspaceId, 1))).toBe(3);
    await store.transact((transaction) => transaction.insertEvents([one]));
    expect(await store.transact((transaction) => transaction.findEvents([one]))).toEqual([one]);
    expect(await store.transact((transaction) => transaction.takeNumbers('nowhere', 1))).toBeNull();
  });

  it('refuses a key that is taken, of an event and of a conversation, and keeps workspaces apart', async () => {
    const { store, workspaceId } = await make();
    const one = event(workspaceId);
    await store.transact((transaction) => transaction.insertEvents([one]));
    const again = store.transact((transaction) =>
      transaction.insertEvents([event(workspaceId), event(workspaceId, { dedupeKey: one.dedupeKey })]),
    );
    await expect(again).rejects.toBeInstanceOf(DuplicateKey);
    await store.transact((transaction) =>
      transaction.insertEvents([event('elsewhere', { dedupeKey: one.dedupeKey })]),
    );
    const state = begin(started(workspaceId, 'k'));
    const write = (other: object) => (transaction: TimelineTransaction) =>
      transaction.writeConversations([{ state: { ...state, ...other }, previousHead: 0 }]);
    await store.transact(write({}));
    await expect(store.transact(write({ _id: newId() }))).rejects.toBeInstanceOf(DuplicateKey);
    const found = await store.transact((transaction) =>
      transaction.findConversations([
        { workspaceId, key: 'k' },
        { workspaceId: 'elsewhere', id: state._id },
      ]),
    );
    expect(found).toEqual([state]);
  });

  it('refuses a job that is there already, and with it all that was to be written', async () => {
    const { store, workspaceId } = await make();
    const job = { workspaceId, name: 'email.send', key: 'k', payload: {} };
    const now = new Date('2026-03-01T10:00:00Z');
    await store.transact((transaction) => transaction.insertJobs([job], now));
    const one = event(workspaceId);
    const again = store.transact(async (transaction) => {
      await transaction.insertEvents([one]);
      await transaction.insertJobs([{ ...job, payload: { other: true } }], now);
    });
    await expect(again).rejects.toBeInstanceOf(DuplicateKey);
    expect(await store.transact((transaction) => transaction.findEvents([one]))).toEqual([]);
    await store.transact((transaction) => transaction.insertJobs([{ ...job, name: 'other' }], now));
  });

  it('runs the second of two who advance one conversation again, so that both advances stand', async () => {
    const { store, workspaceId } = await make();
    const state = begin(started(workspaceId, 'k'));
    await store.transact((transaction) => transaction.writeConversations([{ state, previousHead: 0 }]));
    const meet = meeting(2);
    let runs = 0;
    const advance = (dedupeKey: string) =>
      store.transact(async (transaction) => {
        runs += 1;
        const [before] = await transaction.findConversations([{ workspaceId, id: state._id }]);
        if (!before) throw new Error('gone');
        if (runs <= 2) await meet();
        const next = { ...before, head: before.head + 1 };
        await transaction.writeConversations([{ state: next, previousHead: before.head }]);
        await transaction.insertEvents([
          event(workspaceId, { dedupeKey, conversationId: state._id, seq: next.head }),
        ]);
        return next.head;
      });
    const seqs = await Promise.all([advance('a'), advance('b')]);
    expect(seqs.toSorted()).toEqual([2, 3]);
    expect(runs).toBeGreaterThanOrEqual(3);
  });

  it('lets nobody wait for long for a row that another transaction holds, and for no other row at all', async () => {
    const { store, workspaceId } = await make();
    const write = (state: ConversationState) => (transaction: TimelineTransaction) =>
      transaction.writeConversations([{ state, previousHead: 0 }]);
    const [held, free] = [begin(started(workspaceId, 'held')), begin(started(workspaceId, 'free'))];
    await store.transact(async (transaction) => {
      await write(held)(transaction);
      await expect(store.transact(write(held))).rejects.toBeInstanceOf(Contended);
      await store.transact(write(free));
    });
    const found = await store.transact((transaction) =>
      transaction.findConversations([held, free].map(({ _id: id }) => ({ workspaceId, id }))),
    );
    expect(found).toHaveLength(2);
  });

  it('shows a transaction one state from its first look to its end', async () => {
    const { store, workspaceId } = await make();
    const [one, two] = [event(workspaceId), event(workspaceId)];
    await store.transact((transaction) => transaction.insertEvents([one]));
    const seen = await store.transact(async (transaction) => {
      const before = await transaction.findEvents([one, two]);
      await store.transact((other) => other.insertEvents([two]));
      return [before.length, (await transaction.findEvents([one, two])).length];
    });
    expect(seen).toEqual([1, 1]);
  });

  it('runs again what wrote a conversation over a head that is no longer its head', async () => {
    const { store, workspaceId } = await make();
    const state = begin(started(workspaceId, 'k'));
    await store.transact((transaction) => transaction.writeConversations([{ state, previousHead: 0 }]));
    let runs = 0;
    await store.transact(async (transaction) => {
      runs += 1;
      const previousHead = runs === 1 ? 7 : 1;
      await transaction.writeConversations([{ state: { ...state, head: 8 }, previousHead }]);
    });
    expect(runs).toBe(2);
    const found = await store.transact((transaction) =>
      transaction.findConversations([{ workspaceId, id: state._id }]),
    );
    expect(found).toMatchObject([{ head: 8 }]);
  });

  it('knows of a contact its group’s head and the newest merge of it, and changes the contact with the event', async () => {
    const { store, workspaceId, addContact, contactOf } = await make();
    const [head, member, alone] = [newId(), newId(), newId()];
    await addContact(head, head, 'merge-2');
    await addContact(member, head);
    await addContact(alone);
    const found = await store.transact((transaction) =>
      transaction.findContacts([member, alone, 'nobody'].map((id) => ({ workspaceId, id }))),
    );
    expect(found.toSorted((a, b) => (a.id === member ? -1 : b.id === member ? 1 : 0))).toEqual([
      { id: member, workspaceId, headId: head, lastMergeId: 'merge-2' },
      { id: alone, workspaceId, headId: alone, lastMergeId: null },
    ]);
    const at = new Date('2026-03-01T10:00:00Z');
    const change = (fields: Record<string, { value: string | null; at: Date }>, fails = false) =>
      store.transact(async (transaction) => {
        await transaction.changeContacts([
          { workspaceId, contactId: alone, fields },
          { workspaceId, contactId: alone, blocked: true },
        ]);
        if (fails) throw new Error('no');
      });
    await change({ name: { value: 'Ada', at } });
    await change({ city: { value: null, at } });
    await expect(change({ name: { value: 'Eve', at } }, true)).rejects.toThrow('no');
    expect(await contactOf(alone)).toMatchObject({
      blocked: true,
      fields: { name: { value: 'Ada', at }, city: { value: null, at } },
    });
  });
});
