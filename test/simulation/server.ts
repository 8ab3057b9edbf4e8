import { type JobDesk, openJobDesk } from '../../server/jobs/desk.js';
import type { JobShelf, JobStore } from '../../server/jobs/ports.js';
import type { Runner } from '../../server/jobs/runner.js';
import { createWake } from '../../server/jobs/wake.js';
import { type AppendedEvent, type Door, openDoor } from '../../server/timeline/door.js';
import type { DraftEvent } from '../../server/timeline/draft.js';
import type { StoredEvent } from '../../server/timeline/model.js';
import { type PageSource, readPage } from '../../server/timeline/page.js';
import type { PlacedEvent } from '../../server/timeline/place.js';
import { DuplicateKey } from '../../server/timeline/ports.js';
import { forAudience, toTimelineEvent } from '../../server/timeline/present.js';
import { createPublication, type Publication, type Published } from '../../server/timeline/publish.js';
import { isVisibleToVisitor } from '../../server/timeline/visibility.js';
import { AppError, type ErrorReply, replyFor } from '../../shared/errors.js';
import type { EventPage, TimelineEvent } from '../../shared/events/timeline.js';
import type { MemoryConnection } from '../server/timeline/memory-store.js';
import { Conflict } from '../server/timeline/memory-transaction.js';
import { jobKinds, jobPorts, runnerBounds, simJobs, simLeases, simQueue } from './jobs.js';
import { type Owner, owner } from './kernel.js';
import type { Link } from './network.js';
import type { Operation } from './schedule.js';
import { committed, epoch, inboxId, type World, workspaceId } from './world.js';

/** What a client asks for. */
export type Ask =
  | { name: 'send'; clientId: string; conversationId: string | null; mode: string; text: string }
  | { name: 'read'; conversationId: string; after?: number; before?: number }
  | { name: 'status'; conversationId: string; key: string }
  | { name: 'mark'; conversationId: string; seq: number };

export type Answer = { ok: true; event?: TimelineEvent; page?: EventPage } | { ok: false; error: ErrorReply };

type StepFault = Extract<Operation, { type: 'step' }>;

/** One process: the shipped door, pages, publication and jobs, and the little that ties them to connections. */
export interface SimServer {
  owner: Owner;
  index: number;
  /** Its way to the store. */
  store: MemoryConnection;
  door: Door;
  publication: Publication;
  jobs: JobStore & JobShelf;
  desk: JobDesk;
  runner: Runner;
  links: Set<Link>;
  skewMs: number;
  /** Strikes at the next step of this name. */
  armed: StepFault | null;
  /** It was told to stop, and ends what runs. */
  isStopping: boolean;
  /** When something last held it up: its holds may have run out without its fault. */
  troubledAt: number;
  now(): Date;
  accept(link: Link): void;
  ask(link: Link, ask: Ask): Promise<Answer>;
  append(draft: DraftEvent): Promise<AppendedEvent>;
  /** One step towards the store and back: takes its time, and may meet a fault. */
  step(name: string): Promise<void>;
  /** As server/conversations/read-marks.ts does it. */
  markRead(
    reader: readonly ['agent' | 'contact', string],
    conversationId: string,
    seq: number,
  ): Promise<void>;
  findEvent(dedupeKey: string): Promise<StoredEvent | undefined>;
}

const pageLimit = 4;

export function bootServer(world: World, index: number): SimServer {
  const { kernel } = world;
  const name = `server-${index}`;
  const random = kernel.random(`${name}@${kernel.now}`);
  const me = owner(name);

  async function step(stepName: string): Promise<void> {
    await kernel.delay(me, random() * 6);
    await meetFault(stepName);
    if (kernel.now < world.storeAwayUntil || world.strikes(world.schedule.storeFails, `store away:${name}`)) {
      server.troubledAt = kernel.now;
      throw new AppError('store_unavailable');
    }
  }

  async function meetFault(stepName: string): Promise<void> {
    if (server.armed?.step !== stepName) return;
    const { fault } = server.armed;
    server.armed = null;
    world.hit(`${fault} at ${stepName}`);
    world.note(name, `${fault} at ${stepName}`);
    if (fault === 'crash') {
      crashServer(world, index, 1_500);
      return new Promise(() => {});
    }
    server.troubledAt = kernel.now;
    if (fault === 'away') throw new AppError('store_unavailable');
    // A commit that took place is not undone: only its answer can be lost.
    if (stepName === 'committed') return;
    if (fault === 'conflict') throw new Conflict();
    if (fault === 'duplicate') throw new DuplicateKey();
    throw new Error('The document was refused.');
  }

  const store = world.store.connect({
    before: (stepName) => step(stepName),
    after: async () => {
      await meetFault('committed');
      await kernel.delay(me, random() * 6);
      if (world.strikes(world.schedule.storeFails, `commit unanswered:${name}`))
        throw new AppError('store_unavailable');
    },
    committed: (written) => committed(world, written),
    now: () => kernel.now,
  });

  const publication = createPublication();
  const wake = createWake();
  const server: SimServer = {
    owner: me,
    index,
    links: new Set(),
    skewMs: 0,
    armed: null,
    isStopping: false,
    troubledAt: -1,
    now: () => new Date(epoch + kernel.now + server.skewMs),
    step,
    store,
    door: openDoor({
      store,
      ports: {
        now: () => server.now(),
        newId: world.newId,
        later: (task) => void kernel.after(me, random() * 2, task),
      },
      ...(world.isPlain ? {} : { batch: 3, queue: 4 }),
      publish: publication.publishOnce,
      wakeJobs: wake.wakeJobs,
    }),
    publication,
    // These are set right below.
    jobs: undefined as unknown as SimServer['jobs'],
    desk: undefined as unknown as JobDesk,
    runner: undefined as unknown as Runner,
    async append(draft) {
      const appended = await server.door.append(workspaceId, draft);
      world.oracle.answered(draft.dedupeKey);
      return appended;
    },
    async markRead([readerType, readerId], conversationId, seq) {
      const _id = `${conversationId}:${readerType}:${readerId}`;
      const wanted = [{ workspaceId, id: conversationId }];
      const made = await store.transact(async (transaction) => {
        const [row] = await transaction.findConversations(wanted);
        if (!row) throw new AppError('conversation_not_found');
        const marks = await transaction.findMarks(workspaceId, conversationId);
        const reached = Math.min(seq, row.head);
        if (reached <= (marks.find((mark) => mark._id === _id)?.seq ?? 0)) return null;
        const counted = await transaction.countedUpTo(row, readerType, reached);
        const mark = { _id, workspaceId, conversationId, readerType, readerId, seq: reached, counted };
        await transaction.moveMark(mark);
        return mark;
      });
      if (!made) return;
      await store.transact(async (transaction) => {
        const [row] = await transaction.findConversations(wanted);
        const marks = await transaction.findMarks(workspaceId, conversationId);
        if (!row || marks.find((mark) => mark._id === _id)?.seq !== made.seq) return;
        const counted = await transaction.countedUpTo(row, readerType, made.seq);
        if (counted !== made.counted) await transaction.moveMark({ ...made, counted });
      });
    },
    async findEvent(dedupeKey) {
      await step('findEvent');
      return world.store.events.get(`${workspaceId}\n${dedupeKey}`);
    },
    accept(link) {
      // Rooms first: what is published from here on arrives live, what was published before stands in the session.
      server.links.add(link);
      describe(link).catch(() => link.close('the session could not be described'));
    },
    async ask(link, ask) {
      try {
        return await answer(link, ask);
      } catch (error) {
        return { ok: false, error: replyFor(error) };
      }
    },
  };

  async function describe(link: Link): Promise<void> {
    await step('describe');
    const conversations = [...world.store.conversations.values()]
      .filter(({ contactId }) => link.client.kind === 'agent' || contactId === link.client.contactId)
      .map(({ _id, head, visitorHead }) => ({
        id: _id,
        head: link.client.kind === 'agent' ? head : visitorHead,
      }));
    link.toClient({ type: 'session', conversations });
  }

  async function answer({ client }: Link, ask: Ask): Promise<Answer> {
    if (ask.name === 'send' && world.strikes(world.schedule.limits, `told to wait:${name}`)) {
      throw new AppError('rate_limited', { retryAfterMs: 4_000 });
    }
    if (ask.name === 'read') {
      const { name: _, ...query } = ask;
      const page = await readPage(
        pages,
        workspaceId,
        { ...query, limit: pageLimit },
        audienceOfClient(client),
      );
      return { ok: true, page };
    }
    if (ask.name === 'mark') {
      const reader =
        client.kind === 'agent' ? (['agent', client.id] as const) : (['contact', client.contactId] as const);
      await server.markRead(reader, ask.conversationId, ask.seq);
      return { ok: true };
    }
    const { event } = await server.append(
      ask.name === 'send' ? await draftOf(client, ask) : await statusDraft(client, ask),
    );
    return { ok: true, event };
  }

  /** Now and then a look at what stood a moment ago: a member of the store that lags behind. */
  const pages: PageSource = {
    ...store.pages,
    async headOf(...place) {
      const head = await store.pages.headOf(...place);
      return head !== null && head > 1 && world.strikes(world.schedule.storeFails, 'read lags behind')
        ? head - 1
        : head;
    },
  };

  const conversationOf = async (id: string) => {
    await step('conversationOf');
    const found = world.store.conversations.get(`${workspaceId}\n${id}`);
    if (!found) throw new AppError('conversation_not_found');
    return found;
  };

  /** As server/channels/chat/send.ts and server/conversations/send.ts make it. */
  async function draftOf(client: Link['client'], ask: Extract<Ask, { name: 'send' }>): Promise<DraftEvent> {
    const { clientId, mode } = ask;
    const text = refusedTexts[mode] ?? ask.text;
    const said = { text, attachments: [], clientId };
    if (client.kind === 'visitor') {
      const dedupeKey = `chat:${inboxId}:${client.visitorId}:${clientId}`;
      return {
        kind: 'message',
        body: said,
        channel: 'chat',
        direction: 'in',
        actor: { type: 'contact', id: client.contactId },
        dedupeKey,
        occurredAt: server.now(),
        contactId: client.contactId,
        inboxId,
        conversation:
          ask.conversationId !== null
            ? { id: ask.conversationId }
            : { open: { key: dedupeKey, inboxId, subject: '' } },
      };
    }
    const { _id, contactId } = await conversationOf(ask.conversationId ?? '');
    const common = {
      actor: { type: 'agent' as const, id: client.id },
      dedupeKey: `agent:${client.id}:${clientId}`,
      occurredAt: server.now(),
      contactId,
      conversation: { id: _id },
    };
    if (mode === 'note')
      return { ...common, kind: 'note', body: said, channel: 'chat', direction: 'internal' };
    if (mode === 'email') {
      return { ...common, kind: 'email', body: letterOf(clientId, text), channel: 'email', direction: 'out' };
    }
    return { ...common, kind: 'message', body: said, channel: 'chat', direction: 'out' };
  }

  async function statusDraft(
    client: Link['client'],
    ask: Extract<Ask, { name: 'status' }>,
  ): Promise<DraftEvent> {
    const { _id, contactId, status } = await conversationOf(ask.conversationId);
    return {
      kind: 'status_changed',
      body: { from: status, to: status === 'open' ? 'closed' : 'open' },
      channel: 'chat',
      direction: 'internal',
      actor: { type: 'agent', id: client.id },
      dedupeKey: ask.key,
      occurredAt: server.now(),
      contactId,
      conversation: { id: _id },
    };
  }

  publication.onPublished((published) => {
    world.oracle.published(published.event.id);
    tell(server, published);
  });
  publication.onPublished(({ event }) => {
    // Its own loss, and nobody else's.
    if (!world.strikes(world.schedule.mailFails / 10, 'listener fails')) return;
    throw event.kind === 'message' ? new Error('A listener failed.') : 'A listener failed.';
  });
  publication.relayTo({ placed: (placed) => relay(world, server, placed), notice: () => {} });
  world.servers[index] = server;
  const ports = jobPorts(world, server, random);
  server.jobs = simJobs(world, server);
  server.desk = openJobDesk({ store: server.jobs, leases: simLeases(world, server), ports, wake });
  // Every fifth run the second process runs no jobs.
  const kinds = index > 0 && world.schedule.seed % 5 === 0 ? [] : jobKinds(world, server, random);
  server.runner = server.desk.startJobs(kinds, {
    report: ports.report,
    ...(world.isPlain ? {} : runnerBounds),
    ...simQueue(world, server, random),
  });
  return server;
}

/** What no door takes: no words, too many of them, and more than is looked at. */
const refusedTexts: Record<string, string> = {
  empty: ' ',
  long: 'a'.repeat(8_001),
  huge: 'a'.repeat(32_769),
};

export const audienceOfClient = ({ kind }: { kind: 'visitor' | 'agent' }) => kind;

const letterOf = (clientId: string, text: string) => ({
  messageId: `<${clientId}@example.org>`,
  inReplyTo: [],
  references: [],
  from: { name: '', address: 'us@example.org' },
  to: [{ name: '', address: 'you@example.com' }],
  cc: [],
  subject: 'Hello',
  text,
  attachments: [],
  clientId,
});

/** Through the bus to the other processes, which hear of it late, twice or never. */
function relay(world: World, server: SimServer, placed: readonly PlacedEvent[]): void {
  for (const other of world.servers) {
    if (!other || other === server || world.strikes(world.schedule.loss, 'hint lost on the bus')) continue;
    const copies = world.strikes(world.schedule.double, 'hint doubled on the bus') ? 2 : 1;
    const random = world.kernel.random(`bus@${world.kernel.now}:${placed[0]?.event._id}`);
    for (let copy = 0; copy < copies; copy += 1) {
      world.kernel.after(other.owner, random() * world.schedule.latencyMs, () =>
        other.publication.hearPlaced(placed),
      );
    }
  }
}

/** As server/realtime/fan-out.ts does it. */
function tell({ links }: SimServer, { event, conversation, previous, visibleToVisitor }: Published): void {
  for (const link of links) {
    if (link.isBehind) continue;
    if (link.client.kind === 'agent') link.toClient({ type: 'event', event });
    else if (
      visibleToVisitor &&
      conversation?.contactId === link.client.contactId &&
      previous.visitor !== null
    ) {
      link.toClient({ type: 'event', event: forAudience(event, 'visitor', previous.visitor) });
    }
  }
}

/** Tells every page that is connected here of events whose words are gone. */
export function showErased(world: World, { links }: SimServer, events: readonly StoredEvent[]): void {
  for (const event of events.filter(({ erased }) => erased === 'erased')) {
    const row = world.store.conversations.get(`${workspaceId}\n${event.conversationId}`);
    for (const { client, toClient } of links) {
      const isTheirs = isVisibleToVisitor(event.kind) && row?.contactId === client.contactId;
      if (client.kind === 'agent' || isTheirs)
        toClient({ type: 'event', event: toTimelineEvent(event, client.kind) });
    }
  }
}

/** Gone at this moment, like by SIGKILL; started again after `forMs`. */
export function crashServer(world: World, index: number, forMs: number): void {
  const server = world.servers[index];
  if (!server) return;
  world.hit('server crash');
  world.note(server.owner.name, `crashed, back in ${forMs} ms`);
  server.owner.isAlive = false;
  world.servers[index] = null;
  for (const link of server.links) link.close('the server is gone');
  world.kernel.after(world.outside, forMs, () => {
    if (!world.servers[index]) bootServer(world, index);
  });
}

/** SIGTERM: takes no more, ends what runs, then goes; a new one takes its place. */
export function restartServer(world: World, index: number): void {
  const server = world.servers[index];
  if (!server) return;
  world.hit('server restart');
  world.note(server.owner.name, 'stops');
  server.isStopping = true;
  for (const link of server.links) link.close('the server stops');
  // Work comes in while it stops.
  server.runner.wake();
  const isDone = Promise.all([
    world.isPlain ? server.runner.stop() : server.runner.stop(2_000),
    server.door.idle(),
  ]);
  isDone.then(
    () => {
      if (world.servers[index] === server) crashServer(world, index, 100);
    },
    () => {},
  );
}
