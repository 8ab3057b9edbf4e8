import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyState } from '../../../shared/delivery/state.js';
import { step } from '../../../shared/delivery/step.js';
import { append, type Client, crash, feed, heal, newWorld, readPage, type World } from './world.js';

type Op =
  | { type: 'write'; client: number; begin: boolean }
  | { type: 'agent' }
  | { type: 'carry'; client: number; pick: number }
  | { type: 'local'; client: number; pick: number }
  | { type: 'lose'; client: number; pick: number }
  | { type: 'double'; client: number; pick: number }
  | { type: 'cut'; client: number }
  | { type: 'connect'; client: number }
  | { type: 'crash'; client: number }
  | { type: 'older'; client: number };

const client = fc.nat({ max: 1 });
const pick = fc.nat({ max: 50 });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('write' as const), client, begin: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('agent' as const) }) },
  { weight: 12, arbitrary: fc.record({ type: fc.constant('carry' as const), client, pick }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('local' as const), client, pick }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('lose' as const), client, pick }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('double' as const), client, pick }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cut' as const), client }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('connect' as const), client }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), client }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('older' as const), client }) },
);

const shared = 'conv-shared';

function start(): World {
  const world = newWorld(2);
  append(world, 'first-message', shared.slice(5), 'hello');
  world.conversations.set(shared, [
    { ...append(world, 'opening-line', null, 'hello'), conversationId: shared },
  ]);
  for (const one of world.clients) {
    one.follows.push(shared);
    feed(world, one, { type: 'restored', items: [] });
    feed(world, one, { type: 'follow', conversationId: shared });
  }
  return world;
}

function apply(world: World, operation: Op, at: number): void {
  if (operation.type === 'agent') {
    const event = append(world, `agent-${at}`, shared, `answer ${at}`);
    for (const one of world.clients) {
      one.pending.push(() => one.state.isOnline && feed(world, one, { type: 'event', event }));
    }
    return;
  }
  const one = world.clients[operation.client]!;
  const chosen = 'pick' in operation && one.pending.length ? operation.pick % one.pending.length : -1;
  switch (operation.type) {
    case 'write': {
      const clientId = `client${operation.client}-${at}`;
      const own = [...one.state.outbox].reverse().find((item) => item.thread.startsWith('new:'));
      const thread = operation.begin ? (own?.thread ?? null) : shared;
      world.written.push({ client: operation.client, clientId, thread: thread ?? `new:${clientId}` });
      feed(world, one, { type: 'write', clientId, thread, body: clientId, queuedAt: at });
      return;
    }
    case 'carry':
      if (chosen >= 0) one.pending.splice(chosen, 1)[0]!();
      return;
    case 'local':
      if (one.local.length) one.local.splice(operation.pick % one.local.length, 1)[0]!();
      return;
    case 'lose':
      if (chosen >= 0) one.pending.splice(chosen, 1);
      return;
    case 'double':
      if (chosen >= 0) one.pending[chosen]!();
      return;
    case 'cut':
      one.pending = [];
      feed(world, one, { type: 'disconnected' });
      return;
    case 'connect':
      feed(world, one, { type: 'connected' });
      return;
    case 'crash':
      crash(world, one);
      return;
    case 'older':
      feed(world, one, { type: 'older', conversationId: shared });
      return;
  }
}

function seqs(one: Client, id: string): number[] {
  return one.state.threads[id]?.events.map((event) => event.seq ?? -1) ?? [];
}

/** What must hold after every single step, whatever was lost, doubled, reordered or killed. */
function expectSafe(world: World): void {
  for (const one of world.clients) {
    for (const [id, thread] of Object.entries(one.state.threads)) {
      const all = (world.conversations.get(id) ?? []).map((event) => event.seq ?? -1);
      const mine = seqs(one, id);
      const from = all.indexOf(mine[0] ?? -1);
      // A piece of the server's order, without a hole, without a double.
      if (mine.length) expect(mine).toEqual(all.slice(from, from + mine.length));
      if (thread.isLoaded) expect(all.filter((seq) => seq <= thread.upTo).at(-1)).toBe(mine.at(-1));
    }
    const flying = one.state.outbox.filter((item) => item.state === 'sending').map((item) => item.thread);
    expect(new Set(flying).size).toBe(flying.length);
    for (const item of one.state.outbox) {
      if (item.state !== 'sent') expect(one.disk.has(item.clientId)).toBe(true);
    }
  }
  for (const clientId of world.acknowledged) expect(world.appended.has(clientId)).toBe(true);
}

function expectWhole(world: World): void {
  for (const { clientId } of world.written) expect(world.appended.has(clientId), clientId).toBe(true);
  for (const one of world.clients) {
    expect(one.state.outbox).toEqual([]);
    expect(one.disk.size).toBe(0);
    const all = (world.conversations.get(shared) ?? []).map((event) => event.seq);
    expect(seqs(one, shared).at(-1)).toBe(all.at(-1));
    expect(one.state.threads[shared]?.upTo).toBe(all.at(-1));
  }
  // A sender's own messages stand in the order in which they were written.
  for (const at of [0, 1]) {
    const byThread = new Map<string, number[]>();
    for (const { client: who, clientId, thread } of world.written) {
      if (who !== at) continue;
      const event = world.appended.get(clientId)!;
      byThread.set(thread ?? '', [...(byThread.get(thread ?? '') ?? []), event.seq ?? 0]);
    }
    for (const places of byThread.values()) expect(places).toEqual([...places].sort((a, b) => a - b));
  }
}

describe('delivery engine', () => {
  it('keeps every message once, in order, through loss, doubles, reordering, cuts and crashes', () => {
    let written = 0;
    let faults = 0;
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 200, size: 'max' }), (operations) => {
        const world = start();
        operations.forEach((operation, at) => {
          apply(world, operation, at);
          if (['lose', 'double', 'cut', 'crash'].includes(operation.type)) faults += 1;
          expectSafe(world);
        });
        heal(world);
        expectSafe(world);
        expectWhole(world);
        written += world.written.length;
      }),
      { numRuns: 500 },
    );
    // The runs were not empty.
    expect(written).toBeGreaterThan(1_000);
    expect(faults).toBeGreaterThan(1_000);
  }, 120_000);

  it('pages backwards to the beginning without a hole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5 }), (count, limit) => {
        const world = newWorld(1);
        for (let at = 0; at < count; at += 1) append(world, `m-${at}`, 'conv-a', 'x');
        let state = { ...emptyState<string>(), isRestored: true, isOnline: true };
        let made = step(state, { type: 'follow', conversationId: 'conv-a' });
        for (let turn = 0; turn < 200; turn += 1) {
          state = made.state;
          const read = made.effects.find((effect) => effect.type === 'read');
          if (read) {
            const page = readPage(world, 'conv-a', read.query, limit);
            made = step(state, { type: 'page', conversationId: 'conv-a', token: read.token, page });
          } else if (state.threads['conv-a']?.isStart) break;
          else made = step(state, { type: 'older', conversationId: 'conv-a' });
        }
        expect(state.threads['conv-a']?.events).toEqual(world.conversations.get('conv-a'));
      }),
    );
  });

  it('keeps a refused message, marked, and lets those behind it pass', () => {
    const world = start();
    const one = world.clients[0]!;
    for (const clientId of ['too-long', 'next-one']) {
      feed(world, one, { type: 'write', clientId, thread: shared, body: clientId, queuedAt: 0 });
      feed(world, one, { type: 'saved', clientId });
    }
    feed(world, one, { type: 'connected' });
    const attempt = one.state.outbox[0]!.attempt;
    // The server refused it: nothing of this sending is on its way any more.
    one.pending = [];
    feed(world, one, {
      type: 'unanswered',
      clientId: 'too-long',
      attempt,
      error: { code: 'message_too_long', retry: 'changed', message: '', details: { limit: 8_000 } },
    });
    expect(one.state.outbox.map(({ state }) => state)).toEqual(['refused', 'sending']);
    expect(one.disk.get('too-long')?.error?.code).toBe('message_too_long');
    heal(world);
    expect(one.state.outbox.map(({ clientId }) => clientId)).toEqual(['too-long']);
    crash(world, one);
    expect(one.state.outbox[0]?.state).toBe('refused');
    feed(world, one, { type: 'retry', clientId: 'too-long' });
    heal(world);
    expect(world.appended.has('too-long')).toBe(true);
  });

  it('holds back what is written in a conversation that may be the one still being begun', () => {
    const world = newWorld(1);
    const one = world.clients[0]!;
    feed(world, one, { type: 'restored', items: [] });
    feed(world, one, { type: 'connected' });
    feed(world, one, { type: 'write', clientId: '1-first', thread: null, body: '', queuedAt: 0 });
    for (const [clientId, thread] of [
      ['2-second', 'new:1-first'],
      ['3-third', 'begun'],
    ] as const)
      feed(world, one, { type: 'write', clientId, thread, body: '', queuedAt: 0 });
    for (const { clientId } of one.state.outbox) feed(world, one, { type: 'saved', clientId });
    const states = () => one.state.outbox.map(({ state }) => state);
    expect(states()).toEqual(['sending', 'waiting', 'waiting']);
    const event = { ...append(world, '1-first', null, ''), conversationId: 'begun' };
    feed(world, one, { type: 'answered', clientId: '1-first', event });
    expect(states()).toEqual(['sent', 'sending', 'waiting']);
  });

  it('takes a conversation that has begun for itself, whatever an answer to what was written in it says', () => {
    const world = newWorld(1);
    const one = world.clients[0]!;
    feed(world, one, { type: 'restored', items: [] });
    for (const clientId of ['1-first', '2-second']) {
      const thread = clientId === '1-first' ? null : 'new:1-first';
      feed(world, one, { type: 'write', clientId, thread, body: '', queuedAt: 0 });
    }
    const begun = (clientId: string, conversationId: string) => ({
      ...append(world, clientId, null, ''),
      conversationId,
    });
    feed(world, one, { type: 'event', event: begun('1-first', 'one') });
    // It was sent before that was known, and began another.
    feed(world, one, { type: 'answered', clientId: '2-second', event: begun('2-second', 'another') });
    expect(one.state.outbox.map(({ clientId }) => clientId)).not.toContain('2-second');
    feed(world, one, { type: 'write', clientId: '3-third', thread: 'one', body: '', queuedAt: 0 });
    expect(one.state.outbox.find(({ clientId }) => clientId === '3-third')?.conversationId).toBe('one');
  });

  it('knows where the rest belongs when the page ended while a begun conversation was being written down', () => {
    const world = newWorld(1);
    const one = world.clients[0]!;
    feed(world, one, { type: 'restored', items: [] });
    for (const clientId of ['1-first', '2-second', '3-third']) {
      const thread = clientId === '1-first' ? null : 'new:1-first';
      feed(world, one, { type: 'write', clientId, thread, body: clientId, queuedAt: 0 });
    }
    const before = [...one.disk.values()];
    const event = append(world, '1-first', null, 'first');
    const { effects } = step(one.state, { type: 'answered', clientId: '1-first', event });
    const writes = effects.filter((effect) => effect.type === 'save' || effect.type === 'forget');
    expect(writes.map(({ type }) => type)).toEqual(['save', 'save', 'save', 'forget']);
    for (let done = 1; done <= writes.length; done += 1) {
      const disk = new Map(before.map((item) => [item.clientId, item]));
      for (const write of writes.slice(0, done)) {
        if (write.type === 'save') disk.set(write.item.clientId, write.item);
        else disk.delete(write.clientId);
      }
      const { state } = step(emptyState<string>(), { type: 'restored', items: [...disk.values()] });
      const places = state.outbox.map(({ thread, conversationId }) => [thread, conversationId]);
      expect(places).toEqual(places.map(() => [event.conversationId, event.conversationId]));
    }
  });

  it('writes down where the rest belongs before the one that says so is gone, and the page ends once more', () => {
    const kept = { body: '', queuedAt: 0, writtenIn: 'new:1-first' };
    const moved = { ...kept, clientId: '1-first', thread: 'begun', conversationId: 'begun', order: 1 };
    const { writtenIn: _, ...left } = { ...kept, clientId: '2-second', thread: 'new:1-first', order: 2 };
    const items = [moved, { ...left, conversationId: null }];
    const { effects } = step(emptyState<string>(), { type: 'restored', items });
    expect(effects).toContainEqual({
      type: 'save',
      item: { ...kept, clientId: '2-second', thread: 'begun', conversationId: 'begun', order: 2 },
    });
  });

  it('saves nothing under a place of its own before it knows what storage keeps', () => {
    const written = { type: 'write', clientId: 'new', thread: shared, body: '', queuedAt: 0 } as const;
    const first = step(emptyState<string>(), written);
    expect(first.effects).toEqual([]);
    const item = { clientId: 'old', thread: shared, conversationId: shared, body: '', queuedAt: 0, order: 7 };
    const { effects } = step(first.state, { type: 'restored', items: [item] });
    expect(effects).toEqual([{ type: 'save', item: expect.objectContaining({ clientId: 'new', order: 8 }) }]);
  });

  it('takes up nothing that was read from storage for somebody who signed out meanwhile', () => {
    const gone = step(emptyState<string>(), { type: 'wipe' });
    const item = {
      clientId: 'secret',
      thread: shared,
      conversationId: shared,
      body: '',
      queuedAt: 0,
      order: 1,
    };
    const { state } = step(gone.state, { type: 'restored', items: [item] });
    expect(state.outbox).toEqual([]);
  });

  it('waits as long as the server says, and never gives up', () => {
    let state = { ...emptyState<string>(), isRestored: true, isOnline: true };
    let made = step(state, { type: 'write', clientId: 'patient', thread: shared, body: '', queuedAt: 0 });
    made = step(made.state, { type: 'saved', clientId: 'patient' });
    for (let failure = 0; failure < 1_000; failure += 1) {
      const attempt = made.state.outbox[0]!.attempt;
      made = step(made.state, {
        type: 'unanswered',
        clientId: 'patient',
        attempt,
        error: { code: 'rate_limited', retry: 'same', message: '', details: { retryAfterMs: 7_000 } },
      });
      const rest = made.effects.find((effect) => effect.type === 'rest');
      expect(rest).toMatchObject({ atLeastMs: 7_000, failures: failure });
      made = step(made.state, { type: 'due', key: rest!.key, timer: rest!.timer });
      state = made.state;
      expect(state.outbox[0]?.state).toBe('sending');
    }
  });

  it('forgets everything of the person who signs out, in memory and in storage', () => {
    const world = start();
    const one = world.clients[0]!;
    feed(world, one, { type: 'write', clientId: 'secret-1', thread: null, body: 'private', queuedAt: 0 });
    heal(world);
    feed(world, one, { type: 'write', clientId: 'secret-2', thread: shared, body: 'private', queuedAt: 0 });
    const late = [...one.pending.splice(0), ...one.local.splice(0)];
    feed(world, one, { type: 'wipe' });
    for (const work of late) work();
    for (const work of [...one.pending.splice(0), ...one.local.splice(0)]) work();
    expect(one.disk.size).toBe(0);
    expect(one.state.outbox).toEqual([]);
    expect(one.state.threads).toEqual({});
    expect(JSON.stringify(one.state)).not.toContain('private');
  });

  it('lets read marks only go forward, and tells one that was made offline after the next connect', () => {
    let made = step({ ...emptyState<string>(), isRestored: true }, { type: 'follow', conversationId: 'a' });
    made = step(made.state, { type: 'seen', conversationId: 'a', seq: 5 });
    expect(made.effects).toEqual([]);
    made = step(made.state, { type: 'seen', conversationId: 'a', seq: 3 });
    made = step(made.state, { type: 'connected' });
    expect(made.effects).toContainEqual({ type: 'mark', conversationId: 'a', seq: 5 });
    made = step(made.state, { type: 'read-by-other', conversationId: 'a', seq: 9 });
    made = step(made.state, { type: 'read-by-other', conversationId: 'a', seq: 2 });
    expect(made.state.threads.a?.readByOther).toBe(9);
  });
});
