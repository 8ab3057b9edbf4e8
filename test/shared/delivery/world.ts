import {
  type DeliveryState,
  type Effect,
  emptyState,
  type Input,
  type Stored,
} from '../../../shared/delivery/state.js';
import { step } from '../../../shared/delivery/step.js';
import type { EventOf, EventPage, TimelineEvent } from '../../../shared/events/timeline.js';

/**
 * A server, a network that loses, doubles and reorders, and clients that crash: all of it by hand, so that a sequence
 * of operations decides everything that happens.
 */
export interface World {
  conversations: Map<string, TimelineEvent[]>;
  /** clientId -> its event: the server's deduplication. */
  appended: Map<string, TimelineEvent>;
  clients: Client[];
  /** Every clientId whose acknowledgement reached its sender. */
  acknowledged: Set<string>;
  written: { client: number; clientId: string; thread: string | null }[];
}

export interface Client {
  state: DeliveryState<string>;
  disk: Map<string, Stored<string>>;
  /** What this client asked the network for and what comes back, not yet carried out. */
  pending: (() => void)[];
  /** What its own storage and timers owe it: late, but never lost. */
  local: (() => void)[];
  follows: string[];
}

const baseEvent = {
  contactId: 'c',
  channel: 'chat',
  direction: 'in',
  actor: { type: 'contact', id: 'c' },
  occurredAt: '2026-01-01T00:00:00.000Z',
  recordedAt: '2026-01-01T00:00:00.000Z',
  kind: 'message',
} as const;

export function newWorld(clients: number): World {
  return {
    conversations: new Map(),
    appended: new Map(),
    acknowledged: new Set(),
    written: [],
    clients: Array.from({ length: clients }, () => ({
      state: emptyState<string>(),
      disk: new Map(),
      pending: [],
      local: [],
      follows: [],
    })),
  };
}

/** The server's append: once for each clientId; every third seq is something this audience never sees. */
export function append(
  world: World,
  clientId: string,
  conversationId: string | null,
  text: string,
): TimelineEvent {
  const known = world.appended.get(clientId);
  if (known) return known;
  const id = conversationId ?? `conv-${clientId}`;
  const events = world.conversations.get(id) ?? [];
  const previousSeq = events.at(-1)?.seq ?? 0;
  const seq = previousSeq + (events.length % 3 === 2 ? 2 : 1);
  const event: EventOf<'message'> = {
    ...baseEvent,
    id: `e-${clientId}`,
    conversationId: id,
    seq,
    previousSeq,
    body: { text, attachments: [], clientId },
  };
  world.conversations.set(id, [...events, event]);
  world.appended.set(clientId, event);
  return event;
}

export function readPage(
  world: World,
  id: string,
  query: { after: number } | { before: number },
  limit = 3,
): EventPage {
  const events = world.conversations.get(id) ?? [];
  const head = events.at(-1)?.seq ?? 0;
  if ('after' in query) {
    const found = events.filter((event) => (event.seq ?? 0) > query.after);
    const page = found.slice(0, limit);
    const upTo = found.length > limit ? (page.at(-1)?.seq ?? head) : Math.max(query.after, head);
    return { events: page, upTo, head, isStart: query.after === 0 };
  }
  const found = events.filter((event) => (event.seq ?? 0) < query.before);
  return {
    events: found.slice(-limit),
    upTo: Math.max(0, Math.min(query.before - 1, head)),
    head,
    isStart: found.length <= limit,
  };
}

/** Feeds one input; its effects become pending steps that the schedule carries out, or never does. */
export function feed(world: World, client: Client, input: Input<string>): void {
  const made = step(client.state, input);
  client.state = made.state;
  for (const effect of made.effects) plan(world, client, effect);
}

function plan(world: World, client: Client, effect: Effect<string>): void {
  const later = (work: () => void): void => void client.pending.push(work);
  switch (effect.type) {
    case 'save':
      // Storage keeps its own order: carried out at once, told later.
      client.disk.set(effect.item.clientId, effect.item);
      client.local.push(() => feed(world, client, { type: 'saved', clientId: effect.item.clientId }));
      return;
    case 'forget':
      client.disk.delete(effect.clientId);
      return;
    case 'forget-all':
      client.disk.clear();
      return;
    case 'send': {
      const { clientId, conversationId, body, attempt } = effect.item;
      return later(() => {
        if (!client.state.isOnline) return;
        const event = append(world, clientId, conversationId, body);
        for (const other of world.clients) {
          other.pending.push(() => other.state.isOnline && feed(world, other, { type: 'event', event }));
        }
        client.pending.push(() => {
          world.acknowledged.add(clientId);
          feed(world, client, { type: 'answered', clientId, event });
        });
        // A time-out that races the answer.
        client.pending.push(() => feed(world, client, { type: 'unanswered', clientId, attempt }));
      });
    }
    case 'read': {
      const { conversationId, token, query } = effect;
      return later(() => {
        if (!client.state.isOnline) return;
        const page = readPage(world, conversationId, query);
        client.pending.push(() => feed(world, client, { type: 'page', conversationId, token, page }));
      });
    }
    case 'mark':
      return;
    case 'rest':
      client.local.push(() => feed(world, client, { type: 'due', key: effect.key, timer: effect.timer }));
      return;
  }
}

/** The page is gone at this moment; what storage held comes back, what was on its way does not. */
export function crash(world: World, client: Client): void {
  client.state = emptyState<string>();
  client.pending = [];
  client.local = [];
  feed(world, client, { type: 'restored', items: [...client.disk.values()] });
  for (const id of client.follows) feed(world, client, { type: 'follow', conversationId: id });
}

/** No more faults: everything pending is carried out in order until nothing is left. */
export function heal(world: World): void {
  for (const client of world.clients) {
    feed(world, client, { type: 'disconnected' });
    feed(world, client, { type: 'connected' });
  }
  for (let round = 0; round < 20_000; round += 1) {
    const queues = world.clients.flatMap(({ pending, local }) => [pending, local]);
    const queue = queues.find(({ length }) => length > 0);
    if (!queue) return;
    queue.shift()?.();
  }
  throw new Error('The world does not come to rest.');
}
