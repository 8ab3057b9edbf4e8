import { describe, expect, it } from 'vitest';
import { newId } from '../../../server/store/id.js';
import type { StoredEvent } from '../../../server/timeline/model.js';
import {
  DuplicateKey,
  type TimelineStore,
  type TimelineTransaction,
} from '../../../server/timeline/ports.js';
import { begin, startedKey } from '../../../server/timeline/projection.js';
import { mongooseStore } from '../../../server/timeline/store.js';
import { aCompany, withStore } from '../store.js';
import { memoryStore } from './memory-store.js';

withStore();

/** Both sides of the port keep the same promises: what is proved over the store in memory holds for the real one. */
const sides: [string, () => Promise<{ store: TimelineStore; workspaceId: string }>][] = [
  [
    'in memory',
    async () => {
      const store = memoryStore();
      store.numbers.set('w', 0);
      return { store, workspaceId: 'w' };
    },
  ],
  ['mongoose', async () => ({ store: mongooseStore, workspaceId: (await aCompany()).scope.workspaceId })],
];

const event = (workspaceId: string, over: Partial<StoredEvent> = {}): StoredEvent => ({
  _id: newId(),
  workspaceId,
  contactId: 'c',
  channel: 'chat',
  kind: 'message',
  direction: 'in',
  actor: { type: 'contact', id: 'c' },
  occurredAt: new Date('2026-03-01T10:00:00Z'),
  recordedAt: new Date('2026-03-01T10:00:00Z'),
  v: 1,
  body: { text: 'Hello', attachments: [], clientId: 'client-1' },
  dedupeKey: newId(),
  ...over,
});

const started = (workspaceId: string, key: string, number = 1) =>
  event(workspaceId, {
    kind: 'conversation_started',
    conversationId: newId(),
    inboxId: 'i',
    seq: 1,
    body: { number, subject: '' },
    dedupeKey: startedKey(key),
  });

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
});
