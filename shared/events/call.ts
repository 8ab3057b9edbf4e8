import * as v from 'valibot';
import { Time } from '../text.js';

const Line = v.pipe(v.string(), v.maxLength(100));
const Seconds = v.pipe(v.number(), v.integer(), v.minValue(0));

/** One end of a call. `e164` only when the number could be read as one; `shown` is what the record said. */
export const CallParty = v.strictObject({
  shown: Line,
  e164: v.optional(v.pipe(v.string(), v.regex(/^\+[1-9]\d{1,14}$/))),
  name: v.optional(Line),
  extension: v.optional(Line),
  /** The caller withheld the number. Two such callers are never one person. */
  anonymous: v.optional(v.boolean()),
});
export type CallParty = v.InferOutput<typeof CallParty>;

/** One phone call, however many legs the exchange recorded. Times in UTC, ISO 8601. */
export const CallBody = v.strictObject({
  /** The exchange's own id of the call. */
  callId: v.pipe(v.string(), v.maxLength(200)),
  from: CallParty,
  to: CallParty,
  /** The colleague's name or extension, when the record says. */
  agent: v.optional(Line),
  startedAt: Time,
  answeredAt: v.optional(Time),
  endedAt: v.optional(Time),
  outcome: v.picklist(['answered', 'missed', 'busy', 'failed', 'voicemail']),
  ringSeconds: Seconds,
  talkSeconds: Seconds,
  recordingUrl: v.optional(v.pipe(v.string(), v.maxLength(2_048))),
  /** A caller's number can be forged: it is verified only by a proof made elsewhere. */
  numberVerified: v.boolean(),
});
export type CallBody = v.InferOutput<typeof CallBody>;
