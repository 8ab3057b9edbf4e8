import * as v from 'valibot';
import { Id, shortText } from '../text.js';
import { IdentityType, Proof } from './parts.js';

const Value = v.pipe(v.string(), v.maxLength(320));

/** Where a claim was made: a form in the widget, a From line that proved nothing, a caller's number, an agent's note. */
export const ClaimSource = v.picklist(['form', 'email', 'call', 'agent', 'import']);
export type ClaimSource = v.InferOutput<typeof ClaimSource>;

export const IdentityProvedBody = v.strictObject({ type: IdentityType, value: Value, proof: Proof });
export const ClaimMadeBody = v.strictObject({
  type: v.picklist(['email', 'phone', 'external']),
  value: Value,
  source: ClaimSource,
});

/** The fields of a contact that people fill in. `null` clears one. */
export const ContactFields = v.strictObject({
  name: v.optional(v.nullable(shortText())),
  company: v.optional(v.nullable(shortText())),
  city: v.optional(v.nullable(shortText())),
  language: v.optional(v.nullable(shortText(20))),
  timeZone: v.optional(v.nullable(shortText(64))),
});
export type ContactFields = v.InferOutput<typeof ContactFields>;

export const ContactChangedBody = v.strictObject({ changes: ContactFields });
export const ContactBlockedBody = v.strictObject({ blocked: v.boolean() });

/** Two groups became one under `headId`. Nothing is rewritten; `contact_unmerged` with this `mergeId` undoes it exactly. */
export const ContactMergedBody = v.strictObject({
  mergeId: Id,
  headId: Id,
  mergedId: Id,
  reason: shortText(500),
  /** For each field that differed, whose is shown. */
  preferences: v.record(v.string(), Id),
});
export const ContactUnmergedBody = v.strictObject({
  mergeId: Id,
  headId: Id,
  mergedId: Id,
  /** Events of nobody's identity (notes, fields) that went with the contact that left. */
  movedEventIds: v.array(Id),
});
