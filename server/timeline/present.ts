import type { TimelineEvent } from '../../shared/events/timeline.js';
import { liftBody } from '../../shared/events/up.js';
import type { StoredEvent } from './model.js';
import { type Audience, isVisibleToVisitor } from './visibility.js';

/** Whom the answer to an append is written for: a customer's own browser only sees what it may see at all. */
export const audienceOf = ({ actor, kind }: Pick<StoredEvent, 'actor' | 'kind'>): Audience =>
  actor.type === 'contact' && isVisibleToVisitor(kind) ? 'visitor' : 'agent';

/** A stored event as clients see it: the body in today's form, times as text, `previousSeq` as this audience may see it. */
export function toTimelineEvent(event: StoredEvent, audience: Audience): TimelineEvent {
  const previousSeq = audience === 'visitor' ? event.previousVisitorSeq : event.previousSeq;
  const shown = {
    id: event._id,
    contactId: event.contactId,
    ...(event.conversationId !== undefined && { conversationId: event.conversationId }),
    ...(event.inboxId !== undefined && { inboxId: event.inboxId }),
    channel: event.channel,
    direction: event.direction,
    actor: event.actor,
    ...(event.seq !== undefined && { seq: event.seq }),
    ...(previousSeq !== undefined && { previousSeq }),
    occurredAt: event.occurredAt.toISOString(),
    recordedAt: event.recordedAt.toISOString(),
    ...(event.timeCorrected && { timeCorrected: true }),
    ...(event.erased && { erased: true }),
    kind: event.kind,
    body: liftBody(event.kind, event.v, event.body),
  };
  // Kind and body were parsed together at the door, and `liftBody` keeps them so: here they are only told apart again.
  return forAudience(shown as TimelineEvent, audience);
}

/**
 * The same event for another audience. `previousSeq` is for whoever reads it, so the caller gives theirs.
 * @throws Error for a kind that the visitor may not see: asking is a mistake of ours, and must not pass as an empty body.
 */
export function forAudience(event: TimelineEvent, audience: Audience, previousSeq?: number): TimelineEvent {
  const seen = previousSeq === undefined ? event : { ...event, previousSeq };
  if (audience === 'agent') return seen;
  if (!isVisibleToVisitor(event.kind)) throw new Error(`A visitor may not see ${event.kind}.`);
  if (seen.kind !== 'status_changed') return seen;
  // That we took them for spam is not for them to know: it looks closed.
  const { from, to } = seen.body;
  return { ...seen, body: { from: from === 'spam' ? 'closed' : from, to: to === 'spam' ? 'closed' : to } };
}
