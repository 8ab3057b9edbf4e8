import { groupOf, movedEvents } from '../contacts/group.js';
import { ConversationModel } from '../conversations/model.js';
import { beyond } from '../store/beyond.js';
import type { Scope } from '../workspaces/scope.js';
import { EventModel } from './model.js';
import type { PageSource } from './page.js';
import type { Standing, TimelineSource, Which } from './timeline.js';
import { visitorKinds } from './visibility.js';

/** The mongoose side of the port that a conversation's pages are read through. */
export const mongoosePages: PageSource = {
  async headOf(workspaceId, conversationId) {
    const found = await ConversationModel.findOne({ _id: conversationId, workspaceId }, { head: 1 }).lean();
    return found?.head ?? null;
  },
  async eventsIn({ workspaceId, conversationId, audience, after, before, upTo, order, limit }) {
    return EventModel.find({
      workspaceId,
      conversationId,
      seq: {
        ...(after !== undefined && { $gt: after }),
        ...(before !== undefined && { $lt: before }),
        $lte: upTo,
      },
      ...(audience === 'visitor' && { kind: { $in: [...visitorKinds] } }),
    })
      .sort({ seq: order === 'asc' ? 1 : -1 })
      .limit(limit)
      .lean();
  },
};

/** The mongoose side of the port that contacts' timelines are read through. */
export const mongooseTimelines: TimelineSource = {
  async standingOf(workspaceId, contactId) {
    const { memberIds } = await groupOf({ workspaceId }, contactId);
    return { workspaceId, memberIds, moved: await movedEvents({ workspaceId }, memberIds) };
  },
  async eventsOn(standing, which, direction, limit) {
    const order = direction === 'older' ? -1 : 1;
    return EventModel.find(filterOf(standing, which))
      .sort({ occurredAt: order, _id: order })
      .limit(limit)
      .lean();
  },
  async countOn(standing, which) {
    return EventModel.countDocuments(filterOf(standing, which));
  },
};

type Filter = Record<string, unknown>;

function filterOf(standing: Standing, { channels, kinds, beyond: past, from, to }: Which): Filter {
  const conditions: Filter[] = [standingFilter(standing)];
  if (channels) conditions.push({ channel: channels === 'any' ? { $ne: null } : { $in: [...channels] } });
  if (kinds) conditions.push({ kind: 'only' in kinds ? { $in: [...kinds.only] } : { $nin: [...kinds.but] } });
  if (past) conditions.push(beyond('occurredAt', past.place, past.direction));
  if (from || to) conditions.push({ occurredAt: { ...(from && { $gte: from }), ...(to && { $lte: to }) } });
  return { $and: conditions };
}

function standingFilter({ workspaceId, memberIds, moved }: Standing): Filter {
  const own = { workspaceId, contactId: { $in: [...memberIds] }, erased: { $ne: 'undone' } };
  if (moved.to.length === 0 && moved.away.length === 0) return own;
  const kept = moved.away.length > 0 ? { ...own, _id: { $nin: [...moved.away] } } : own;
  if (moved.to.length === 0) return kept;
  return { $or: [kept, { workspaceId, _id: { $in: [...moved.to] }, erased: { $ne: 'undone' } }] };
}

/** All that stands on the timeline of a contact's group, as a filter. What went with its import stands on none. */
export async function timelineFilter(
  { workspaceId }: Pick<Scope, 'workspaceId'>,
  contactId: string,
): Promise<Filter> {
  return standingFilter(await mongooseTimelines.standingOf(workspaceId, contactId));
}
