import { createClient } from './client.js';
import { breakLink } from './network.js';
import type { Operation, Schedule } from './schedule.js';
import { bootServer, crashServer, restartServer } from './server.js';
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
    while (kernel.now < end && !isOver() && oracle.unfinished() !== null) {
      await kernel.run(kernel.now + lookEveryMs, isOver);
    }
    if (!isOver()) oracle.final();
  }
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
    case 'retry':
    case 'discard': {
      const item = delivery.state.outbox.find(({ state }) => state === 'refused');
      if (!item) return;
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
  for (const server of world.servers) {
    if (!server) continue;
    server.armed = null;
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
