import type { ErrorReply } from '../errors.js';
import type { TimelineEvent } from '../events/timeline.js';
import {
  type DeliveryState,
  type Effect,
  emptyState,
  emptyThread,
  type Input,
  type Outgoing,
  type Step,
  type Stored,
  type Thread,
} from './state.js';
import { hear, nextRead, turnPage } from './thread.js';

/**
 * The sync engine: what a client knows, and what it does next. Pure: time, chance, storage and the network are the
 * runner's. A message leaves the outbox only when its own event came back, or its sender took it away; a thread never
 * has a hole or a double; what is not known to be whole is read again by its cursor.
 */
export function step<Body>(state: DeliveryState<Body>, input: Input<Body>): Step<Body> {
  const work: Work<Body> = { state, effects: [] };
  take(work, input);
  goOn(work);
  return work;
}

const storedOf = <Body>(item: Outgoing<Body>): Stored<Body> => ({
  clientId: item.clientId,
  thread: item.thread,
  conversationId: item.conversationId,
  body: item.body,
  queuedAt: item.queuedAt,
  order: item.order,
  ...(item.error && { error: item.error }),
});

const clientIdOf = ({ body }: TimelineEvent): string | undefined =>
  body && 'clientId' in body ? body.clientId : undefined;

const without = <Value>(record: Readonly<Record<string, Value>>, key: string): Record<string, Value> => {
  const { [key]: _, ...rest } = record;
  return rest;
};

/** One step in the making: the state as it stands, and what is to be done so far. */
interface Work<Body> {
  state: DeliveryState<Body>;
  effects: Effect<Body>[];
}

function set<Body>(work: Work<Body>, part: Partial<DeliveryState<Body>>): void {
  work.state = { ...work.state, ...part };
}

function itemOf<Body>(work: Work<Body>, clientId: string): Outgoing<Body> | undefined {
  return work.state.outbox.find((one) => one.clientId === clientId);
}

function change<Body>(work: Work<Body>, clientId: string, part: Partial<Outgoing<Body>>): void {
  set(work, {
    outbox: work.state.outbox.map((one) => (one.clientId === clientId ? { ...one, ...part } : one)),
  });
}

function save<Body>(work: Work<Body>, clientId: string): void {
  const item = itemOf(work, clientId);
  if (item) work.effects.push({ type: 'save', item: storedOf(item) });
}

function dropItem<Body>(work: Work<Body>, clientId: string): void {
  set(work, { outbox: work.state.outbox.filter((one) => one.clientId !== clientId) });
}

function changeThread<Body>(work: Work<Body>, id: string, change: (thread: Thread) => Thread): void {
  const thread = work.state.threads[id];
  if (thread) set(work, { threads: { ...work.state.threads, [id]: change(thread) } });
}

function count<Body>(work: Work<Body>): number {
  set(work, { counter: work.state.counter + 1 });
  return work.state.counter;
}

function rest<Body>(work: Work<Body>, key: string, failures: number, error?: ErrorReply): void {
  const timer = count(work);
  const wait = error?.details?.retryAfterMs;
  const atLeastMs = typeof wait === 'number' && wait > 0 ? wait : 0;
  set(work, { resting: { ...work.state.resting, [key]: timer } });
  work.effects.push({ type: 'rest', key, timer, failures, atLeastMs });
}

function take<Body>(work: Work<Body>, input: Input<Body>): void {
  switch (input.type) {
    case 'restored':
      return restore(work, input.items);
    case 'connected':
    case 'disconnected':
      return turnLine(work, input.type === 'connected');
    case 'write':
      return write(work, input);
    case 'saved':
      if (itemOf(work, input.clientId)?.state === 'saving')
        change(work, input.clientId, { state: 'waiting' });
      return;
    case 'answered':
      settle(work, input.clientId, input.event);
      return hearEvent(work, input.event);
    case 'unanswered':
      return fail(work, input);
    case 'retry':
      return retry(work, input.clientId);
    case 'discard':
      return discard(work, input.clientId);
    case 'follow':
      if (!work.state.threads[input.conversationId]) {
        set(work, { threads: { ...work.state.threads, [input.conversationId]: emptyThread } });
      }
      return;
    case 'unfollow':
      return set(work, { threads: without(work.state.threads, input.conversationId) });
    case 'older':
      return changeThread(work, input.conversationId, (thread) => ({ ...thread, wantsOlder: true }));
    case 'event':
      return hearEvent(work, input.event);
    case 'missed':
      return changeThread(work, input.conversationId, (thread) => ({ ...thread, isStale: true }));
    case 'page':
      return takePage(work, input);
    case 'unread':
      return failRead(work, input);
    case 'seen':
      return see(work, input.conversationId, input.seq);
    case 'read-by-other':
      return changeThread(work, input.conversationId, (thread) =>
        input.seq > thread.readByOther ? { ...thread, readByOther: input.seq } : thread,
      );
    case 'due':
      if (work.state.resting[input.key] === input.timer) {
        set(work, { resting: without(work.state.resting, input.key) });
      }
      return;
    case 'wipe':
      work.state = {
        ...emptyState<Body>(),
        isRestored: true,
        isOnline: work.state.isOnline,
        // Goes on counting: a timer or an answer of the former person must never fit.
        counter: work.state.counter,
      };
      work.effects.push({ type: 'forget-all' });
      return;
  }
}

function restore<Body>(work: Work<Body>, items: readonly Stored<Body>[]): void {
  const restored = [...items]
    .sort((a, b) => a.order - b.order)
    .filter((item) => !itemOf(work, item.clientId))
    .map(
      (item): Outgoing<Body> => ({
        ...item,
        state: item.error ? 'refused' : 'waiting',
        attempt: 0,
        failures: 0,
      }),
    );
  const last = restored.at(-1)?.order ?? 0;
  // What was written while storage was being read comes after what it held.
  const written = work.state.outbox.map((item, at) => ({ ...item, order: last + 1 + at }));
  set(work, { isRestored: true, outbox: [...restored, ...written] });
  for (const { clientId } of restored.length ? written : []) save(work, clientId);
}

function turnLine<Body>(work: Work<Body>, isOnline: boolean): void {
  const threads = Object.entries(work.state.threads).map(([id, { error: _, ...thread }]) => {
    if (isOnline && thread.seenUntold) {
      work.effects.push({ type: 'mark', conversationId: id, seq: thread.seen });
    }
    const seenUntold = thread.seenUntold && !isOnline;
    return [id, { ...thread, reading: null, failures: 0, isStale: thread.isLoaded, seenUntold }] as const;
  });
  set(work, {
    isOnline,
    resting: {},
    threads: Object.fromEntries(threads),
    outbox: work.state.outbox.map((item) =>
      item.state === 'sending' ? { ...item, state: 'waiting' } : item,
    ),
  });
}

function write<Body>(
  work: Work<Body>,
  { clientId, thread, body, queuedAt }: Extract<Input<Body>, { type: 'write' }>,
): void {
  const named = thread ?? `new:${clientId}`;
  const begun = work.state.begun[named] ?? named;
  const order = (work.state.outbox.at(-1)?.order ?? 0) + 1;
  const conversationId = begun.startsWith('new:') ? null : begun;
  const item: Outgoing<Body> = {
    clientId,
    thread: begun,
    conversationId,
    body,
    queuedAt,
    order,
    state: 'saving',
    attempt: 0,
    failures: 0,
  };
  set(work, { outbox: [...work.state.outbox, item] });
  save(work, clientId);
}

/** Durable on the server: storage need not keep it any more. */
function settle<Body>(work: Work<Body>, clientId: string, event: TimelineEvent): void {
  const item = itemOf(work, clientId);
  if (!item || item.state === 'sent') return;
  const id = event.conversationId ?? item.thread;
  if (id !== item.thread) begin(work, item.thread, id);
  change(work, clientId, { state: 'sent', seq: event.seq ?? 0 });
  work.effects.push({ type: 'forget', clientId });
}

/** A conversation has begun: what was written for it follows, in storage too, before its first message is forgotten. */
function begin<Body>(work: Work<Body>, thread: string, conversationId: string): void {
  set(work, {
    begun: { ...work.state.begun, [thread]: conversationId },
    outbox: work.state.outbox.map((one) =>
      one.thread === thread ? { ...one, thread: conversationId, conversationId } : one,
    ),
  });
  for (const one of work.state.outbox) if (one.thread === conversationId) save(work, one.clientId);
  take(work, { type: 'follow', conversationId });
}

function fail<Body>(
  work: Work<Body>,
  { clientId, attempt, error }: Extract<Input<Body>, { type: 'unanswered' }>,
): void {
  const item = itemOf(work, clientId);
  // An answer to an earlier sending says nothing about this one.
  if (item?.state !== 'sending' || item.attempt !== attempt) return;
  if (error && error.retry !== 'same') {
    change(work, clientId, { state: 'refused', error });
    save(work, clientId);
    return;
  }
  change(work, clientId, { state: 'waiting', failures: item.failures + 1 });
  rest(work, item.thread, item.failures, error);
}

function retry<Body>(work: Work<Body>, clientId: string): void {
  const item = itemOf(work, clientId);
  if (item?.state !== 'refused') return;
  // Those behind it went on: it takes its place at the end.
  const { error: _, ...rest } = item;
  const order = (work.state.outbox.at(-1)?.order ?? 0) + 1;
  dropItem(work, clientId);
  set(work, { outbox: [...work.state.outbox, { ...rest, order, failures: 0, state: 'saving' }] });
  save(work, clientId);
}

function discard<Body>(work: Work<Body>, clientId: string): void {
  const state = itemOf(work, clientId)?.state;
  // One on its way may already have arrived: it cannot be taken back any more.
  if (state === undefined || state === 'sending' || state === 'sent') return;
  dropItem(work, clientId);
  work.effects.push({ type: 'forget', clientId });
}

function hearEvent<Body>(work: Work<Body>, event: TimelineEvent): void {
  const id = event.conversationId;
  const clientId = clientIdOf(event);
  if (clientId !== undefined) settle(work, clientId, event);
  if (id !== undefined) changeThread(work, id, (thread) => hear(thread, event));
  clearArrived(work, id);
}

/** Takes out of the outbox what its thread is known to hold, or whose thread nobody follows. */
function clearArrived<Body>(work: Work<Body>, id: string | undefined): void {
  const thread = work.state.threads[id ?? ''];
  const isArrived = ({ state, seq = 0 }: Outgoing<Body>): boolean =>
    state === 'sent' && (!thread || (thread.isLoaded && seq <= thread.upTo));
  const outbox = work.state.outbox.filter((item) => item.thread !== id || !isArrived(item));
  if (outbox.length < work.state.outbox.length) work.state = { ...work.state, outbox };
}

function takePage<Body>(
  work: Work<Body>,
  { conversationId: id, token, page }: Extract<Input<Body>, { type: 'page' }>,
): void {
  if (work.state.threads[id]?.reading?.token !== token) return;
  changeThread(work, id, (thread) => turnPage(thread, page));
  for (const event of page.events) {
    const clientId = clientIdOf(event);
    if (clientId !== undefined) settle(work, clientId, event);
  }
  clearArrived(work, id);
  const failures = work.state.threads[id]?.failures ?? 0;
  if (failures > 0) rest(work, `read:${id}`, failures);
}

function failRead<Body>(
  work: Work<Body>,
  { conversationId: id, token, error }: Extract<Input<Body>, { type: 'unread' }>,
): void {
  const thread = work.state.threads[id];
  if (thread?.reading?.token !== token) return;
  const isLasting = error !== undefined && error.retry !== 'same';
  changeThread(work, id, (one) => ({
    ...one,
    reading: null,
    failures: one.failures + 1,
    ...(isLasting && { error }),
  }));
  if (!isLasting) rest(work, `read:${id}`, thread.failures, error);
}

function see<Body>(work: Work<Body>, id: string, seq: number): void {
  const thread = work.state.threads[id];
  if (!thread || seq <= thread.seen) return;
  const isOnline = work.state.isOnline;
  changeThread(work, id, (one) => ({ ...one, seen: seq, seenUntold: !isOnline }));
  if (isOnline) work.effects.push({ type: 'mark', conversationId: id, seq });
}

/** Whatever can go on now does: one message in flight a thread, one read a thread. */
function goOn<Body>(work: Work<Body>): void {
  if (!work.state.isOnline) return;
  const busy = new Set<string>();
  for (const { clientId, thread, state } of work.state.isRestored ? work.state.outbox : []) {
    if (state === 'sent' || state === 'refused' || busy.has(thread)) continue;
    busy.add(thread);
    if (state !== 'waiting' || work.state.resting[thread] !== undefined) continue;
    change(work, clientId, { state: 'sending', attempt: count(work) });
    const item = itemOf(work, clientId);
    if (item) work.effects.push({ type: 'send', item });
  }
  for (const [id, thread] of Object.entries(work.state.threads)) {
    const read = work.state.resting[`read:${id}`] === undefined ? nextRead(thread) : null;
    if (!read) continue;
    const token = count(work);
    changeThread(work, id, (one) => ({ ...one, reading: { from: read.from, token } }));
    work.effects.push({ type: 'read', conversationId: id, token, query: read.query });
  }
}
