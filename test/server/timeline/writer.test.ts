import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prepare } from '../../../server/timeline/draft.js';
import type { PlacedEvent } from '../../../server/timeline/place.js';
import type { Ports } from '../../../server/timeline/ports.js';
import { createWriter, type Writer } from '../../../server/timeline/writer.js';
import { AppError } from '../../../shared/errors.js';
import { limits } from '../../../shared/limits.js';
import { aMessage, aNote, aReply, begunUnder } from './drafts.js';
import { type MemoryOptions, type MemoryStore, memoryStore } from './memory-store.js';

const workspaceId = 'workspace-1';

interface Bench {
  store: MemoryStore;
  writer: Writer;
  published: PlacedEvent[];
  /** What happened, in order: acknowledgements and publications. */
  log: string[];
  clock: { now: Date };
  send: (draft: ReturnType<typeof aMessage>) => ReturnType<Writer['add']>;
}

function bench(options: MemoryOptions & { batch?: number; queue?: number } = {}): Bench {
  const store = memoryStore(options);
  store.numbers.set(workspaceId, 4_181);
  let ids = 0;
  const clock = { now: new Date('2026-03-01T10:00:01Z') };
  const ports: Ports = {
    now: () => clock.now,
    newId: () => `id-${++ids}`,
    later: (task) => setImmediate(task),
  };
  const published: PlacedEvent[] = [];
  const log: string[] = [];
  const writer = createWriter({
    store,
    ports,
    onWritten: (placed) => {
      published.push(...placed);
      log.push(...placed.map(({ event }) => `published ${event.dedupeKey}`));
    },
    ...(options.batch !== undefined && { batch: options.batch }),
    ...(options.queue !== undefined && { queue: options.queue }),
  });
  const send: Bench['send'] = async (draft) => {
    const appended = await writer.add(prepare(workspaceId, draft));
    log.push(`acknowledged ${draft.dedupeKey}`);
    return appended;
  };
  return { store, writer, published, log, clock, send };
}

const settled = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

describe('the writer', () => {
  it('begins a conversation under a key with its number, before the first message', async () => {
    const { store, send } = bench();
    const { event } = await send(aMessage({ conversation: begunUnder('k1', 'inbox-1', 'A  question\n') }));
    expect(event).toMatchObject({ kind: 'message', seq: 2, previousSeq: 1, previousVisitorSeq: 1 });
    const [started] = [...store.events.values()];
    expect(started).toMatchObject({
      kind: 'conversation_started',
      seq: 1,
      body: { number: 4_182, subject: 'A question' },
      conversationId: event.conversationId,
    });
    expect([...store.conversations.values()]).toMatchObject([
      { number: 4_182, head: 2, visitorHead: 2, incoming: 1, status: 'open', key: 'k1' },
    ]);
  });

  it('finds the conversation that was begun under the same key', async () => {
    const { store, send } = bench();
    const [a, b] = await Promise.all([
      send(aMessage({ conversation: begunUnder('k1') })),
      send(aMessage({ conversation: begunUnder('k1') })),
    ]);
    const c = await send(aMessage({ conversation: begunUnder('k1') }));
    expect(new Set([a, b, c].map(({ event }) => event.conversationId)).size).toBe(1);
    expect([a, b, c].map(({ event }) => event.seq)).toEqual([2, 3, 4]);
    expect(store.numbers.get(workspaceId)).toBe(4_182);
  });

  it('answers a retry with the first event, in the same batch, in the next and later', async () => {
    const { store, send } = bench();
    const draft = aMessage({ conversation: begunUnder('k1'), text: 'first' });
    const [first, twin] = await Promise.all([
      send(draft),
      send({ ...draft, body: { ...draft.body, text: 'other' } }),
    ]);
    const later = await send(draft);
    expect([first, twin, later].map((one) => one.isFirst)).toEqual([true, false, false]);
    expect(twin.event).toEqual(first.event);
    expect(later.event).toEqual(first.event);
    expect(store.events.size).toBe(2);
  });

  it('takes what gathered while the last batch was written, at most a batch, in one transaction each', async () => {
    const { store, send } = bench({ batch: 100 });
    await send(aMessage({ conversation: begunUnder('k1') }));
    const before = store.commits;
    await Promise.all(Array.from({ length: 250 }, () => send(aMessage({ conversation: begunUnder('k1') }))));
    expect(store.commits - before).toBe(3);
  });

  it('acknowledges before it publishes, and publishes in the order of the seqs', async () => {
    const { log, published, send } = bench();
    await Promise.all(
      ['a', 'b', 'c'].map((key) => send(aMessage({ conversation: begunUnder('k1'), dedupeKey: key }))),
    );
    await settled();
    expect(log).toEqual([
      'acknowledged a',
      'acknowledged b',
      'acknowledged c',
      'published conversation-started:k1',
      'published a',
      'published b',
      'published c',
    ]);
    expect(published.map(({ state }) => state?.head)).toEqual([1, 2, 3, 4]);
  });

  it('publishes nothing for a retry', async () => {
    const { published, send } = bench();
    const draft = aMessage({ conversation: begunUnder('k1') });
    await send(draft);
    await settled();
    const count = published.length;
    await send(draft);
    await settled();
    expect(published).toHaveLength(count);
  });

  it('fails one bad draft alone', async () => {
    const { send, store } = bench();
    const results = await Promise.allSettled([
      send(aMessage({ conversation: begunUnder('k1') })),
      send(aMessage({ conversation: { id: 'nobody' } })),
      send(aMessage({ conversation: begunUnder('k1') })),
    ]);
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'conversation_not_found' } });
    expect(store.commits).toBe(1);
  });

  it('finds a draft that the store refuses by halves, and writes its neighbours in their order', async () => {
    let poison = '';
    const store = bench({});
    const insert = store.store.transact.bind(store.store);
    store.store.transact = (work) =>
      insert((transaction) =>
        work({
          ...transaction,
          insertEvents: async (events) => {
            if (events.some((event) => event.dedupeKey === poison)) throw new Error('document too large');
            await transaction.insertEvents(events);
          },
        }),
      );
    await store.send(aMessage({ conversation: begunUnder('k1') }));
    poison = 'bad';
    const keys = ['a', 'b', 'c', 'bad', 'd', 'e', 'f'];
    const results = await Promise.allSettled(
      keys.map((dedupeKey) => store.send(aMessage({ conversation: begunUnder('k1'), dedupeKey }))),
    );
    expect(
      results.map((one) => (one.status === 'fulfilled' ? one.value.event.seq : one.reason.code)),
    ).toEqual([3, 4, 5, 'internal', 6, 7, 8]);
  });

  it('answers a draft whose key a rival process took meanwhile with the rival’s event', async () => {
    const first = bench();
    const second = bench();
    second.store.transact = first.store.transact;
    const draft = aMessage({ conversation: begunUnder('k1'), dedupeKey: 'shared' });
    const [a, b] = await Promise.all([first.send(draft), second.send(draft)]);
    expect(a.event._id).toBe(b.event._id);
    expect([a.isFirst, b.isFirst].filter(Boolean)).toHaveLength(1);
    expect(first.store.events.size).toBe(2);
  });

  it('writes around a conversation that a process died holding, and refuses all that comes for it until it is free', async () => {
    const { store, send } = bench();
    await Promise.all(['a', 'b', 'c'].map((key) => send(aMessage({ conversation: begunUnder(key) }))));
    const dead = store.connect({ before: (step) => (step === 'commit' ? new Promise(() => {}) : undefined) });
    const held = [...store.conversations.values()].find(({ key }) => key === 'b');
    if (!held) throw new Error('b was not begun');
    void dead.transact((transaction) =>
      transaction.writeConversations([{ state: { ...held, head: 3 }, previousHead: held.head }]),
    );
    await settled();
    const places = ['a', 'b', 'c', 'b', 'a', 'b'];
    const sends = () =>
      Promise.allSettled(
        places.map((key, at) =>
          send(aMessage({ conversation: begunUnder(key), dedupeKey: `${key}-${at}`, text: `${at}` })),
        ),
      );
    const seen = (results: Awaited<ReturnType<typeof sends>>) =>
      results.map((one) => (one.status === 'fulfilled' ? one.value.event.seq : one.reason.code));
    const away = 'store_unavailable';
    expect(seen(await sends())).toEqual([3, away, 3, away, 4, away]);
    for (const holder of store.held.values()) holder.hasEnded = true;
    expect(seen(await sends())).toEqual([3, 3, 3, 4, 4, 5]);
  });

  it('asks the store no more than twice for each conversation that begins while a dead process holds their counter', async () => {
    let asked = 0;
    const { store, send } = bench({
      before: (step) => {
        if (step === 'takeNumbers') asked += 1;
      },
    });
    const dead = store.connect({ before: (step) => (step === 'commit' ? new Promise(() => {}) : undefined) });
    void dead.transact((transaction) => transaction.takeNumbers(workspaceId, 1));
    await settled();
    const keys = Array.from({ length: 64 }, (_, at) => `k${at}`);
    const results = await Promise.allSettled(
      keys.map((key) => send(aMessage({ conversation: begunUnder(key) }))),
    );
    expect(results.every((one) => one.status === 'rejected' && one.reason.code === 'store_unavailable')).toBe(
      true,
    );
    expect(asked).toBeLessThan(2 * keys.length + 8);
  });

  it('gives back, with what the store did not take, all that waits behind it in its conversation', async () => {
    let isAway = false;
    const { send, log } = bench({
      batch: 2,
      before: (step) => {
        if (step !== 'commit' || !isAway) return;
        // For one batch.
        isAway = false;
        throw new AppError('store_unavailable');
      },
    });
    await Promise.all(['a', 'b'].map((key) => send(aMessage({ conversation: begunUnder(key) }))));
    isAway = true;
    log.length = 0;
    const places = ['a', 'a', 'a', 'b', 'a'];
    const all = () =>
      Promise.allSettled(
        places.map((key, at) => send(aMessage({ conversation: begunUnder(key), dedupeKey: `${at}` }))),
      );
    const away = 'store_unavailable';
    const seen = (results: Awaited<ReturnType<typeof all>>) =>
      results.map((one) => (one.status === 'fulfilled' ? one.value.event.seq : one.reason.code));
    expect(seen(await all())).toEqual([away, away, away, 3, away]);
    expect(seen(await all())).toEqual([3, 4, 5, 3, 6]);
  });

  it('gives the whole batch the outage, without asking the store for each half', async () => {
    let steps = 0;
    const { send } = bench({
      before: (step) => {
        if (step !== 'commit') return;
        steps += 1;
        throw new AppError('store_full');
      },
    });
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => send(aMessage())));
    expect(results.every((one) => one.status === 'rejected' && one.reason.code === 'store_full')).toBe(true);
    expect(steps).toBe(1);
  });

  it('refuses at once what is over the queue, naming the limit, and takes more when there is room', async () => {
    const { writer, send } = bench({ queue: 3 });
    const waiting = [1, 2, 3].map(() => send(aMessage()));
    await expect(send(aMessage())).rejects.toMatchObject({
      code: 'rate_limited',
      details: { limit: 'appendQueue', max: 3 },
    });
    await Promise.all(waiting);
    await writer.idle();
    await expect(send(aMessage())).resolves.toMatchObject({ isFirst: true });
  });

  it('writes what is added in the very turn in which it would stop', async () => {
    const { send } = bench();
    // Each continuation adds the next draft in the microtask after the last acknowledgement.
    let chain: Promise<unknown> = Promise.resolve();
    for (let turn = 0; turn < 50; turn += 1) {
      chain = chain.then(() => send(aMessage()));
      for (let step = 0; step < turn % 7; step += 1) chain = chain.then(() => {});
    }
    await chain;
  });

  it('cuts a time that lies ahead, and says so', async () => {
    const { clock, send } = bench();
    const edge = new Date(clock.now.getTime() + limits.futureSkewMs);
    const kept = await send(aMessage({ occurredAt: edge }));
    expect(kept.event).toMatchObject({ occurredAt: edge });
    expect(kept.event.timeCorrected).toBeUndefined();
    const cut = await send(aMessage({ occurredAt: new Date(edge.getTime() + 1) }));
    expect(cut.event).toMatchObject({ occurredAt: edge, timeCorrected: true });
  });

  it('opens a closed conversation again by an event of its own when the customer writes', async () => {
    const { store, send, writer } = bench();
    const { event } = await send(aMessage({ conversation: begunUnder('k1') }));
    const conversation = { id: event.conversationId ?? '' };
    await writer.add(
      prepare(workspaceId, {
        ...aNote({ conversation }),
        kind: 'status_changed',
        body: { from: 'open', to: 'closed' },
      }),
    );
    await send(aMessage({ conversation }));
    const kinds = [...store.events.values()].map(({ kind, seq }) => [seq, kind]);
    expect(kinds).toEqual([
      [1, 'conversation_started'],
      [2, 'message'],
      [3, 'status_changed'],
      [4, 'message'],
      [5, 'status_changed'],
    ]);
    expect([...store.conversations.values()][0]).toMatchObject({ status: 'open', head: 5 });
  });

  it('answers the retry of a change that its first try made impossible to do twice', async () => {
    const { store, send, writer } = bench();
    const { event } = await send(aMessage({ conversation: begunUnder('k1') }));
    const close = prepare(workspaceId, {
      ...aNote({ conversation: { id: event.conversationId ?? '' } }),
      kind: 'status_changed',
      body: { from: 'open', to: 'closed' },
    });
    const first = await writer.add(close);
    const [retry, neighbour] = await Promise.all([
      writer.add(close),
      send(aMessage({ conversation: { id: event.conversationId ?? '' }, text: 'and more' })),
    ]);
    expect(retry).toEqual({ event: first.event, isFirst: false });
    expect(neighbour.isFirst).toBe(true);
    expect(
      [...store.events.values()].filter(
        ({ kind, actor }) => kind === 'status_changed' && actor.type !== 'system',
      ),
    ).toHaveLength(1);
  });

  it('refuses a change from a state that is no longer the current one', async () => {
    const { send, writer } = bench();
    const { event } = await send(aMessage({ conversation: begunUnder('k1') }));
    const conversation = { id: event.conversationId ?? '' };
    const close = () =>
      writer.add(
        prepare(workspaceId, {
          ...aNote({ conversation }),
          kind: 'status_changed',
          body: { from: 'open', to: 'closed' },
        }),
      );
    const results = await Promise.allSettled([close(), close()]);
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected']);
    expect(results[1]).toMatchObject({ reason: { code: 'conflict' } });
  });

  it('keeps a stranger out of a conversation as if it were not there, and lets a merged contact in', async () => {
    const { send, store } = bench();
    const link = (id: string, headId: string) =>
      store.contacts.set(`${workspaceId}\n${id}`, { id, workspaceId, headId, lastMergeId: null });
    link('contact-1', 'contact-1');
    link('stranger', 'stranger');
    link('same-person', 'contact-1');
    const { event } = await send(aMessage({ conversation: begunUnder('k1') }));
    const conversation = { id: event.conversationId ?? '' };
    await expect(send(aMessage({ contactId: 'stranger', conversation }))).rejects.toMatchObject({
      code: 'conversation_not_found',
    });
    const { event: theirs } = await send(aMessage({ contactId: 'same-person', conversation }));
    expect(theirs).toMatchObject({ contactId: 'same-person', seq: 3 });
  });

  it('gives a note to the head of the group with its newest merge, and a reply to the conversation’s contact', async () => {
    const { send, writer, store } = bench();
    store.contacts.set(`${workspaceId}\ncontact-1`, {
      id: 'contact-1',
      workspaceId,
      headId: 'head-1',
      lastMergeId: 'merge-1',
    });
    const { event } = await send(aMessage({ conversation: begunUnder('k1') }));
    const conversation = { id: event.conversationId ?? '' };
    const note = await writer.add(prepare(workspaceId, aNote({ conversation })));
    expect(note.event).toMatchObject({ contactId: 'head-1', mergeId: 'merge-1' });
    const reply = await send(aReply({ conversation, contactId: 'head-1' }));
    expect(reply.event.contactId).toBe('contact-1');
    expect(reply.event.mergeId).toBeUndefined();
  });

  it('writes the job of an e-mail that was written here, and of no letter that was imported', async () => {
    const { writer, store } = bench();
    const letter = {
      messageId: '<1@example.org>',
      inReplyTo: [],
      references: [],
      from: { name: '', address: 'us@example.org' },
      to: [{ name: '', address: 'you@example.com' }],
      cc: [],
      subject: 'Hello',
      text: 'Hello',
      attachments: [],
    };
    const base = {
      ...aNote({ conversation: begunUnder('k1'), channel: 'email', direction: 'out' }),
      kind: 'email' as const,
    };
    const sent = await writer.add(
      prepare(workspaceId, { ...base, body: { ...letter, clientId: 'client-id-1' }, dedupeKey: 'a' }),
    );
    await writer.add(prepare(workspaceId, { ...base, body: letter, dedupeKey: 'b', importId: 'import-1' }));
    expect([...store.jobs.values()]).toEqual([
      {
        workspaceId,
        name: 'email.send',
        key: `email.send:${sent.event._id}`,
        payload: { eventId: sent.event._id, clientId: 'client-id-1' },
      },
    ]);
  });

  it('keeps every draft once and in its sender’s order, whatever is retried, together or apart', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.integer({ min: 0, max: 8 }), room: fc.integer({ min: 0, max: 2 }) }), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.integer({ min: 1, max: 5 }),
        fc.scheduler(),
        async (sends, batch, scheduler) => {
          const { store, send } = bench({
            batch,
            before: (step) => scheduler.schedule(Promise.resolve(), step),
          });
          const acknowledged = sends.map(({ key, room }) =>
            send(aMessage({ dedupeKey: `${room}:${key}`, conversation: begunUnder(`room-${room}`) })),
          );
          await scheduler.waitFor(Promise.all(acknowledged));
          for (const room of [0, 1, 2]) {
            const events = [...store.events.values()].filter(
              (event) => event.dedupeKey.startsWith(`${room}:`) && event.kind === 'message',
            );
            const firsts = [
              ...new Set(sends.filter((one) => one.room === room).map((one) => `${room}:${one.key}`)),
            ];
            expect(
              events.toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0)).map((one) => one.dedupeKey),
            ).toEqual(firsts);
            expect(events.map((one) => one.seq).toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(
              firsts.map((_, index) => index + 2),
            );
          }
        },
      ),
      { numRuns: 60 },
    ));
});
