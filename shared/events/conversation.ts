import * as v from 'valibot';
import { Id, shortText } from '../text.js';
import { ConversationStatus } from './parts.js';

/** The first event of every conversation: from it the conversation can be made again. */
export const ConversationStartedBody = v.strictObject({
  /** #4182: counts up within the workspace. */
  number: v.pipe(v.number(), v.integer(), v.minValue(1)),
  subject: shortText(500),
});

export const StatusChangedBody = v.strictObject({ from: ConversationStatus, to: ConversationStatus });
export const AssignedBody = v.strictObject({ from: v.nullable(Id), to: v.nullable(Id) });

/** Seconds a conversation stood before an active agent. At most one such event a minute. */
export const HandlingBody = v.strictObject({
  seconds: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3_600)),
});
