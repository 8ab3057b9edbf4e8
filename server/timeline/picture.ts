import type { TimelinePicture } from '../../shared/api.js';
import type { Channel } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import { bodyOf } from './projection.js';
import type { Standing, TimelineSource, Which } from './timeline.js';
import { contentKinds } from './visibility.js';

/** Older years are looked for one by one, each by one step into the index. */
const oldestYears = 60;

/**
 * The year picture and the chips of a contact's timeline. `from` and `to` are ISO times; marks are what was said
 * between them, oldest first; counts are of the whole timeline.
 * @throws AppError `contact_not_found`
 */
export async function timelinePicture(
  source: TimelineSource,
  workspaceId: string,
  contactId: string,
  range: { from: string; to: string },
): Promise<TimelinePicture> {
  const standing = await source.standingOf(workspaceId, contactId);
  const [from, to] = [new Date(range.from), new Date(range.to)];
  const [marks, counts, years] = await Promise.all([
    readMarks(source, standing, from, to),
    readCounts(source, standing),
    readYears(source, standing, from),
  ]);
  return { from: range.from, to: range.to, marks, counts, years };
}

const content = { only: contentKinds };
const said = { only: contentKinds.filter((kind) => kind !== 'note') };

async function readMarks(
  source: TimelineSource,
  standing: Standing,
  from: Date,
  to: Date,
): Promise<TimelinePicture['marks']> {
  const which: Which = { kinds: content, channels: 'any', from, to };
  const found = await source.eventsOn(standing, which, 'older', limits.pictureMarks);
  return found.reverse().map((event) => ({
    id: event._id,
    at: event.occurredAt.toISOString(),
    channel: event.channel as Channel,
    direction: event.direction,
    ...(event.kind === 'call' && !event.erased && { talkSeconds: bodyOf(event, 'call').talkSeconds }),
  }));
}

async function readCounts(source: TimelineSource, standing: Standing): Promise<TimelinePicture['counts']> {
  const count = (which: Which) => source.countOn(standing, which);
  const [all, chat, email, phone, note, change] = await Promise.all([
    count({ kinds: { but: ['handling'] } }),
    count({ kinds: said, channels: ['chat'] }),
    count({ kinds: said, channels: ['email'] }),
    count({ kinds: said, channels: ['phone'] }),
    count({ kinds: { only: ['note'] } }),
    count({ kinds: { but: [...contentKinds, 'handling'] } }),
  ]);
  return { all, chat, email, phone, note, change };
}

/** The years in which something happened before `from`, the newest first. */
async function readYears(source: TimelineSource, standing: Standing, from: Date): Promise<number[]> {
  const years: number[] = [];
  let before = from;
  while (years.length < oldestYears) {
    // No id is less than the empty one: this is strictly before the moment.
    const past = { place: { at: before, id: '' }, direction: 'older' as const };
    const [newest] = await source.eventsOn(standing, { kinds: content, beyond: past }, 'older', 1);
    if (!newest) break;
    const year = newest.occurredAt.getUTCFullYear();
    years.push(year);
    before = new Date(Date.UTC(year, 0, 1));
  }
  return years;
}
