import { timelinePicture } from '../../server/timeline/picture.js';
import { type TimelineQuery, timelinePage } from '../../server/timeline/timeline.js';
import { AppError } from '../../shared/errors.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import type { SimServer } from './server.js';
import { epoch, type World, workspaceId } from './world.js';

/** Somebody reads a contact's timeline, page by page and as a picture, and the oracle holds it to what was committed. */

const queries: readonly TimelineQuery[] = [
  {},
  { direction: 'newer' },
  { channels: 'chat,email' },
  { kinds: 'message,note,handling' },
  { at: new Date(epoch + 20_000).toISOString() },
  { at: new Date(epoch + 20_000).toISOString(), direction: 'newer', channels: 'phone' },
];
const nonsense: readonly TimelineQuery[] = [
  { kinds: 'gossip' },
  { cursor: 'nonsense' },
  { cursor: Buffer.from('[1,2]').toString('base64url') },
  { cursor: Buffer.from('[1e18,"x"]').toString('base64url') },
];

export async function browse(world: World, server: SimServer, pick: number): Promise<void> {
  const contacts = [...world.store.contacts.values()].map(({ id }) => id);
  const contactId = pick % 13 === 0 ? 'nobody' : (contacts[pick % contacts.length] ?? '');
  const read = (query: TimelineQuery) => timelinePage(server.store.timelines, workspaceId, contactId, query);
  if (pick % 5 === 0 || contactId === 'nobody') {
    await read(nonsense[pick % nonsense.length] ?? {}).then(
      () => world.oracle.fails('answers', 'nonsense is answered'),
      (error: unknown) => {
        if (!(error instanceof AppError)) throw error;
      },
    );
    return;
  }
  const query = queries[pick % queries.length] ?? {};
  const direction = query.direction ?? 'older';
  const before = world.standsAs();
  const shown: TimelineEvent[] = [];
  let page = await read({ ...query, limit: 3 });
  for (let pages = 0; pages < 60; pages += 1) {
    shown.push(...page.events);
    const cursor = direction === 'older' ? page.olderCursor : page.newerCursor;
    if (cursor === undefined) break;
    page = await read({ ...query, cursor, limit: 3 });
  }
  // Back from the last page: what lies on its other side was shown already.
  const back = direction === 'older' ? page.newerCursor : page.olderCursor;
  if (back !== undefined) {
    const turned = await read({
      ...query,
      cursor: back,
      direction: direction === 'older' ? 'newer' : 'older',
      limit: 2,
    });
    const known = new Set(shown.map(({ id }) => id));
    const isStill = before === world.standsAs();
    if (
      isStill &&
      turned.events.some(({ id, occurredAt }) => !known.has(id) && isWithin(query, occurredAt))
    ) {
      world.oracle.fails('timeline', `${contactId}: the way back leads elsewhere`);
    }
  }
  world.oracle.browsed(contactId, query, shown, before === world.standsAs());
}

/** What lies beyond the moment where reading began is found on the way back alone. */
const isWithin = ({ at, direction }: TimelineQuery, occurredAt: string): boolean =>
  at === undefined || (direction === 'newer' ? occurredAt >= at : occurredAt <= at);

export async function lookAtPicture(world: World, server: SimServer, pick: number): Promise<void> {
  const contacts = [...world.store.contacts.values()].map(({ id }) => id);
  const contactId = contacts[pick % contacts.length] ?? '';
  const range = {
    from: new Date(epoch - 1_000).toISOString(),
    to: new Date(epoch + 86_400_000).toISOString(),
  };
  const before = world.standsAs();
  const picture = await timelinePicture(server.store.timelines, workspaceId, contactId, range);
  if (before === world.standsAs()) world.oracle.pictured(contactId, picture);
}
