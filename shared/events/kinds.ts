import * as v from 'valibot';
import { CallBody } from './call.js';
import {
  ClaimMadeBody,
  ContactBlockedBody,
  ContactChangedBody,
  ContactMergedBody,
  ContactUnmergedBody,
  IdentityProvedBody,
} from './contact.js';
import { AssignedBody, ConversationStartedBody, HandlingBody, StatusChangedBody } from './conversation.js';
import { EmailBody, EmailDeliveryBody } from './email.js';
import { MessageBody, NoteBody } from './message.js';

/**
 * Every kind of event, in one table. `v` is the version of the body that this release writes; older ones are lifted
 * by the kind's `up` steps when read. `visitor`: the customer's own browser may see it (chat only).
 * `content`: it is something somebody said or did, and stands in the customer's timeline by default; the rest is a change.
 */
export const eventKinds = {
  message: { v: 1, body: MessageBody, visitor: true, content: true },
  note: { v: 1, body: NoteBody, visitor: false, content: true },
  email: { v: 1, body: EmailBody, visitor: false, content: true },
  email_delivery: { v: 1, body: EmailDeliveryBody, visitor: false, content: false },
  call: { v: 1, body: CallBody, visitor: false, content: true },
  conversation_started: { v: 1, body: ConversationStartedBody, visitor: true, content: false },
  status_changed: { v: 1, body: StatusChangedBody, visitor: true, content: false },
  assigned: { v: 1, body: AssignedBody, visitor: false, content: false },
  handling: { v: 1, body: HandlingBody, visitor: false, content: false },
  identity_proved: { v: 1, body: IdentityProvedBody, visitor: false, content: false },
  claim_made: { v: 1, body: ClaimMadeBody, visitor: false, content: false },
  contact_changed: { v: 1, body: ContactChangedBody, visitor: false, content: false },
  contact_blocked: { v: 1, body: ContactBlockedBody, visitor: false, content: false },
  contact_merged: { v: 1, body: ContactMergedBody, visitor: false, content: false },
  contact_unmerged: { v: 1, body: ContactUnmergedBody, visitor: false, content: false },
} as const;

export type EventKind = keyof typeof eventKinds;
export const EventKind = v.picklist(Object.keys(eventKinds) as [EventKind, ...EventKind[]]);

export type EventBody<K extends EventKind> = v.InferOutput<(typeof eventKinds)[K]['body']>;
