import { describe, expect, it } from 'vitest';
import { type OutboxStorage, type Ports, runDelivery } from '../../../shared/delivery/run.js';
import type { DeliveryState, Stored } from '../../../shared/delivery/state.js';
import type { EventOf, EventPage } from '../../../shared/events/timeline.js';
import { inKeyOrder } from '../../fixtures/key-order.js';

/** One page of a client goes on where another one was: a tab that died has handed over what it knew. */

const conversationId = 'conversation-1';

function message(seq: number, clientId: string): EventOf<'message'> {
  return {
    id: `event-${seq}`,
    contactId: 'contact-1',
    conversationId,
    channel: 'chat',
    direction: 'in',
    actor: { type: 'contact', id: 'contact-1' },
    seq,
    previousSeq: seq - 1,
    occurredAt: '2026-11-29T10:00:00.000Z',
    recordedAt: '2026-11-29T10:00:00.000Z',
    kind: 'message',
    body: { text: clientId, attachments: [], clientId },
  };
}

function newDisk(): OutboxStorage<string> & { items: Map<string, Stored<string>> } {
  const items = new Map<string, Stored<string>>();
  return {
    items,
    load: async () => inKeyOrder(items),
    put: async (item) => void items.set(item.clientId, item),
    remove: async (clientId) => void items.delete(clientId),
    clear: async () => items.clear(),
  };
}

/** A server that takes each message once, by its client id; `null` while it answers nothing. */
function newServer() {
  const events: EventOf<'message'>[] = [];
  const reads: object[] = [];
  const server = {
    events,
    reads,
    isMute: false,
    async send(clientId: string): Promise<EventOf<'message'>> {
      const known = events.find(({ body }) => body.clientId === clientId);
      const event = known ?? message(events.length + 1, clientId);
      if (!known) events.push(event);
      return server.isMute ? new Promise(() => undefined) : event;
    },
    async read(query: { after?: number }): Promise<EventPage> {
      reads.push(query);
      const found = events.filter(({ seq = 0 }) => seq > (query.after ?? 0));
      return { events: found, upTo: events.length, head: events.length, isStart: true };
    },
  };
  return server;
}

const portsOf = (server: ReturnType<typeof newServer>, storage: OutboxStorage<string>): Ports<string> => ({
  storage,
  random: () => 0,
  clock: {
    now: () => performance.now(),
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
  },
  transport: {
    send: ({ clientId }) => server.send(clientId),
    read: (query) => server.read(query),
    mark: () => undefined,
  },
});

describe('a page that goes on from another', () => {
  it('sends again what was on its way, in order, and reads on from the cursor', async () => {
    const server = newServer();
    const disk = newDisk();
    const first = runDelivery(portsOf(server, disk));
    first.input({ type: 'follow', conversationId });
    first.input({ type: 'connected' });
    first.write('client-one', conversationId, 'one');
    await expect.poll(() => server.events.length).toBe(1);
    await expect.poll(() => first.state.outbox.length).toBe(0);
    server.isMute = true;
    first.write('client-two', conversationId, 'two');
    first.write('client-three', conversationId, 'three');
    await expect.poll(() => server.events.length).toBe(2);
    await expect.poll(() => disk.items.size).toBe(2);
    // As another tab has it: carried there, and the tab that led is no more.
    const handed: DeliveryState<string> = structuredClone(first.state);
    first.stop();
    server.isMute = false;
    server.reads.length = 0;

    const second = runDelivery(portsOf(server, disk), handed);
    expect(second.state.isOnline).toBe(false);
    expect(second.state.threads[conversationId]?.events.length).toBe(1);
    second.input({ type: 'connected' });
    await expect.poll(() => second.state.outbox.length + disk.items.size).toBe(0);
    const texts = second.state.threads[conversationId]?.events.map((event) => event.id);
    expect(texts).toEqual(server.events.map(({ id }) => id));
    expect(server.events.map(({ body }) => body.text)).toEqual(['client-one', 'client-two', 'client-three']);
    expect(server.reads[0]).toMatchObject({ after: 1 });
    second.stop();
  });

  it('keeps what was written through it and is not on the disk yet, before it sends it', async () => {
    const server = newServer();
    const disk = newDisk();
    const first = runDelivery(portsOf(server, newDisk()));
    first.write('client-one', null, 'one');
    const handed: DeliveryState<string> = structuredClone(first.state);
    expect(handed.outbox[0]?.state).toBe('saving');
    first.stop();
    const second = runDelivery(portsOf(server, disk), handed);
    await expect.poll(() => disk.items.size).toBe(1);
    expect(server.events).toEqual([]);
    second.input({ type: 'connected' });
    await expect.poll(() => disk.items.size).toBe(0);
    expect(server.events.length).toBe(1);
    second.stop();
  });

  it('has all that was written in the moment in which its page was left, in order', async () => {
    const server = newServer();
    const disk = newDisk();
    const first = runDelivery(portsOf(server, disk));
    first.write('client-one', conversationId, 'one');
    await expect.poll(() => disk.items.size).toBe(1);
    first.write('client-two', conversationId, 'two');
    first.write('client-three', conversationId, 'three');
    first.stop();
    const second = runDelivery(portsOf(server, disk));
    second.write('client-four', conversationId, 'four');
    second.input({ type: 'connected' });
    await expect.poll(() => server.events.length).toBe(4);
    expect(server.events.map(({ body }) => body.clientId)).toEqual([
      'client-one',
      'client-two',
      'client-three',
      'client-four',
    ]);
    second.stop();
  });
});
