import type { ErrorReply } from '../errors.js';
import type { EventPage, TimelineEvent } from '../events/timeline.js';
import { type DeliveryState, type Effect, emptyState, type Input, type Stored } from './state.js';
import { step } from './step.js';

/** What a port rejects with when the server refused; anything else it rejects with counts as "no answer came". */
export class Refusal extends Error {
  readonly reply: ErrorReply;
  constructor(reply: ErrorReply) {
    super(reply.message);
    this.reply = reply;
  }
}

export interface Transport<Body> {
  /** Resolves with the message's event, which is then durable. @throws Refusal */
  send(message: {
    clientId: string;
    conversationId: string | null;
    body: Body;
    waitedMs: number;
  }): Promise<TimelineEvent>;
  /** @throws Refusal */
  read(query: { conversationId: string; after?: number; before?: number }): Promise<EventPage>;
  /** May be lost. */
  mark(conversationId: string, seq: number): void;
}

/**
 * Where outgoing messages outlive the page. What is asked for first takes effect first, a page's last words before the
 * next page's `load`. Every method may reject: then they live as long as the page.
 */
export interface OutboxStorage<Body> {
  load(): Promise<Stored<Body>[]>;
  put(item: Stored<Body>): Promise<void>;
  remove(clientId: string): Promise<void>;
  clear(): Promise<void>;
}

export interface Clock {
  /** Milliseconds that never go back while the page lives, and are comparable after it was loaded again. */
  now(): number;
  /** @returns how to cancel it */
  after(ms: number, call: () => void): () => void;
}

export interface Ports<Body> {
  transport: Transport<Body>;
  storage: OutboxStorage<Body>;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
}

export interface Delivery<Body> {
  readonly state: DeliveryState<Body>;
  input(input: Input<Body>): void;
  /** Begins a conversation (`thread` null) or goes on with one. */
  write(clientId: string, thread: string | null, body: Body): void;
  /** Told after every change of the state. @returns how to stop */
  subscribe(listener: () => void): () => void;
  /** Ends timers; answers that still come are dropped. */
  stop(): void;
}

const firstBackoffMs = 500;
const longestBackoffMs = 30_000;
/** A storage that hangs (it happens in browsers) must not hold a message back for longer. */
const storagePatienceMs = 2_000;

/**
 * Binds the engine to its ports and starts with what storage kept. `from` is what another page of the same client knew,
 * and goes on here: whatever was on its way there is asked for again.
 */
export function runDelivery<Body>(ports: Ports<Body>, from?: DeliveryState<Body>): Delivery<Body> {
  const { transport, storage, clock } = ports;
  let state = from
    ? step({ ...from, isRestored: false }, { type: 'disconnected' }).state
    : emptyState<Body>();
  let isStopped = false;
  const listeners = new Set<() => void>();
  const cancels = new Set<() => void>();

  function input(next: Input<Body>): void {
    if (isStopped) return;
    const before = state;
    const made = step(state, next);
    state = made.state;
    for (const effect of made.effects) perform(effect);
    if (state !== before) for (const listener of listeners) listener();
  }

  function later(ms: number, call: () => void): () => void {
    const cancel = clock.after(ms, () => {
      cancels.delete(cancel);
      call();
    });
    cancels.add(cancel);
    return () => {
      cancels.delete(cancel);
      cancel();
    };
  }

  /**
   * Goes on when storage has answered, and once before when patience is over first. A storage that fails is as good as
   * none. It has been asked by now and keeps the order: what waited here for its turn would be lost with a page that is
   * left in the moment of writing, or would reach the disk behind the next page's back.
   */
  function kept<Result>(asked: Promise<Result>, goOn: (result?: Result) => void): void {
    const cancel = later(storagePatienceMs, goOn);
    void asked
      .catch(() => undefined)
      .then((result) => {
        cancel();
        goOn(result);
      });
  }

  const replyOf = (error: unknown): { error?: ErrorReply } =>
    error instanceof Refusal ? { error: error.reply } : {};

  function perform(effect: Effect<Body>): void {
    switch (effect.type) {
      case 'save': {
        const { clientId } = effect.item;
        kept(storage.put(effect.item), () => input({ type: 'saved', clientId }));
        return;
      }
      case 'forget':
        storage.remove(effect.clientId).catch(() => undefined);
        return;
      case 'forget-all':
        storage.clear().catch(() => undefined);
        return;
      case 'send': {
        const { clientId, conversationId, body, queuedAt, attempt } = effect.item;
        const waitedMs = Math.max(0, Math.round(clock.now() - queuedAt));
        transport.send({ clientId, conversationId, body, waitedMs }).then(
          (event) => input({ type: 'answered', clientId, event }),
          (error) => input({ type: 'unanswered', clientId, attempt, ...replyOf(error) }),
        );
        return;
      }
      case 'read': {
        const { conversationId, token } = effect;
        transport.read({ conversationId, ...effect.query }).then(
          (page) => input({ type: 'page', conversationId, token, page }),
          (error) => input({ type: 'unread', conversationId, token, ...replyOf(error) }),
        );
        return;
      }
      case 'mark':
        transport.mark(effect.conversationId, effect.seq);
        return;
      case 'rest': {
        // Full jitter: many clients that failed together must not come back together.
        const most = Math.min(longestBackoffMs, firstBackoffMs * 2 ** effect.failures);
        const { key, timer } = effect;
        later(effect.atLeastMs + ports.random() * most, () => input({ type: 'due', key, timer }));
        return;
      }
    }
  }

  kept(storage.load(), (items = []) => input({ type: 'restored', items }));

  return {
    get state() {
      return state;
    },
    input,
    write: (clientId, thread, body) =>
      input({ type: 'write', clientId, thread, body, queuedAt: clock.now() }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      isStopped = true;
      for (const cancel of cancels) cancel();
      cancels.clear();
    },
  };
}
