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
  const work: Work<Body> = {
    ...state,
    outbox: [...state.outbox],
    threads: { ...state.threads },
    begun: { ...state.begun },
    resting: { ...state.resting },
    effects: [],
  };
  take(work, input);
  goOn(work);
  const { effects, ...made } = work;
  return { state: made, effects };
}

/**
 * One step in the making: the state's own lists, which may be changed, and what is to be done so far. Messages and
 * threads in them are replaced, never changed: one that is the same object as before is the same.
 */
interface Work<Body> extends DeliveryState<Body> {
  isRestored: boolean;
  isOnline: boolean;
  outbox: Outgoing<Body>[];
  threads: Record<string, Thread>;
  begun: Record<string, string>;
  resting: Record<string, number>;
  counter: number;
  effects: Effect<Body>[];
}

const storedOf = <Body>({
  state: _state,
  attempt: _attempt,
  failures: _failures,
  seq: _seq,
  ...stored
}: Outgoing<Body>): Stored<Body> => stored;

function itemOf<Body>({ outbox }: Work<Body>, clientId: string): Outgoing<Body> | undefined {
  return outbox.find((one) => one.clientId === clientId);
}

function change<Body>(work: Work<Body>, clientId: string, part: Partial<Outgoing<Body>>): void {
  work.outbox = work.outbox.map((one) => (one.clientId === clientId ? { ...one, ...part } : one));
}

function save<Body>(work: Work<Body>, item: Outgoing<Body>): void {
  work.effects.push({ type: 'save', item: storedOf(item) });
}

function drop<Body>(work: Work<Body>, clientId: string): void {
  work.outbox = work.outbox.filter((one) => one.clientId !== clientId);
}

/** Before storage was read, nobody knows a message's place among what is kept there: `restore` gives it one, and saves it. */
const unplaced = Number.POSITIVE_INFINITY;

/** What has no place yet stays as it stands, behind all others. */
const byOrder = (one: { order: number }, other: { order: number }): number => one.order - other.order;

/** Puts a message behind all others; it is sent when storage has it. */
function enqueue<Body>(
  work: Work<Body>,
  item: Omit<Outgoing<Body>, 'order' | 'state' | 'attempt' | 'failures'>,
): void {
  const order = work.isRestored ? (work.outbox.at(-1)?.order ?? 0) + 1 : unplaced;
  const made: Outgoing<Body> = { ...item, order, state: 'saving', attempt: 0, failures: 0 };
  work.outbox.push(made);
  if (work.isRestored) save(work, made);
}

function changeThread<Body>(work: Work<Body>, id: string, change: (thread: Thread) => Partial<Thread>): void {
  const thread = work.threads[id];
  if (thread) work.threads[id] = { ...thread, ...change(thread) };
}

function follow<Body>(work: Work<Body>, id: string): void {
  work.threads[id] ??= emptyThread;
}

function rest<Body>(work: Work<Body>, key: string, failures: number, error?: ErrorReply): void {
  const timer = ++work.counter;
  const wait = Number(error?.details?.retryAfterMs);
  work.resting[key] = timer;
  work.effects.push({ type: 'rest', key, timer, failures, atLeastMs: wait > 0 ? wait : 0 });
}

function take<Body>(work: Work<Body>, input: Input<Body>): void {
  switch (input.type) {
    case 'restored':
      // Somebody signed out while storage was being read: what it kept was theirs.
      return work.isRestored ? undefined : restore(work, input.items);
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
      return follow(work, input.conversationId);
    case 'unfollow':
      delete work.threads[input.conversationId];
      return;
    case 'older':
      return changeThread(work, input.conversationId, () => ({ wantsOlder: true }));
    case 'event':
      return hearEvent(work, input.event);
    case 'missed':
      return changeThread(work, input.conversationId, () => ({ isStale: true }));
    case 'page':
      return takePage(work, input);
    case 'unread':
      return failRead(work, input);
    case 'seen':
      return see(work, input.conversationId, input.seq);
    case 'read-by-other':
      return changeThread(work, input.conversationId, ({ readByOther }) => ({
        readByOther: Math.max(readByOther, input.seq),
      }));
    case 'due':
      if (work.resting[input.key] === input.timer) delete work.resting[input.key];
      return;
    case 'wipe': {
      // Goes on counting: a timer or an answer of the former person must never fit.
      const { isOnline, counter } = work;
      Object.assign(work, emptyState<Body>(), { isRestored: true, isOnline, counter });
      work.effects.push({ type: 'forget-all' });
    }
  }
}

/**
 * What storage kept goes before what was written here while it was being read; what another page handed over stands where
 * it stood there, though storage may not have taken it. The page may have ended while a thread's messages were being
 * moved to the conversation that it became: one that was moved says where all belong.
 */
function restore<Body>(work: Work<Body>, items: readonly Stored<Body>[]): void {
  for (const { writtenIn, conversationId } of items) {
    if (writtenIn !== undefined && conversationId !== null) work.begun[writtenIn] = conversationId;
  }
  moveBegun(work);
  // Storage gives them in the order of their ids.
  const kept = [...items]
    .sort(byOrder)
    .map(
      (item): Outgoing<Body> =>
        itemOf(work, item.clientId) ??
        moved(work, { ...item, state: item.error ? 'refused' : 'waiting', attempt: 0, failures: 0 }),
    );
  let last = 0;
  work.isRestored = true;
  work.outbox = [...new Set([...kept, ...work.outbox])].sort(byOrder).map((one) => {
    last = one.order < unplaced ? one.order : last + 1;
    return { ...one, order: last };
  });
  for (const one of work.outbox) if (one.state === 'saving') save(work, one);
}

function turnLine<Body>(work: Work<Body>, isOnline: boolean): void {
  work.isOnline = isOnline;
  work.resting = {};
  work.outbox = work.outbox.map((item) => (item.state === 'sending' ? { ...item, state: 'waiting' } : item));
  for (const [id, { error: _, ...thread }] of Object.entries(work.threads)) {
    if (isOnline && thread.seenUntold)
      work.effects.push({ type: 'mark', conversationId: id, seq: thread.seen });
    const seenUntold = thread.seenUntold && !isOnline;
    work.threads[id] = { ...thread, reading: null, failures: 0, isStale: thread.isLoaded, seenUntold };
  }
}

function write<Body>(
  work: Work<Body>,
  { clientId, thread, body, queuedAt }: Extract<Input<Body>, { type: 'write' }>,
): void {
  // Told twice, by a tab that does not know whether the first telling arrived.
  if (itemOf(work, clientId)) return;
  const named = thread ?? `new:${clientId}`;
  const begun = work.begun[named] ?? named;
  const conversationId = begun.startsWith('new:') ? null : begun;
  enqueue(work, { clientId, thread: begun, conversationId, body, queuedAt });
}

/** Durable on the server: storage need not keep it any more. */
function settle<Body>(work: Work<Body>, clientId: string | undefined, event: TimelineEvent): void {
  const item = clientId === undefined ? undefined : itemOf(work, clientId);
  if (!item || item.state === 'sent') return;
  const { conversationId: thread = item.thread, seq } = event;
  // Once it has begun, a thread is that conversation, whatever an answer to a message of it says.
  if (!item.conversationId) begin(work, item.thread, thread);
  change(work, item.clientId, { state: 'sent', thread, seq: seq ?? 0 });
  work.effects.push({ type: 'forget', clientId: item.clientId });
}

/** A conversation has begun: what was written for it follows. */
function begin<Body>(work: Work<Body>, thread: string, conversationId: string): void {
  work.begun[thread] = conversationId;
  moveBegun(work);
  follow(work, conversationId);
}

function moveBegun<Body>(work: Work<Body>): void {
  work.outbox = work.outbox.map((one) => moved(work, one));
}

/** In storage too, before the first message, which says what its thread became, is forgotten. */
function moved<Body>(work: Work<Body>, item: Outgoing<Body>): Outgoing<Body> {
  const begun = work.begun[item.thread];
  if (begun === undefined) return item;
  const made = { ...item, thread: begun, conversationId: begun, writtenIn: item.thread };
  if (made.order < unplaced) save(work, made);
  return made;
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
    save(work, { ...item, error });
  } else {
    change(work, clientId, { state: 'waiting', failures: item.failures + 1 });
    rest(work, item.thread, item.failures, error);
  }
}

function retry<Body>(work: Work<Body>, clientId: string): void {
  const item = itemOf(work, clientId);
  if (item?.state !== 'refused') return;
  const { error: _, ...again } = item;
  drop(work, clientId);
  // Those behind it went on: it takes its place at the end.
  enqueue(work, again);
}

function discard<Body>(work: Work<Body>, clientId: string): void {
  const state = itemOf(work, clientId)?.state;
  // One on its way may already have arrived, and what is being read from storage comes back: neither can be taken back.
  if (state === undefined || state === 'sending' || state === 'sent' || !work.isRestored) return;
  drop(work, clientId);
  work.effects.push({ type: 'forget', clientId });
}

/** An event of our own writing names the message that it is. */
function settleOwn<Body>(work: Work<Body>, event: TimelineEvent): void {
  const { body } = event;
  if (body && 'clientId' in body) settle(work, body.clientId, event);
}

function hearEvent<Body>(work: Work<Body>, event: TimelineEvent): void {
  const id = event.conversationId ?? '';
  settleOwn(work, event);
  changeThread(work, id, (thread) => hear(thread, event));
  clearArrived(work, id);
}

/** Takes out of the outbox what its thread is known to hold, or whose thread nobody follows. */
function clearArrived<Body>(work: Work<Body>, id: string): void {
  const thread = work.threads[id];
  work.outbox = work.outbox.filter(
    (item) =>
      item.thread !== id ||
      item.state !== 'sent' ||
      (thread && !(thread.isLoaded && (item.seq ?? 0) <= thread.upTo)),
  );
}

function takePage<Body>(
  work: Work<Body>,
  { conversationId: id, token, page }: Extract<Input<Body>, { type: 'page' }>,
): void {
  if (work.threads[id]?.reading?.token !== token) return;
  changeThread(work, id, (thread) => turnPage(thread, page));
  for (const event of page.events) settleOwn(work, event);
  clearArrived(work, id);
  const failures = work.threads[id]?.failures ?? 0;
  if (failures > 0) rest(work, `read:${id}`, failures);
}

function failRead<Body>(
  work: Work<Body>,
  { conversationId: id, token, error }: Extract<Input<Body>, { type: 'unread' }>,
): void {
  const thread = work.threads[id];
  if (thread?.reading?.token !== token) return;
  const isLasting = error && error.retry !== 'same';
  changeThread(work, id, ({ failures }) => ({
    reading: null,
    failures: failures + 1,
    ...(isLasting && { error }),
  }));
  if (!isLasting) rest(work, `read:${id}`, thread.failures, error);
}

function see<Body>(work: Work<Body>, id: string, seq: number): void {
  const thread = work.threads[id];
  if (!thread || seq <= thread.seen) return;
  changeThread(work, id, () => ({ seen: seq, seenUntold: !work.isOnline }));
  if (work.isOnline) work.effects.push({ type: 'mark', conversationId: id, seq });
}

/** Whatever can go on now does: one message in flight a thread, one read a thread. */
function goOn<Body>(work: Work<Body>): void {
  if (!work.isOnline) return;
  const busy = new Set<string>();
  for (const one of work.isRestored ? work.outbox : []) {
    const { thread, state } = one;
    if (state === 'sent' || state === 'refused') continue;
    if (state === 'waiting' && !busy.has(thread) && !work.resting[thread]) {
      const item: Outgoing<Body> = { ...one, state: 'sending', attempt: ++work.counter };
      change(work, one.clientId, item);
      work.effects.push({ type: 'send', item });
    }
    busy.add(thread);
    // It may have begun already, unanswered, and the next be written in what it became: they would change places.
    if (!one.conversationId) break;
  }
  for (const [id, thread] of Object.entries(work.threads)) {
    const read = work.resting[`read:${id}`] ? null : nextRead(thread);
    if (!read) continue;
    const token = ++work.counter;
    changeThread(work, id, () => ({ reading: { from: read.from, token } }));
    work.effects.push({ type: 'read', conversationId: id, token, query: read.query });
  }
}
