import { rebuild } from '../../server/timeline/rebuild.js';
import { watchDoor } from '../../server/timeline/watch.js';
import { AppError } from '../../shared/errors.js';
import { browse } from './browse.js';
import { createClient } from './client.js';
import { breakLink } from './network.js';
import type { Operation, Schedule } from './schedule.js';
import { bootServer, crashServer, restartServer } from './server.js';
import { doWork } from './work.js';
import { createWorld, type World, workspaceId } from './world.js';

export interface Outcome {
  violations: string[];
  hits: ReadonlyMap<string, number>;
  /** Virtual milliseconds, and tasks in them. */
  elapsedMs: number;
  tasks: number;
  acknowledged: number;
  history: string[];
  trace: string[];
}

/** After the last fault, all have this long to come to the same. */
const healWithinMs = 3 * 3_600_000;
const lookEveryMs = 5_000;

/** Plays one schedule: any faults first, each state checked; then none, and all must come to the same. */
export async function play(schedule: Schedule, options: { traces?: boolean } = {}): Promise<Outcome> {
  const world = createWorld(schedule, options.traces ? [] : null);
  const { kernel, oracle } = world;
  const watched = { appended: 0, refused: 0 };
  const endWatch = watchDoor({
    clock: () => kernel.now,
    appended() {
      watched.appended += 1;
    },
    refused() {
      watched.refused += 1;
    },
    committed: (began) => {
      if (began > kernel.now) oracle.fails('watched', 'a batch was begun later than it was committed');
    },
  });
  const isOver = () => oracle.violations.length > 0;
  for (let at = 0; at < schedule.servers; at += 1) bootServer(world, at);
  for (let at = 0; at < schedule.visitors; at += 1) {
    const isTab = schedule.twoTabs && at > 0 && at === schedule.visitors - 1;
    const contact = isTab ? 0 : at;
    addContact(world, `contact-${contact}`);
    world.clients.push(createClient(world, 'visitor', at, contact));
  }
  for (let at = 0; at < schedule.agents; at += 1)
    world.clients.push(createClient(world, 'agent', at, 100 + at));
  for (const id of ['caller-0', 'caller-1', 'archived']) addContact(world, id);
  world.clients[0]?.write('text', true);
  await kernel.run(200, isOver);
  for (const operation of schedule.operations) {
    await kernel.run(kernel.now + operation.waitMs, isOver);
    if (isOver()) break;
    perform(world, operation);
  }
  await kernel.run(kernel.now + 2_000, isOver);
  if (!isOver()) {
    heal(world);
    const end = kernel.now + healWithinMs;
    // At least once: that all connections are made anew takes a moment.
    do {
      mend(world);
      await kernel.run(kernel.now + lookEveryMs, isOver);
    } while (kernel.now < end && !isOver() && oracle.unfinished() !== null);
    if (!isOver()) await makeAgain(world, isOver);
    if (!isOver()) oracle.final();
  }
  endWatch();
  // Once more changes nothing: another play may be watched by now.
  endWatch();
  if (watched.appended + watched.refused < oracle.acknowledgedCount)
    oracle.fails(
      'watched',
      `${oracle.acknowledgedCount} were acknowledged, and the door told of ${watched.appended}`,
    );
  return {
    violations: oracle.violations,
    hits: world.hits,
    elapsedMs: kernel.now,
    tasks: kernel.tasks,
    acknowledged: oracle.acknowledgedCount,
    history: oracle.history,
    trace: world.trace ?? [],
  };
}

function addContact(world: World, id: string): void {
  world.store.contacts.set(`${workspaceId}\n${id}`, { id, workspaceId, headId: id, lastMergeId: null });
}

/** Made again from the events alone, everything is what it was, and what no event begins is gone. */
async function makeAgain(world: World, isOver: () => boolean): Promise<void> {
  const { kernel, store, oracle } = world;
  const server = world.servers.find((one) => one !== null);
  const [row] = store.conversations.values();
  if (!server || !row) return;
  // Whoever reads a conversation while it is undone may leave a mark at nothing: it goes when all is made again.
  const marks = () =>
    [...store.marks.values()].filter((mark) =>
      store.conversations.has(`${workspaceId}\n${mark.conversationId}`),
    );
  const rows = () => JSON.stringify([[...store.conversations.values()], marks()]);
  const before = rows();
  store.conversations.set(`${workspaceId}\nunbegun`, { ...row, _id: 'unbegun', key: 'unbegun' });
  let isMade = false;
  const makeAndRead = async (): Promise<void> => {
    try {
      await rebuild(server.store.remake, 'all');
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'store_unavailable') throw error;
      // A process that ended in the middle of something still holds it, for a minute at most.
      await kernel.delay(world.outside, 20_000);
      return makeAndRead();
    }
    for (const pick of [6, 7, 8]) await browse(world, server, pick);
  };
  makeAndRead().then(
    () => {
      isMade = true;
    },
    (error: unknown) => oracle.fails('made again', String(error)),
  );
  await kernel.run(kernel.now + 300_000, () => isMade || isOver());
  if (!isMade) oracle.fails('made again', 'not within five minutes');
  if (rows() !== before) oracle.fails('made again', `${rows()} is not what stood: ${before}`);
}

/**
 * Somebody looks after what failed for good while nothing worked: three times each, since what a process that ended in
 * the middle of something held is free a minute later at most.
 */
function mend(world: World): void {
  const server = world.servers.find((one) => one !== null);
  const dead = world.oracle.unmended();
  const [first, ...others] = dead;
  if (!server || !first) return;
  for (const id of dead) world.mended.set(id, (world.mended.get(id) ?? 0) + 1);
  world.hit('dead letter retried');
  const scope = { workspaceId };
  const retried = others.length > 0 ? server.desk.retryAllDead(scope) : server.desk.retryDead(scope, first);
  retried.catch((error: unknown) => world.oracle.fails('dead letters', String(error)));
}

/** A number of an operation chooses among those who are there. */
const among = <T>(list: readonly T[], at: number): T | undefined =>
  list.length ? list[at % list.length] : undefined;

function perform(world: World, operation: Operation): void {
  const { kernel } = world;
  if ('client' in operation) {
    const isAgents = operation.type === 'write' && (operation.mode === 'note' || operation.mode === 'email');
    const agents = isAgents ? world.clients.filter(({ kind }) => kind === 'agent') : [];
    const client = among(agents.length > 0 ? agents : world.clients, operation.client);
    if (client?.owner.isAlive) performAtClient(world, client, operation);
    return;
  }
  if (operation.type === 'store-away') {
    world.storeAwayUntil = kernel.now + operation.ms;
    world.hit('store away');
    return;
  }
  if (operation.type === 'mail-away') {
    world.mailAwayUntil = kernel.now + operation.ms * 40;
    world.hit('mail server away');
    return;
  }
  if (!('server' in operation)) return;
  const server = among(world.servers, operation.server);
  if (!server) return;
  if (operation.type === 'work') {
    world.note(server.owner.name, `${operation.what} ${operation.pick}`);
    doWork(world, server, operation.what, operation.pick).catch((error: unknown) =>
      world.oracle.fails('no mistakes', `${operation.what} ${operation.pick}: ${error}`),
    );
    return;
  }
  world.note(server.owner.name, operation.type);
  if (operation.type === 'step') server.armed = operation;
  else if (operation.type === 'crash') crashServer(world, server.index, operation.ms);
  else if (operation.type === 'restart') restartServer(world, server.index);
  else if (operation.type === 'pause') {
    world.hit('server paused');
    server.troubledAt = kernel.now + operation.ms;
    server.owner.pausedUntil = kernel.now + operation.ms;
  } else {
    world.hit('clock set');
    server.troubledAt = kernel.now;
    // An hour either way, or a little.
    server.skewMs = operation.ms > 20_000 ? (operation.ms % 2 ? 3_600_000 : -3_600_000) : operation.ms;
    for (const other of world.servers) if (other) other.troubledAt = kernel.now;
    world.oracle.clocksDiffer();
  }
}

function performAtClient(
  world: World,
  client: World['clients'][number],
  operation: Extract<Operation, { client: number }>,
): void {
  const { kernel } = world;
  const { link, delivery } = client;
  const threads = Object.keys(delivery.state.threads);
  if (operation.type !== 'write') world.note(client.id, operation.type);
  switch (operation.type) {
    case 'write':
      for (let n = 0; n < operation.count; n += 1) client.write(operation.mode, operation.fresh && n === 0);
      return;
    case 'status': {
      const conversationId = threads[0];
      if (client.kind !== 'agent' || !conversationId) return;
      client.tell({ name: 'status', conversationId, key: `status:${world.newId()}` });
      return;
    }
    case 'cut':
      if (link) world.hit('cut');
      link?.close('cut');
      return;
    case 'half-open':
      if (link) breakLink(world, link);
      return;
    case 'partition':
      world.hit('partition');
      client.partitionedUntil = kernel.now + operation.ms;
      if (link) breakLink(world, link);
      return;
    case 'begin-and-go': {
      world.hit('page gone while a conversation begins');
      for (let n = 0; n < 3; n += 1) client.write('text', n === 0);
      kernel.after(client.owner, operation.ms % 200, () => client.reload(100));
      // And once more, while it takes up what was left.
      if (operation.ms % 2)
        kernel.after(world.outside, 200 + (operation.ms % 190), () => {
          if (client.owner.isAlive) client.reload(100);
        });
      return;
    }
    case 'reload':
      world.hit('page gone');
      client.reload(Math.min(operation.ms, 5_000));
      return;
    case 'forget-answers':
      if (link) link.forgets = 1 + (operation.ms % 4);
      return;
    case 'slow': {
      if (!link) return;
      world.hit('slow reader');
      link.isBehind = true;
      kernel.after(link.server.owner, Math.min(operation.ms, 5_000), () => {
        link.isBehind = false;
        for (const conversationId of threads) link.toClient({ type: 'missed', conversationId });
      });
      return;
    }
    case 'older':
    case 'seen': {
      const id = threads.at(-1);
      const thread = id === undefined ? undefined : delivery.state.threads[id];
      if (id === undefined || !thread) return;
      if (operation.type === 'older') delivery.input({ type: 'older', conversationId: id });
      else delivery.input({ type: 'seen', conversationId: id, seq: thread.upTo });
      return;
    }
    case 'wipe':
      world.hit('signed out');
      // Every other time the page is just being loaded.
      if (client.written % 2 === 0) client.reload(10);
      kernel.after(world.outside, 12, () => {
        if (client.owner.isAlive) client.wipe();
      });
      return;
    case 'hand-over':
      world.hit('handed over to another tab');
      client.handOver();
      return;
    case 'told-twice':
      client.tellTwice();
      return;
    case 'unfollow': {
      const id = threads[0];
      if (id === undefined) return;
      world.hit('unfollowed');
      delivery.input({ type: 'unfollow', conversationId: id });
      delivery.input({ type: 'older', conversationId: id });
      kernel.after(client.owner, 100, () => delivery.input({ type: 'follow', conversationId: id }));
      return;
    }
    case 'astray':
      world.hit('followed what is not there');
      delivery.input({ type: 'follow', conversationId: 'nowhere' });
      kernel.after(client.owner, 10_000, () =>
        delivery.input({ type: 'unfollow', conversationId: 'nowhere' }),
      );
      return;
    case 'read-by-other': {
      const id = threads.at(-1);
      if (id !== undefined) delivery.input({ type: 'read-by-other', conversationId: id, seq: 2 });
      return;
    }
    case 'retry':
    case 'discard': {
      const item = delivery.state.outbox.find(({ state }) => state === 'refused');
      // Storage that is still being read would bring it back: nothing is taken back before.
      if (!item || !delivery.state.isRestored) return;
      world.hit(operation.type);
      if (operation.type === 'discard') world.oracle.discards(client, item.clientId);
      else world.oracle.retries(client, item.clientId);
      delivery.input({ type: operation.type, clientId: item.clientId });
    }
  }
}

/** Everything works again, and every connection is made anew: what a deploy does to all. */
function heal(world: World): void {
  world.isHealed = true;
  world.storeAwayUntil = 0;
  world.mailAwayUntil = 0;
  world.note('world', 'healed');
  for (const [index, server] of world.servers.entries()) {
    if (!server) continue;
    // What it commits last nobody hears from it any more: it ends before all ask anew, not after.
    if (server.isStopping) crashServer(world, index, 100);
    server.armed = null;
    if (server.skewMs !== 0) server.troubledAt = world.kernel.now;
    server.skewMs = 0;
    server.owner.pausedUntil = Math.min(server.owner.pausedUntil, world.kernel.now);
  }
  for (const client of world.clients) {
    client.partitionedUntil = 0;
    // A page whose storage did not answer shows what was kept when it is loaded the next time.
    if (client.hasUnread && client.owner.isAlive) client.reload(100);
    else client.link?.close('healed');
  }
}
