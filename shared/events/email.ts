import * as v from 'valibot';
import { limits } from '../limits.js';
import { Id } from '../text.js';
import { FileRef } from './parts.js';

const Header = v.pipe(v.string(), v.maxBytes(4_096));

/** An address as the letter shows it. `address` is lower case; empty when there was none that could be read. */
export const MailAddress = v.strictObject({ name: Header, address: Header });
export type MailAddress = v.InferOutput<typeof MailAddress>;

/**
 * Whether the sender is who the From line says. `verified` only by the trusted host's Authentication-Results
 * (`dmarc`) or because the operator of an import answers for it (`agent`).
 */
export const SenderProof = v.strictObject({
  verified: v.boolean(),
  method: v.picklist(['dmarc', 'agent', 'none']),
  /** Why it is not: `no_results`, `dmarc_fail`, `dmarc_none`, `several_from`, `no_from`, ... */
  reason: v.optional(v.pipe(v.string(), v.maxLength(100))),
});

export type SenderProof = v.InferOutput<typeof SenderProof>;

/** An e-mail, in or out. What people read stands here; the letter as it came is `raw`. */
export const EmailBody = v.strictObject({
  messageId: Header,
  inReplyTo: v.array(Header),
  references: v.pipe(v.array(Header), v.maxLength(100)),
  from: MailAddress,
  /** Set when answers go elsewhere than to `from`. */
  replyTo: v.optional(MailAddress),
  to: v.pipe(v.array(MailAddress), v.maxLength(limits.emailRecipients)),
  cc: v.pipe(v.array(MailAddress), v.maxLength(limits.emailRecipients)),
  subject: Header,
  /** What the person wrote now, as text. */
  text: v.pipe(v.string(), v.maxBytes(limits.emailTextBytes)),
  /** The quoted tail, folded away, never thrown away. */
  quoted: v.optional(v.pipe(v.string(), v.maxBytes(limits.emailTextBytes))),
  /** How much of `quoted` (UTF-16 units) stood before `text`: an answer written below what it answers. */
  quotedBefore: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  /** Text or HTML was longer than is kept here: the whole of it is in `raw`. */
  shortened: v.optional(v.boolean()),
  /** The HTML as it came; sanitised where it is shown, in the console. */
  html: v.optional(FileRef),
  attachments: v.pipe(v.array(FileRef), v.maxLength(limits.emailParts)),
  /** Which attachment a `cid:` in the HTML shows. */
  inline: v.optional(
    v.pipe(v.array(v.strictObject({ contentId: Header, fileId: Id })), v.maxLength(limits.emailParts)),
  ),
  raw: v.optional(FileRef),
  proof: v.optional(SenderProof),
  /** Whose clock `occurredAt` is: a mail host's (`received`), the sender's (`date`), ours when neither says (`arrival`). */
  timeFrom: v.optional(v.picklist(['received', 'date', 'arrival'])),
  /** `Date` of the letter, when it differs from `occurredAt` by more than an hour. ISO 8601. */
  dateHeader: v.optional(v.string()),
  /** Set for what a machine sent: `auto_reply`, `bounce`, `list`. Never answered automatically. */
  automatic: v.optional(v.picklist(['auto_reply', 'bounce', 'list'])),
  /** Set when the letter could not be read: `too_large`, `too_many_parts`, `malformed`. The raw letter is kept. */
  unread: v.optional(v.pipe(v.string(), v.maxLength(100))),
  /** Outgoing only: the sender's own id for it. */
  clientId: v.optional(v.pipe(v.string(), v.maxLength(64))),
});
export type EmailBody = v.InferOutput<typeof EmailBody>;

/** What became of an outgoing e-mail. Refers to it by `eventId`. */
export const EmailDeliveryBody = v.strictObject({
  eventId: Id,
  messageId: Header,
  state: v.picklist(['sent', 'failed']),
  /** The mail server's own words, one line, for the agent. */
  answer: v.optional(v.pipe(v.string(), v.maxLength(500))),
  attempts: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
export type EmailDeliveryBody = v.InferOutput<typeof EmailDeliveryBody>;
