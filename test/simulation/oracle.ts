import type { StoredEvent } from '../../server/timeline/model.js';
import type { Outgoing, Thread } from '../../shared/delivery/state.js';
import type { ErrorReply } from '../../shared/errors.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { Written } from '../server/timeline/memory-store.js';
import type { Body, SimClient } from './client.js';
import { createJobOracle } from './job-oracle.js';
import { createTimelineOracle } from './timeline-oracle.js';
import type { World } from './world.js';

/**
 * Sees everything, from outside, and holds it to the delivery contract. It looks at what clients show, what the store
 * committed and what was answered; it knows nothing of how the shipped code comes to it.
 */
export interface Oracle extends ReturnType<typeof createJobOracle>, ReturnType<typeof createTimelineOracle> {
  readonly violations: string[];
  readonly history: string[];
  readonly acknowledgedCount: number;
  loaded(client: SimClient): void;
  /** Its storage does not say what it keeps. */
  unreadable(client: SimClient): void;
  wrote(client: SimClient, clientId: string, mode: string, thread: string | null): void;
  acknowledged(client: SimClient, clientId: string, event: TimelineEvent): void;
  refused(client: SimClient, clientId: string, error: ErrorReply): void;
  discards(client: SimClient, clientId: string): void;
  retries(client: SimClient, clientId: string): void;
  /** Its person signs out: whatever was written before is nobody's any more. */
  wipes(client: SimClient): void;
  heard(client: SimClient, event: TimelineEvent): void;
  observe(client: SimClient): void;
  committed(written: Written): void;
  answered(dedupeKey: string): void;
  published(eventId: string): void;
  /** What is still to come before all is at rest; null when nothing is. */
  unfinished(): string | null;
  final(): void;
}

interface Message {
  sender: SimClient;
  order: number;
  mode: string;
  /** Where its sender wrote it. */
  thread: string;
  /** Stands on the page's disk, or did: whoever loads the page finds it. */
  wasSaved: boolean;
  isDiscarded: boolean;
  /** Sent again by its sender after it was refused, or found again on a disk that could not be read: its place is later. */
  isLate: boolean;
}

interface Seen {
  outbox: readonly Outgoing<Body>[];
  threads: Readonly<Record<string, Thread>>;
}

const unacceptable = new Set(['empty', 'long', 'huge']);

/** The oracle's own list of what a customer's browser may see. */
const shownToVisitors = new Set(['message', 'conversation_started', 'status_changed']);

export function createOracle(worldOf: () => World): Oracle {
  const violations: string[] = [];
  const history: string[] = [];
  /** What the store committed, by conversation, in the order of the commits. */
  const truth = new Map<string, StoredEvent[]>();
  const truthForVisitors = new Map<string, StoredEvent[]>();
  const byClientId = new Map<string, StoredEvent>();
  const eventIds = new Map<string, StoredEvent>();
  const messages = new Map<string, Message>();
  const seen = new WeakMap<SimClient, Seen>();
  /** By sender and thread: the conversation that the first of it to be written began. */
  const became = new Map<string, string>();
  const unread = new Set<SimClient>();
  const answeredKeys = new Set<string>();
  const acknowledgedIds = new Set<string>();
  /** Of a person who signed out: by message, in which page that was. */
  const forgotten = new Map<string, number>();
  /** By client and thread: not before this moment, by the server's own word. */
  const notBefore = new Map<SimClient, Map<string, number>>();
  const saidWait = new Map<string, number>();
  let acknowledgedCount = 0;

  function violate(rule: string, what: string): void {
    const world = worldOf();
    violations.push(`${rule}: ${what} (at ${world.kernel.now.toFixed(1)} ms)`);
    world.note('VIOLATION', `${rule}: ${what}`);
  }
  const record = (line: object): void => void history.push(JSON.stringify(line));

  const truthFor = (client: SimClient, id: string): readonly StoredEvent[] =>
    (client.kind === 'agent' ? truth : truthForVisitors).get(id) ?? [];

  /** A thread shows a piece of what was committed, without a hole or a double, complete to where it says. */
  function checkThread(client: SimClient, id: string, thread: Thread, before: Thread | undefined): void {
    const all = truthFor(client, id);
    const shown = thread.events;
    const where = `${client.id} in ${id}`;
    if (before?.isLoaded && thread.upTo < before.upTo)
      violate('goes on', `${where} went back from ${before.upTo}`);
    const from = shown[0] ? all.findIndex((event) => event._id === shown[0]?.id) : 0;
    for (const [at, event] of shown.entries()) {
      const real = all[from + at];
      if (real?._id === event.id && real.seq === event.seq && saysIt(client, event, real)) continue;
      const list = shown.map(({ seq }) => seq).join();
      violate('one order', `${where} shows ${list}; committed are ${all.map(({ seq }) => seq).join()}`);
      return;
    }
    if (!thread.isLoaded) return;
    const last = all.findLast((event) => (event.seq ?? 0) <= thread.upTo);
    if (last && last._id !== shown.at(-1)?.id) {
      violate('no gap', `${where} says complete to ${thread.upTo}, and does not show ${last.seq}`);
    }
    if (thread.upTo > ((truth.get(id) ?? []).at(-1)?.seq ?? 0)) {
      violate('no gap', `${where} says complete to ${thread.upTo}, which is not committed`);
    }
    if (thread.isStart && shown[0] && from > 0) violate('no gap', `${where} calls ${shown[0].seq} the start`);
    const isNew = new Set(before?.events.map((event) => event.id));
    for (const event of shown) {
      if (!isNew.has(event.id))
        record({ o: 'see', p: `${client.id}/${client.loads}`, c: id, s: event.seq, e: event.id });
    }
  }

  /** Its words, or, once they were erased, none of them. */
  function saysIt({ kind }: SimClient, event: TimelineEvent, real: StoredEvent): boolean {
    // A customer does not learn that they were taken for spam.
    const text = JSON.stringify(real.body);
    if (kind === 'visitor' && real.kind === 'status_changed')
      return text.replaceAll('"spam"', '"closed"') === JSON.stringify(event.body);
    if (!event.erased) return isSame(real.body, event.body);
    return isSame(timelineOracle.tombstoneOf(real._id)?.body, event.body);
  }

  function checkOutbox(
    client: SimClient,
    now: readonly Outgoing<Body>[],
    before: readonly Outgoing<Body>[],
  ): void {
    const world = worldOf();
    const left = new Set(now.map(({ clientId }) => clientId));
    for (const { clientId } of before) {
      if (!left.has(clientId) && !byClientId.has(clientId) && !messages.get(clientId)?.isDiscarded) {
        violate('nothing is dropped', `${client.id} dropped ${clientId}, which is not on the timeline`);
      }
    }
    const flying = new Set<string>();
    const earlier = new Map(before.map((item) => [item.clientId, item]));
    for (const item of now) {
      const { clientId, state } = item;
      if (forgotten.get(clientId) === client.loads)
        violate('nothing of the former person stays', `${clientId} is back in the outbox of ${client.id}`);
      if (state === 'sending') {
        if (flying.has(item.thread)) violate('one at a time', `${client.id} sends two in ${item.thread}`);
        flying.add(item.thread);
      }
      if (state === 'sent' && !byClientId.has(clientId)) violate('durable', `${clientId} is shown as sent`);
      if (state === 'refused' && byClientId.has(clientId)) {
        violate('refused or written', `${clientId} is shown as refused, and stands on the timeline`);
      }
      if (state === 'refused' && !item.error) violate('refused with a reason', clientId);
      const message = messages.get(clientId);
      if (client.disk.has(clientId) && message) message.wasSaved = true;
      // Or durable on the server, though the page that took it from its disk may not have heard so.
      const isKept = client.disk.has(clientId) || byClientId.has(clientId);
      if (!isKept && world.schedule.storageFails === 0 && state !== 'saving' && state !== 'sent') {
        violate('kept by its sender', `${clientId} is ${state}, and not on the disk of ${client.id}`);
      }
      checkPatience(client, item, earlier.get(clientId));
    }
  }

  /** Whoever was told to wait does so, unless a new connection came in between. */
  function checkPatience(client: SimClient, item: Outgoing<Body>, was: Outgoing<Body> | undefined): void {
    if (!was || was === item) return;
    const waits = notBefore.get(client) ?? new Map<string, number>();
    const { now } = worldOf().kernel;
    const said = saidWait.get(sendingOf(client, item));
    if (
      was.state === 'sending' &&
      item.state === 'waiting' &&
      item.failures > was.failures &&
      said !== undefined
    ) {
      notBefore.set(client, waits.set(item.thread, now + said));
    }
    if (was.state === 'waiting' && item.state === 'sending' && now < (waits.get(item.thread) ?? 0)) {
      violate('waits as told', `${client.id} sent ${item.clientId} too early`);
    }
  }

  function remember(event: StoredEvent): void {
    const { conversationId, seq = 0 } = event;
    eventIds.set(event._id, event);
    if (conversationId === undefined) return;
    const list = truth.get(conversationId) ?? [];
    const visible = truthForVisitors.get(conversationId) ?? [];
    const last = list.at(-1)?.seq ?? 0;
    if (seq <= last) violate('one order', `${conversationId} committed ${seq} after ${last}`);
    if (event.previousSeq !== last)
      violate('one order', `${seq} in ${conversationId} follows ${event.previousSeq}`);
    if (shownToVisitors.has(event.kind)) {
      const lastVisible = visible.at(-1)?.seq ?? 0;
      if (event.previousVisitorSeq !== lastVisible) {
        violate('one order', `${seq} in ${conversationId} follows ${event.previousVisitorSeq} for visitors`);
      }
      truthForVisitors.set(conversationId, [...visible, event]);
    }
    truth.set(conversationId, [...list, event]);
    const clientId = clientIdOf(event);
    if (clientId === undefined) return;
    const message = messages.get(clientId);
    if (!message) violate('nothing out of nowhere', `${clientId} was never written`);
    if (message && unacceptable.has(message.mode))
      violate('refused or written', `${clientId} cannot be accepted`);
    // A retry of what was erased meanwhile is new: nothing is left to know it by.
    const first = byClientId.get(clientId);
    const isErased = first !== undefined && timelineOracle.tombstoneOf(first._id) !== undefined;
    if (first && !isErased) violate('exactly once', `${clientId} stands twice`);
    if (message && isErased) message.isLate = true;
    byClientId.set(clientId, event);
    checkSendersOrder(list, event, message);
    checkPlace(event, message);
  }

  /** What was written for one thread stands in one conversation, the one that the thread became. */
  function checkPlace({ conversationId }: StoredEvent, message?: Message): void {
    if (!message) return;
    const key = `${message.sender.id}/${message.thread}`;
    const wanted = message.thread.startsWith('new:') ? (became.get(key) ?? conversationId) : message.thread;
    became.set(key, conversationId ?? '');
    // A disk that does not write cannot keep what a message belongs to.
    if (wanted === conversationId || worldOf().schedule.storageFails > 0) return;
    violate(
      'in its conversation',
      `what was written for ${message.thread} stands in ${conversationId}, not ${wanted}`,
    );
  }

  function checkSendersOrder(earlier: readonly StoredEvent[], event: StoredEvent, message?: Message): void {
    if (!message || message.isLate) return;
    for (const one of earlier) {
      const other = messages.get(clientIdOf(one) ?? '');
      if (other?.sender === message.sender && !other.isLate && other.order > message.order) {
        violate('a sender’s own order', `${clientIdOf(event)} came after ${clientIdOf(one)}`);
      }
    }
  }

  function checkAfter(client: SimClient): void {
    const { outbox, threads, isOnline } = client.delivery.state;
    if (!isOnline) notBefore.delete(client);
    const before = seen.get(client);
    seen.set(client, { outbox, threads });
    if (before?.threads !== threads) {
      for (const id of Object.keys(before?.threads ?? {}))
        if (!threads[id]) record({ o: 'leave', p: `${client.id}/${client.loads}`, c: id });
      for (const [id, thread] of Object.entries(threads)) {
        if (before?.threads[id] !== thread) checkThread(client, id, thread, before?.threads[id]);
      }
    }
    checkOutbox(client, outbox, before?.outbox ?? []);
  }

  const jobOracle = createJobOracle(worldOf, violate);
  const timelineOracle = createTimelineOracle(worldOf, violate);

  return {
    ...jobOracle,
    ...timelineOracle,
    violations,
    history,
    get acknowledgedCount() {
      return acknowledgedCount;
    },
    loaded(client) {
      seen.delete(client);
      notBefore.delete(client);
      for (const clientId of client.disk.keys()) {
        const message = messages.get(clientId);
        if (!message || !unread.has(client)) continue;
        message.isLate = true;
        record({ o: 'late', p: client.id, m: clientId });
      }
      unread.delete(client);
      record({ o: 'load', p: `${client.id}/${client.loads}` });
    },
    unreadable: (client) => void unread.add(client),
    wrote(client, clientId, mode, thread) {
      messages.set(clientId, {
        sender: client,
        order: messages.size,
        mode,
        thread: thread ?? `new:${clientId}`,
        wasSaved: false,
        isDiscarded: false,
        isLate: false,
      });
      record({ o: 'write', p: client.id, m: clientId });
    },
    acknowledged(client, clientId, event) {
      acknowledgedCount += 1;
      const real = eventIds.get(event.id);
      record({ o: 'ack', p: client.id, m: clientId, e: event.id, s: event.seq, c: event.conversationId });
      if (!real) violate('durable', `${clientId} was acknowledged and is not in the store`);
      else if (clientIdOf(real) !== clientId)
        violate('durable', `${clientId} was answered with another’s event`);
      else if (real.seq !== event.seq) violate('durable', `${clientId} was answered with another place`);
      acknowledgedIds.add(clientId);
    },
    refused(client, clientId, error) {
      const item = client.delivery.state.outbox.find((one) => one.clientId === clientId);
      const wait = error.details?.retryAfterMs;
      worldOf().hit(`refused: ${error.code}`);
      if (item && typeof wait === 'number') saidWait.set(sendingOf(client, item), wait);
      if (error.retry !== 'same') record({ o: 'refuse', p: client.id, m: clientId });
    },
    discards(client, clientId) {
      const message = messages.get(clientId);
      if (message) message.isDiscarded = true;
      record({ o: 'discard', p: client.id, m: clientId });
    },
    retries(client, clientId) {
      const message = messages.get(clientId);
      if (message) message.isLate = true;
      record({ o: 'retry', p: client.id, m: clientId });
    },
    wipes(client) {
      for (const [clientId, message] of messages) {
        if (message.sender !== client) continue;
        Object.assign(message, { isDiscarded: true, isLate: true });
        record({ o: 'late', p: client.id, m: clientId });
        forgotten.set(clientId, client.loads);
      }
    },
    heard(client, event) {
      if (!eventIds.has(event.id)) violate('nothing out of nowhere', `${client.id} heard of ${event.id}`);
      if (client.kind === 'visitor' && !shownToVisitors.has(event.kind)) {
        violate('for agents only', `${client.id} heard of a ${event.kind}`);
      }
    },
    observe: checkAfter,
    committed(written) {
      for (const event of written.events) remember(event);
      jobOracle.commits(written);
      timelineOracle.timelineCommits(written);
      for (const { _id } of written.buried) record({ o: 'erased', e: _id });
    },
    answered: (dedupeKey) => void answeredKeys.add(dedupeKey),
    published(eventId) {
      const event = eventIds.get(eventId);
      if (!event) violate('commit, then publish', `${eventId} is not committed`);
      else if (
        !/^(conversation-started|reopened|archive):/.test(event.dedupeKey) &&
        !answeredKeys.has(event.dedupeKey)
      ) {
        violate('acknowledge, then publish', `${event.dedupeKey} is not answered`);
      }
    },
    unfinished() {
      const world = worldOf();
      for (const client of world.clients) {
        if (!client.owner.isAlive || !client.link) return `${client.id} is away`;
        const { outbox, threads, isOnline } = client.delivery.state;
        if (!isOnline) return `${client.id} is offline`;
        const left = outbox.find(({ state }) => state !== 'refused');
        if (left) return `${client.id} still holds ${left.clientId} (${left.state})`;
        for (const { _id, contactId } of world.store.conversations.values()) {
          if (client.kind === 'visitor' && contactId !== client.contactId) continue;
          const thread = threads[_id];
          const last = truthFor(client, _id).at(-1)?.seq ?? 0;
          if (!thread?.isLoaded || thread.upTo < last || thread.reading)
            return `${client.id} is behind in ${_id}`;
        }
      }
      for (const [{ name, isAlive }, count] of world.working)
        if (isAlive && count > 0) return `${name} is at work`;
      return jobOracle.unfinishedJob();
    },
    final() {
      const left = this.unfinished();
      if (left) violate('all come to the same', left);
      for (const clientId of acknowledgedIds) {
        if (!byClientId.has(clientId)) violate('durable', `${clientId} was acknowledged and is gone`);
      }
      for (const [clientId, { sender, wasSaved, isDiscarded }] of messages) {
        const isHeld = sender.delivery.state.outbox.some((item) => item.clientId === clientId);
        if (wasSaved && !isDiscarded && !isHeld && !byClientId.has(clientId)) {
          violate('nothing is dropped', `${clientId} stood in the outbox, and is nowhere`);
        }
      }
      for (const [id, events] of truth) {
        const row = [...worldOf().store.conversations.values()].find(({ _id }) => _id === id);
        const list = events.map((event) => [event.seq, event._id, clientIdOf(event) ?? null, event.kind]);
        record({ o: 'final', c: id, v: list });
        // An import that was undone may have taken the whole conversation along.
        if (!row && !timelineOracle.isBegun(id)) continue;
        const incoming = timelineOracle.incomingOf(id);
        if (row?.head !== events.at(-1)?.seq) violate('projection', `${id} says head ${row?.head}`);
        if (row?.incoming !== incoming) violate('projection', `${id} counts ${row?.incoming} of ${incoming}`);
      }
      jobOracle.finalJobs();
      timelineOracle.finalTimelines();
    },
  };
}

/** One sending of all: a page that is loaded again counts from the beginning. */
const sendingOf = ({ loads }: SimClient, { clientId, attempt }: Outgoing<Body>): string =>
  `${clientId}/${loads}#${attempt}`;

const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

function clientIdOf({ body }: StoredEvent): string | undefined {
  const id = body && typeof body === 'object' && 'clientId' in body ? body.clientId : undefined;
  // What staff do beside their pages is in no outbox.
  return typeof id === 'string' && !id.startsWith('staff:') ? id : undefined;
}
