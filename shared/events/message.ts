import * as v from 'valibot';
import { limits } from '../limits.js';
import { shortText } from '../text.js';
import { FileRef } from './parts.js';

const Url = v.pipe(v.string(), v.maxBytes(limits.urlBytes));

/** Where somebody came from. Goes with the first message of a browser, once. */
export const Touch = v.strictObject({
  landingPage: Url,
  referrer: Url,
  /** utm_source, utm_medium, utm_campaign, utm_term, utm_content, gclid, fbclid, msclkid, yclid. */
  parameters: v.pipe(
    v.record(v.pipe(v.string(), v.regex(/^[a-z_]{1,32}$/)), shortText()),
    v.check((record) => Object.keys(record).length <= 16, 'At most 16 parameters.'),
  ),
  /** When the browser first saw the site, by its own clock: shown, never used to order anything. */
  at: v.pipe(v.string(), v.isoTimestamp()),
});
export type Touch = v.InferOutput<typeof Touch>;

/** Text as it is kept: within the limit in characters and in bytes. Refusals name the limit (see timeline's check). */
export const MessageText = v.pipe(v.string(), v.maxBytes(limits.messageBytes));

/** A chat message, from either side. */
export const MessageBody = v.strictObject({
  text: MessageText,
  attachments: v.pipe(v.array(FileRef), v.maxLength(limits.attachmentsPerMessage)),
  /** The sender's own id for it: what an outbox waits to see come back. */
  clientId: v.pipe(v.string(), v.maxLength(64)),
  touch: v.optional(Touch),
});
export type MessageBody = v.InferOutput<typeof MessageBody>;

/** Written for colleagues only; never leaves the company. */
export const NoteBody = v.strictObject({
  text: MessageText,
  attachments: v.pipe(v.array(FileRef), v.maxLength(limits.attachmentsPerMessage)),
  clientId: v.pipe(v.string(), v.maxLength(64)),
});
export type NoteBody = v.InferOutput<typeof NoteBody>;
