import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { SimClient } from './client.js';
import type { Answer, Ask, SimServer } from './server.js';
import type { World } from './world.js';

export type Down =
  | { type: 'session'; conversations: { id: string; head: number }[] }
  | { type: 'event'; event: TimelineEvent }
  | { type: 'missed'; conversationId: string }
  | { type: 'answer'; id: number; answer: Answer };

/** One connection between a page and a process. */
export interface Link {
  client: SimClient;
  server: SimServer;
  /** Frames vanish both ways, and neither side knows it yet. */
  isBroken: boolean;
  isClosed: boolean;
  /** The reader does not keep up: live events are left out until it is told so. */
  isBehind: boolean;
  /** How many of the next answers vanish. */
  forgets: number;
  toClient(frame: Down): void;
  toServer(id: number, ask: Ask): void;
  /** Both sides come to know that it is over, each when it does. */
  close(why: string): void;
}

/** How long until a side notices that nothing comes any more. */
const heartbeatMs = 25_000;

export function openLink(world: World, client: SimClient, server: SimServer, name: string): Link {
  const { kernel, schedule } = world;
  const random = kernel.random(name);
  const last = { up: 0, down: 0 };

  function arrive(direction: 'up' | 'down', land: () => void): void {
    if (link.isBroken || link.isClosed) return;
    if (world.strikes(schedule.loss, `frame lost:${name}`)) {
      // Of a stream nothing is lost alone: what cannot get through ends it, sooner or later.
      if (!schedule.reorders) breakLink(world, link);
      return;
    }
    const copies = world.strikes(schedule.double, `frame doubled:${name}`) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const at = kernel.now + 1 + random() * (world.isHealed ? 20 : schedule.latencyMs);
      last[direction] = schedule.reorders && !world.isHealed ? at : Math.max(last[direction], at);
      const receiver = direction === 'up' ? server.owner : client.owner;
      kernel.after(receiver, last[direction] - kernel.now, () => {
        if (!link.isBroken && !link.isClosed) land();
      });
    }
  }

  const link: Link = {
    client,
    server,
    isBroken: false,
    isClosed: false,
    isBehind: false,
    forgets: 0,
    toClient(frame) {
      if (frame.type === 'answer' && link.forgets > 0) {
        link.forgets -= 1;
        world.hit('answer lost');
        return;
      }
      arrive('down', () => client.receive(link, frame));
    },
    toServer(id, ask) {
      arrive('up', () => {
        server.ask(link, ask).then(
          (answer) => link.toClient({ type: 'answer', id, answer }),
          () => {},
        );
      });
    },
    close(why) {
      if (link.isClosed) return;
      link.isClosed = true;
      world.note(name, `closed: ${why}`);
      const gone = random() * 50;
      kernel.after(client.owner, gone, () => client.lost(link));
      kernel.after(server.owner, random() * heartbeatMs, () => server.links.delete(link));
    },
  };
  return link;
}

/** What is on its way vanishes, and so does all that follows, until somebody misses it. */
export function breakLink(world: World, link: Link): void {
  if (link.isBroken || link.isClosed) return;
  link.isBroken = true;
  world.hit('half-open');
  world.kernel.after(world.outside, heartbeatMs, () => link.close('no heartbeat'));
}
