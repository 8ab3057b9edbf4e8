import {
  type Delivery,
  type OutboxStorage,
  type Ports,
  Refusal,
  runDelivery,
} from '../../shared/delivery/run.js';
import type { DeliveryState, Stored } from '../../shared/delivery/state.js';
import { inKeyOrder } from '../fixtures/key-order.js';
import { type Owner, owner } from './kernel.js';
import { type Down, type Link, openLink } from './network.js';
import type { Answer, Ask } from './server.js';
import type { World } from './world.js';

export interface Body {
  mode: string;
  text: string;
}

/** A page: the shipped engine over a connection that comes and goes, and a disk that outlives it. */
export interface SimClient {
  id: string;
  kind: 'visitor' | 'agent';
  contactId: string;
  visitorId: string;
  owner: Owner;
  disk: Map<string, Stored<Body>>;
  delivery: Delivery<Body>;
  link: Link | null;
  /** No way to any server before. */
  partitionedUntil: number;
  /** How often the page was loaded. */
  loads: number;
  written: number;
  /** What its disk kept was not read: it stays there for the next time the page is loaded. */
  hasUnread: boolean;
  receive(link: Link, frame: Down): void;
  lost(link: Link): void;
  write(mode: string, fresh: boolean): void;
  /** Asks something that no outbox keeps. */
  tell(ask: Ask): void;
  /** Another person comes to this browser: nothing of the former one stays. */
  wipe(): void;
  /** The tab that had the line ends, and another one goes on from what it knew. */
  handOver(): void;
  /** Says again what it wrote last, as a tab that heard no answer. */
  tellTwice(): void;
  /** The page ends at this moment, and is loaded again after `ms`. */
  reload(ms: number): void;
}

const answerPatienceMs = 10_000;

export function createClient(
  world: World,
  kind: SimClient['kind'],
  at: number,
  contactOf: number,
): SimClient {
  const { kernel, schedule, oracle } = world;
  const id = `${kind}-${at}`;
  let random = kernel.random(id);
  let asked = new Map<number, (answer: Answer | null) => void>();
  let asks = 0;
  let connects = 0;
  /** The conversation that its person last wrote in: where a page that is loaded again opens. */
  let lastThread: string | null = null;

  function request(ask: Ask): Promise<Extract<Answer, { ok: true }>> {
    return new Promise((resolve, reject) => {
      const { link } = client;
      if (!link) {
        reject(new Error('no connection'));
        return;
      }
      const number = ++asks;
      const settle = (answer: Answer | null): void => {
        asked.delete(number);
        cancel();
        if (!answer) reject(new Error('no answer'));
        else if (answer.ok) resolve(answer);
        else reject(new Refusal(answer.error));
      };
      const cancel = kernel.after(client.owner, answerPatienceMs, () => {
        world.hit('answer not waited for');
        settle(null);
      });
      asked.set(number, settle);
      link.toServer(number, ask);
    });
  }

  /**
   * A write is done a moment before the page is told so; a page that ends in between finds it done. What was asked for
   * first is done first, as IndexedDB does it: while the disk stands still, all that comes waits. A page may end between
   * any two of its writes.
   */
  const storage = (me: Owner): OutboxStorage<Body> => {
    let latest = 0;
    async function carry<T>(name: string, work: () => T): Promise<T> {
      const isStruck = world.strikes(schedule.storageFails, `page storage ${name}:${id}`);
      // What is read too late is not read at all: the same to the page as a failure.
      const blow = isStruck ? blowOf(name === 'load' ? 1 : random()) : null;
      latest = Math.max(latest, kernel.now) + random() * (blow === 'stands still' ? 4_000 : 10);
      await kernel.delay(me, latest - kernel.now);
      if (blow === 'fails') {
        if (name === 'load' && client.disk.size > 0) {
          client.hasUnread = true;
          oracle.unreadable(client);
        }
        // Half of them never say anything.
        if (random() < 0.5) await new Promise(() => {});
        throw new Error('no storage');
      }
      const result = work();
      if (blow === 'ends the page') client.reload(random() * 100);
      await kernel.delay(me, random() * 10);
      return result;
    }
    return {
      load: () => carry('load', () => inKeyOrder(client.disk)),
      put: (item) => carry('put', () => void client.disk.set(item.clientId, item)),
      remove: (clientId) => carry('remove', () => void client.disk.delete(clientId)),
      clear: () => carry('clear', () => client.disk.clear()),
    };
  };

  function boot(from?: DeliveryState<Body>): void {
    const me = owner(id);
    client.owner = me;
    client.loads += 1;
    client.hasUnread = false;
    asked = new Map();
    oracle.loaded(client);
    const ports: Ports<Body> = {
      storage: storage(me),
      random,
      clock: { now: () => kernel.now, after: (ms, call) => kernel.after(me, ms, call) },
      transport: {
        async send({ clientId, conversationId, body }) {
          try {
            const { event } = await request({ name: 'send', clientId, conversationId, ...body });
            if (!event) throw new Error('an answer without its event');
            oracle.acknowledged(client, clientId, event);
            return event;
          } catch (error) {
            if (error instanceof Refusal) oracle.refused(client, clientId, error.reply);
            throw error;
          }
        },
        async read(query) {
          const { page } = await request({ name: 'read', ...query });
          if (!page) throw new Error('an answer without its page');
          return page;
        },
        mark(conversationId, seq) {
          world.hit('read mark');
          client.tell({ name: 'mark', conversationId, seq });
        },
      },
    };
    const delivery = runDelivery<Body>(ports, from);
    client.delivery = delivery;
    delivery.subscribe(() => oracle.observe(client));
    // Somebody types into the page that just came up again.
    const thread = lastThread;
    if (thread !== null && random() < 0.3) kernel.after(me, random() * 8, () => writeIn('text', thread));
    connect(me);
  }

  function connect(me: Owner): void {
    if (!me.isAlive || client.link) return;
    const up = world.servers.filter((one) => one !== null);
    const server = up[Math.floor(random() * up.length)];
    if (!server || kernel.now < client.partitionedUntil) {
      kernel.after(me, 500 + random() * 2_000, () => connect(me));
      return;
    }
    const link = openLink(world, client, server, `${id}>${server.owner.name}#${++connects}`);
    client.link = link;
    kernel.after(server.owner, 1 + random() * 20, () => {
      if (!link.isClosed) server.accept(link);
    });
    // Whoever is not let in within this time tries elsewhere.
    kernel.after(me, answerPatienceMs, () => {
      if (client.link === link && !client.delivery.state.isOnline) link.close('no session');
    });
  }

  function writeIn(mode: string, thread: string | null): void {
    const clientId = `${id}-${++client.written}`;
    world.note(id, `writes ${clientId} (${mode}) in ${thread ?? 'a new conversation'}`);
    oracle.wrote(client, clientId, mode, thread);
    client.delivery.write(clientId, thread, { mode, text: `text of ${clientId}` });
    if (thread !== null && !thread.startsWith('new:')) lastThread = thread;
  }

  function follow(conversationId: string): void {
    if (!client.delivery.state.threads[conversationId]) {
      client.delivery.input({ type: 'follow', conversationId });
    }
  }

  const client: SimClient = {
    id,
    kind,
    contactId: `contact-${contactOf}`,
    visitorId: `browser-${contactOf}`,
    owner: owner(id),
    disk: new Map(),
    // Set by `boot`, right below.
    delivery: undefined as unknown as Delivery<Body>,
    link: null,
    partitionedUntil: 0,
    loads: 0,
    written: 0,
    hasUnread: false,
    receive(link, frame) {
      if (link !== client.link) return;
      const { delivery } = client;
      switch (frame.type) {
        case 'session':
          if (!delivery.state.isOnline) delivery.input({ type: 'connected' });
          for (const { id: conversationId, head } of frame.conversations) {
            follow(conversationId);
            // A visitor's session says how far each goes; the console goes by its cursor alone.
            if (client.kind === 'agent') continue;
            if ((delivery.state.threads[conversationId]?.upTo ?? head) < head) {
              delivery.input({ type: 'missed', conversationId });
            }
          }
          return;
        case 'event':
          oracle.heard(client, frame.event);
          delivery.input({ type: 'event', event: frame.event });
          if (frame.event.conversationId) follow(frame.event.conversationId);
          return;
        case 'missed':
          delivery.input({ type: 'missed', conversationId: frame.conversationId });
          return;
        case 'answer':
          asked.get(frame.id)?.(frame.answer);
      }
    },
    lost(link) {
      if (client.link !== link) return;
      client.link = null;
      client.delivery.input({ type: 'disconnected' });
      for (const settle of [...asked.values()]) settle(null);
      const me = client.owner;
      kernel.after(me, random() * 1_500, () => connect(me));
    },
    write(mode, fresh) {
      const thread = threadFor(client, fresh, random);
      if (thread !== undefined) writeIn(mode, thread);
    },
    tell(ask) {
      request(ask).catch(() => world.hit('request refused or unanswered'));
    },
    wipe() {
      oracle.wipes(client);
      lastThread = null;
      client.delivery.input({ type: 'wipe' });
    },
    handOver() {
      const { state } = client.delivery;
      end('the tab is gone');
      boot(state);
    },
    tellTwice() {
      const last = client.delivery.state.outbox.at(-1);
      if (!last) return;
      world.hit('told twice');
      client.delivery.write(last.clientId, last.thread, last.body);
      // Neither does anything to a message that is on its way.
      for (const type of last.state === 'sending' ? (['retry', 'discard'] as const) : [])
        client.delivery.input({ type, clientId: last.clientId });
    },
    reload(ms) {
      end('the page is gone');
      kernel.after(world.outside, ms, () => {
        if (!client.owner.isAlive) boot();
      });
    },
  };

  function end(why: string): void {
    const { link } = client;
    client.owner.isAlive = false;
    client.delivery.stop();
    // What still comes back finds nobody.
    for (const settle of [...asked.values()]) settle(null);
    client.link = null;
    link?.close(why);
    random = kernel.random(`${id}/${client.loads}`);
  }
  boot();
  return client;
}

const blowOf = (draw: number): 'stands still' | 'ends the page' | 'fails' =>
  draw < 0.2 ? 'stands still' : draw < 0.4 ? 'ends the page' : 'fails';

/** Where its person would write: null begins a conversation; undefined: there is nowhere. */
function threadFor(client: SimClient, fresh: boolean, random: () => number): string | null | undefined {
  const { threads, outbox } = client.delivery.state;
  // Nobody writes into what is not shown yet.
  const known = Object.keys(threads).filter((id) => threads[id]?.isLoaded);
  if (client.kind === 'agent') return known[Math.floor(random() * known.length)];
  if (fresh) return null;
  return outbox.at(-1)?.thread ?? known.at(-1) ?? null;
}
