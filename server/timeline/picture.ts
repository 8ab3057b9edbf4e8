import type { TimelinePicture } from '../../shared/api.js';
import type { Channel } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import type { Scope } from '../workspaces/scope.js';
import { EventModel } from './model.js';
import { bodyOf } from './projection.js';
import { timelineFilter } from './read.js';
import { contentKinds } from './visibility.js';

/** Older years are looked for one by one, each by one step into the index. */
const oldestYears = 60;

/**
 * The year picture and the chips of a contact's timeline. `from` and `to` are ISO times; marks are what was said
 * between them, oldest first; counts are of the whole timeline.
 * @throws AppError `contact_not_found`
 */
export async function readPicture(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  range: { from: string; to: string },
): Promise<TimelinePicture> {
  const filter = await timelineFilter(scope, contactId);
  const [marks, counts, years] = await Promise.all([
    readMarks(filter, new Date(range.from), new Date(range.to)),
    readCounts(filter),
    readYears(filter, new Date(range.from)),
  ]);
  return { from: range.from, to: range.to, marks, counts, years };
}

type Filter = Record<string, unknown>;
const isContent = { kind: { $in: [...contentKinds] } };

async function readMarks(filter: Filter, from: Date, to: Date): Promise<TimelinePicture['marks']> {
  const found = await EventModel.find(
    { $and: [filter, isContent, { channel: { $ne: null }, occurredAt: { $gte: from, $lte: to } }] },
    { kind: 1, v: 1, channel: 1, direction: 1, occurredAt: 1, erased: 1, body: 1 },
  )
    .sort({ occurredAt: -1, _id: -1 })
    .limit(limits.pictureMarks)
    .lean();
  return found.reverse().map((event) => ({
    id: event._id,
    at: event.occurredAt.toISOString(),
    channel: event.channel as Channel,
    direction: event.direction,
    ...(event.kind === 'call' && !event.erased && { talkSeconds: bodyOf(event, 'call').talkSeconds }),
  }));
}

async function readCounts(filter: Filter): Promise<TimelinePicture['counts']> {
  const count = (condition: Filter) => EventModel.countDocuments({ $and: [filter, condition] });
  const said = (channel: Channel) =>
    count({ channel, kind: { $in: [...contentKinds].filter((k) => k !== 'note') } });
  const [all, chat, email, phone, note, change] = await Promise.all([
    count({ kind: { $ne: 'handling' } }),
    said('chat'),
    said('email'),
    said('phone'),
    count({ kind: 'note' }),
    count({ kind: { $nin: [...contentKinds, 'handling'] } }),
  ]);
  return { all, chat, email, phone, note, change };
}

/** The years in which something happened before `from`, the newest first. */
async function readYears(filter: Filter, from: Date): Promise<number[]> {
  const years: number[] = [];
  let before = from;
  while (years.length < oldestYears) {
    const newest = await EventModel.findOne(
      { $and: [filter, isContent, { occurredAt: { $lt: before } }] },
      { occurredAt: 1 },
    )
      .sort({ occurredAt: -1, _id: -1 })
      .lean();
    if (!newest) break;
    const year = newest.occurredAt.getUTCFullYear();
    years.push(year);
    before = new Date(Date.UTC(year, 0, 1));
  }
  return years;
}
