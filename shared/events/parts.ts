import * as v from 'valibot';
import { limits } from '../limits.js';
import { Id, shortText } from '../text.js';

export const channels = ['chat', 'email', 'phone'] as const;
export const Channel = v.picklist(channels);
export type Channel = v.InferOutput<typeof Channel>;

/** `in`: from the customer. `out`: from us. `internal`: not said to anybody outside. */
export const Direction = v.picklist(['in', 'out', 'internal']);
export type Direction = v.InferOutput<typeof Direction>;

/** Who did it. `contact`: the customer (a visitor is one). `system` has no id. */
export const Actor = v.variant('type', [
  v.strictObject({ type: v.literal('contact'), id: Id }),
  v.strictObject({ type: v.literal('agent'), id: Id }),
  v.strictObject({ type: v.literal('system') }),
]);
export type Actor = v.InferOutput<typeof Actor>;

/** A stored file as an event names it. The type was read from the bytes, never taken from the sender. */
export const FileRef = v.strictObject({
  fileId: Id,
  name: shortText(limits.fileNameBytes),
  type: v.pipe(v.string(), v.maxLength(100)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
});
export type FileRef = v.InferOutput<typeof FileRef>;

export const identityTypes = ['email', 'phone', 'external', 'visitor'] as const;
export const IdentityType = v.picklist(identityTypes);
export type IdentityType = v.InferOutput<typeof IdentityType>;

/** How an identity was proved. `token`: a visitor's own secret. `agent`: somebody of the company answers for it. */
export const Proof = v.picklist(['jwt', 'dmarc', 'otp', 'agent', 'token']);
export type Proof = v.InferOutput<typeof Proof>;

export const ConversationStatus = v.picklist(['open', 'closed', 'spam']);
export type ConversationStatus = v.InferOutput<typeof ConversationStatus>;
