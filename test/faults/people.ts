import WebSocket from 'ws';
import { createLive } from '../../console/api/live.js';
import { RequestError } from '../../console/api/request.js';
import {
  type Delivery,
  type OutboxStorage,
  Refusal,
  runDelivery,
  type Transport,
} from '../../shared/delivery/run.js';
import type { Stored } from '../../shared/delivery/state.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import { type Ack, protocolNumber, type VisitorNotices, type VisitorResults } from '../../shared/protocol.js';
import { openWire } from '../../widget/wire.js';
import { inKeyOrder } from '../fixtures/key-order.js';
import type { History } from '../simulation/history/history.js';

/** What somebody says. */
export interface Words {
  text: string;
  mode: 'reply' | 'note';
}

/**
 * A visitor's page or an agent's console over the network as it is: the product's own engine and its own two clients.
 * All that it writes, is told and shows goes into the history.
 */
export interface Person {
  readonly name: string;
  /** This page of theirs: another after each reload. */
  readonly page: string;
  readonly kind: 'visitor' | 'agent';
  readonly delivery: Delivery<Words>;
  /** The conversation that a visitor began. */
  readonly conversationId: string | null;
  write(thread: string | null, words: Words): void;
  /** The page ends at this moment and is loaded again: its outbox is all that it has. */
  reload(): void;
  follow(conversationId: string): void;
  /** The first seq that it shows of a conversation, once it has all up to `head`. */
  wholeFrom(conversationId: string, head: number): number | null;
  close(): void;
}

export interface Surroundings {
  /** Where the balancer listens. */
  port: number;
  inboxId: string;
  history: History;
  random: () => number;
  /** A message that was written at that moment was acknowledged. */
  acknowledged(person: Person, writtenAt: number): void;
  complain(what: string): void;
}

/** What a page has on its disk. */
function diskOf(disk: Map<string, Stored<Words>>): OutboxStorage<Words> {
  return {
    load: async () => inKeyOrder(disk),
    put: async (item) => void disk.set(item.clientId, item),
    remove: async (clientId) => void disk.delete(clientId),
    clear: async () => disk.clear(),
  };
}

interface Line {
  transport: Transport<Words>;
  close(): void;
}

/** What visitors and agents have in common: everything but the line. */
function person(
  kind: Person['kind'],
  name: string,
  world: Surroundings,
  openLine: (me: { hear(event: TimelineEvent): void; input: Delivery<Words>['input'] }) => Line,
): Person & { conversation: string | null } {
  const disk = new Map<string, Stored<Words>>();
  const writtenAt = new Map<string, number>();
  let loads = 0;
  let written = 0;
  let delivery: Delivery<Words>;
  let line: Line;
  /** How far each conversation was noted as seen by this page. */
  let noted = new Map<string, { from: number; upTo: number }>();

  function note(): void {
    // By its acknowledgement, or by the event when that was lost.
    if (kind === 'visitor') me.conversation ??= Object.keys(delivery.state.threads)[0] ?? null;
    for (const [id, { events }] of Object.entries(delivery.state.threads)) {
      const before = noted.get(id);
      if (!events[0] || events.at(-1)?.seq === before?.upTo) continue;
      let last = before?.upTo ?? 0;
      const fresh = before ? events.slice(events.findLastIndex(({ seq = 0 }) => seq <= last) + 1) : events;
      for (const { id: e, seq: s = 0, previousSeq } of fresh) {
        if (s <= last) world.complain(`${name} shows ${s} of ${id} after ${last}`);
        if (last > 0 && previousSeq !== last)
          world.complain(`${name} shows ${s} of ${id}, which follows ${previousSeq}, after ${last}`);
        world.history.line({ o: 'see', p: me.page, c: id, s, e });
        last = s;
      }
      noted.set(id, { from: before?.from ?? events[0].seq ?? 0, upTo: last });
    }
  }

  function load(): void {
    loads += 1;
    noted = new Map();
    world.history.line({ o: 'load', p: me.page });
    const late: Pick<Delivery<Words>, 'input'> = { input: (input) => delivery.input(input) };
    const mine = openLine({
      input: (input) => late.input(input),
      hear: (event) => late.input({ type: 'event', event }),
    });
    line = mine;
    const loaded = runDelivery<Words>({
      storage: diskOf(disk),
      random: world.random,
      clock: {
        now: () => performance.timeOrigin + performance.now(),
        after(ms, call) {
          const timer = setTimeout(call, ms);
          return () => clearTimeout(timer);
        },
      },
      transport: {
        ...mine.transport,
        async send(message) {
          const event = await mine.transport.send(message);
          const { id: e, seq: s, conversationId: c } = event;
          world.history.line({ o: 'ack', p: name, m: message.clientId, e, s, c });
          world.acknowledged(me, writtenAt.get(message.clientId) ?? 0);
          return event;
        },
      },
    });
    delivery = loaded;
    delivery.subscribe(note);
  }

  const me: Person & { conversation: string | null } = {
    name,
    kind,
    conversation: null,
    get page() {
      return `${name}/${loads}`;
    },
    get conversationId() {
      return me.conversation;
    },
    get delivery() {
      return delivery;
    },
    write(thread, words) {
      const clientId = `${name}-${++written}`.padEnd(8, '-');
      writtenAt.set(clientId, performance.now());
      world.history.line({ o: 'write', p: name, m: clientId });
      delivery.write(clientId, thread, words);
    },
    reload() {
      delivery.stop();
      line.close();
      load();
    },
    follow(conversationId) {
      if (!delivery.state.threads[conversationId]) delivery.input({ type: 'follow', conversationId });
    },
    wholeFrom(conversationId, head) {
      const thread = delivery.state.threads[conversationId];
      if (!thread?.isLoaded || thread.upTo < head) return null;
      return noted.get(conversationId)?.from ?? null;
    },
    close() {
      delivery.stop();
      line.close();
    },
  };
  load();
  return me;
}

/** A browser tab of the widget: its own engine, outbox and Socket.IO client. */
export function aVisitor(name: string, world: Surroundings): Person {
  let token: string | undefined;
  let returning: NodeJS.Timeout | undefined;
  return person('visitor', name, world, (me) => {
    async function request<Name extends keyof VisitorResults>(
      asked: Name,
      body: object,
    ): Promise<VisitorResults[Name]> {
      const answer = (await wire.request(asked, body)) as Ack<VisitorResults[Name]>;
      if (answer.ok) return answer;
      throw new Refusal(answer.error);
    }
    const notices: Partial<{ [N in keyof VisitorNotices]: (notice: VisitorNotices[N]) => void }> = {
      session({ token: given, conversations }) {
        token = given;
        me.input({ type: 'connected' });
        for (const { id } of conversations) {
          me.input({ type: 'follow', conversationId: id });
          me.input({ type: 'missed', conversationId: id });
        }
      },
      event: (event) => me.hear(event),
      resync: ({ conversationId }) => me.input({ type: 'missed', conversationId }),
      reconnect({ afterMs }) {
        wire.sleep();
        returning = setTimeout(wire.wake, afterMs);
      },
    };
    const wire = openWire({
      url: `ws://127.0.0.1:${world.port}/`,
      random: world.random,
      makeSocket: (url) =>
        // As a browser's does, it closes after an error, and throws none.
        new WebSocket(url).on('error', () => {}) as unknown as globalThis.WebSocket,
      auth: async () => ({
        protocol: protocolNumber,
        inboxId: world.inboxId,
        ...(token !== undefined && { token }),
      }),
      onClose: () => me.input({ type: 'disconnected' }),
      onNotice: (asked, data) => notices[asked as keyof VisitorNotices]?.(data),
      onRefused(error) {
        if (error && error.retry !== 'same') world.complain(`${name} is refused: ${error.code}`);
        return true;
      },
    });
    wire.wake();
    return {
      transport: {
        send: async ({ clientId, conversationId, body: { text }, waitedMs }) =>
          (await request('message:send', { clientId, conversationId, text, attachments: [], waitedMs }))
            .event,
        read: (query) => request('events:read', query),
        mark: () => {},
      },
      close() {
        clearTimeout(returning);
        wire.sleep();
      },
    };
  });
}

/** A console: its own engine, outbox and live connection. */
export function anAgent(
  name: string,
  world: Surroundings,
  session: { workspaceId: string; accessToken: () => Promise<string> },
): Person {
  return person('agent', name, world, (me) => {
    const live = createLive({
      url: `http://127.0.0.1:${world.port}`,
      accessToken: session.accessToken,
      random: world.random,
    });
    const refusing = async <Result>(work: Promise<Result>): Promise<Result> => {
      try {
        return await work;
      } catch (error) {
        if (error instanceof RequestError && !error.unreachable) throw new Refusal(error.reply);
        throw error;
      }
    };
    live.online.subscribe(() => me.input({ type: live.online.get() ? 'connected' : 'disconnected' }));
    live.on('event', (event) => me.hear(event));
    live.on('resync', ({ conversationId }) => me.input({ type: 'missed', conversationId }));
    live.connect(session.workspaceId);
    return {
      transport: {
        send: ({ clientId, conversationId, body: { text, mode }, waitedMs }) =>
          refusing(
            live
              .request('message:send', {
                clientId,
                conversationId: conversationId ?? '',
                mode,
                text,
                attachments: [],
                waitedMs,
              })
              .then(({ event }) => event),
          ),
        read: (query) => refusing(live.request('events:read', query)),
        mark: () => {},
      },
      close: () => live.disconnect(),
    };
  });
}

export interface Reader {
  /** Everything of a conversation, as the history has it, and the Message-IDs of what was answered by e-mail. */
  all(conversationId: string): Promise<{ events: Row[]; letters: string[] }>;
  close(): void;
}
/** Seq, event, message (where it is one), kind. */
type Row = [number, string, string | null, string];

/** A fresh reader, who knows nothing of what came live. */
export async function aReader(
  workspaceId: string,
  world: Pick<Surroundings, 'port' | 'random'>,
  accessToken: () => Promise<string>,
): Promise<Reader> {
  const live = createLive({ url: `http://127.0.0.1:${world.port}`, accessToken, random: world.random });
  const isOnline = new Promise<void>((resolve) => {
    live.online.subscribe(() => live.online.get() && resolve());
  });
  live.connect(workspaceId);
  await isOnline;
  return {
    async all(conversationId) {
      const events: Row[] = [];
      const letters: string[] = [];
      for (let after = 0; ; ) {
        const page = await live.request('events:read', { conversationId, after, limit: 200 });
        for (const { seq = 0, id, kind, body, direction } of page.events) {
          const written = body && 'clientId' in body ? body.clientId : undefined;
          events.push([seq, id, written ?? null, kind]);
          if (kind === 'email' && direction === 'out' && body && 'messageId' in body)
            letters.push(body.messageId);
        }
        after = page.upTo;
        if (page.upTo >= page.head) return { events, letters };
      }
    },
    close: () => live.disconnect(),
  };
}
