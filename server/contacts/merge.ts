import type { MergePreview, MergeSide, UnmergePreview } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import type { Channel } from '../../shared/events/parts.js';
import { ConversationModel } from '../conversations/model.js';
import { EventModel } from '../timeline/model.js';
import { toTimelineEvent } from '../timeline/present.js';
import { publishNotice } from '../timeline/publish.js';
import { timelineFilter } from '../timeline/sources.js';
import { transactOnce } from '../timeline/store.js';
import { contentKinds } from '../timeline/visibility.js';
import type { Scope } from '../workspaces/scope.js';
import { findAskedAbout } from './asked-about.js';
import { facesOf } from './fields.js';
import { type Group, groupOf } from './group.js';
import { linkInside, standingMerge, unlinkInside } from './link.js';
import { ClaimModel, type FieldName, IdentityModel, MovedEventModel } from './model.js';
import { refoldInside } from './refold.js';

/** Marks a side. */
const previewMarks = 30;

/**
 * Joins the group of `mergedId` under the head of `contactId`'s. Links only: no event, no field is rewritten.
 * @throws AppError `merge_refused` with `reason` `same`, `same_group`, `too_many`; `contact_not_found`; `bad_request`
 * for a preference that names a contact of neither group
 */
export async function mergeContacts(
  scope: Scope,
  contactId: string,
  mergedId: string,
  options: { reason?: string | undefined; preferences?: Partial<Record<FieldName, string>> | undefined } = {},
): Promise<{ mergeId: string }> {
  if (contactId === mergedId) throw new AppError('merge_refused', { reason: 'same' });
  const linked = await transactOnce(async (session) => {
    const above = await groupOf(scope, contactId, session);
    const below = await groupOf(scope, mergedId, session);
    const preferences = options.preferences ?? {};
    const members = new Set([...above.memberIds, ...below.memberIds]);
    const stranger = Object.entries(preferences).find(([, id]) => !members.has(id));
    if (stranger) throw new AppError('bad_request', { field: `preferences.${stranger[0]}` });
    return linkInside(session, scope, {
      parentId: above.head._id,
      mergedId,
      reason: options.reason ?? '',
      preferences,
      byProof: false,
    });
  });
  linked.tell();
  for (const contactId of [linked.headId, linked.mergedId])
    publishNotice({ type: 'contact', workspaceId: scope.workspaceId, contactId });
  return { mergeId: linked.mergeId };
}

/**
 * Undoes one merge exactly: the two groups that it joined, with what was merged and undone in each since. Events of
 * nobody's identity stay with the head, save those named in `movedEventIds`, which go with the contact that leaves.
 * @throws AppError `not_found`; `merge_refused` with `reason` `undone`; `bad_request` for an event that is none of them
 */
export async function unmerge(
  scope: Scope,
  mergeId: string,
  options: { movedEventIds?: string[] | undefined } = {},
): Promise<void> {
  const movedEventIds = [...new Set(options.movedEventIds ?? [])];
  const outcome = await transactOnce(async (session) => {
    const merge = await standingMerge(scope, mergeId, session);
    const asked = movedEventIds.length === 0 ? [] : await findAskedAbout(scope, merge, session);
    const moving = asked.filter(({ event }) => movedEventIds.includes(event._id));
    if (moving.length !== movedEventIds.length) throw new AppError('bad_request', { field: 'movedEventIds' });
    const unlinked = await unlinkInside(session, scope, mergeId, movedEventIds);
    if (moving.length > 0) {
      const { workspaceId } = scope;
      await MovedEventModel.bulkWrite(
        // One that was moved before goes on from where it stands.
        moving.map(({ event }) => ({
          updateOne: {
            filter: { _id: event._id, workspaceId },
            update: {
              $set: { toContactId: unlinked.mergedId, mergeId },
              $setOnInsert: { fromContactId: event.contactId },
            },
            upsert: true,
          },
        })),
        { session },
      );
      const touched = new Set([...moving.map(({ standsOn }) => standsOn), unlinked.mergedId]);
      for (const id of touched) await refoldInside(session, scope, id);
    }
    return unlinked;
  });
  outcome.tell();
  const { workspaceId } = scope;
  publishNotice({ type: 'contact', workspaceId, contactId: outcome.headId });
  publishNotice({ type: 'contact', workspaceId, contactId: outcome.mergedId });
}

/** @throws AppError `not_found`, `merge_refused` when it was undone already */
export async function previewUnmerge(
  scope: Pick<Scope, 'workspaceId'>,
  mergeId: string,
): Promise<UnmergePreview> {
  const asked = await findAskedAbout(scope, await standingMerge(scope, mergeId));
  return { mergeId, askAbout: asked.map(({ event }) => toTimelineEvent(event, 'agent')) };
}

/** Both sides of a merge that is being thought about. @throws AppError `contact_not_found`, `merge_refused` */
export async function previewMerge(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  otherId: string,
): Promise<MergePreview> {
  const [left, right] = await Promise.all([groupOf(scope, contactId), groupOf(scope, otherId)]);
  if (left.head._id === right.head._id) {
    throw new AppError('merge_refused', { reason: contactId === otherId ? 'same' : 'same_group' });
  }
  const [leftSide, rightSide] = await Promise.all([sideOf(scope, left), sideOf(scope, right)]);
  return { left: leftSide, right: rightSide };
}

async function sideOf(scope: Pick<Scope, 'workspaceId'>, group: Group): Promise<MergeSide> {
  const { workspaceId } = scope;
  const contactId = { $in: group.memberIds };
  const filter = await timelineFilter(scope, group.head._id);
  const said = { $and: [filter, { kind: { $in: [...contentKinds] } }] };
  const [faces, identities, claims, events, oldest, open] = await Promise.all([
    facesOf(scope, [group.head._id]),
    IdentityModel.find({ workspaceId, contactId }).lean().limit(500),
    ClaimModel.find({ workspaceId, contactId }).lean().limit(500),
    EventModel.countDocuments(said),
    EventModel.find({ $and: [said, { channel: { $ne: null } }] }, { occurredAt: 1, channel: 1 })
      .sort({ occurredAt: 1, _id: 1 })
      .limit(previewMarks)
      .lean(),
    ConversationModel.find({ workspaceId, contactId, status: 'open' }, { number: 1, subject: 1 })
      .sort({ lastAt: -1 })
      .limit(10)
      .lean(),
  ]);
  const face = faces.get(group.head._id);
  if (!face) throw new AppError('contact_not_found');
  const valuesOf = (type: 'email' | 'phone') => {
    const proved = new Set(identities.filter((one) => one.type === type).map((one) => one.value));
    const claimed = new Set(claims.filter((one) => one.type === type).map((one) => one.value));
    return [
      ...[...proved].map((value) => ({ value, proved: true })),
      ...[...claimed].filter((value) => !proved.has(value)).map((value) => ({ value, proved: false })),
    ];
  };
  return {
    id: group.head._id,
    fields: face.fields,
    emails: valuesOf('email'),
    phones: valuesOf('phone'),
    events,
    since: oldest[0]?.occurredAt.toISOString() ?? null,
    open: open.map(({ number, subject }) => ({ number, subject })),
    marks: oldest.map((event) => ({
      at: event.occurredAt.toISOString(),
      channel: event.channel as Channel,
    })),
  };
}
