import type { EventBody, EventKind } from '../../shared/events/kinds.js';
import type { FileRef } from '../../shared/events/parts.js';
import type { StoredEvent } from './model.js';
import { bodyOf } from './projection.js';

type Tombstones = { [K in EventKind]: (body: EventBody<K>) => EventBody<K> };

const noOne = { name: '', address: '' };

/** What is left of each kind when it is erased: its place and its figures, nothing that anybody said or is. */
const tombstones: Tombstones = {
  message: () => ({ text: '', attachments: [], clientId: '' }),
  note: () => ({ text: '', attachments: [], clientId: '' }),
  email: (body) => ({
    messageId: '',
    inReplyTo: [],
    references: [],
    from: noOne,
    to: [],
    cc: [],
    subject: '',
    text: '',
    attachments: [],
    ...(body.automatic !== undefined && { automatic: body.automatic }),
  }),
  email_delivery: ({ eventId, state, attempts }) => ({ eventId, messageId: '', state, attempts }),
  call: ({ startedAt, outcome, ringSeconds, talkSeconds }) => ({
    callId: '',
    from: { shown: '' },
    to: { shown: '' },
    startedAt,
    outcome,
    ringSeconds,
    talkSeconds,
    numberVerified: false,
  }),
  conversation_started: ({ number }) => ({ number, subject: '' }),
  status_changed: (body) => body,
  assigned: (body) => body,
  handling: (body) => body,
  identity_proved: ({ type, proof }) => ({ type, value: '', proof }),
  claim_made: ({ type, source }) => ({ type, value: '', source }),
  contact_changed: () => ({ changes: {} }),
  contact_blocked: (body) => body,
  contact_merged: (body) => ({ ...body, reason: '' }),
  contact_unmerged: (body) => body,
};

export function tombstoneOf<K extends EventKind>(event: StoredEvent & { kind: K }): EventBody<K> {
  return tombstones[event.kind](bodyOf(event, event.kind));
}

/** The files that an event holds. */
export function filesOf(event: StoredEvent): string[] {
  const refs: FileRef[] = [];
  if (event.kind === 'message' || event.kind === 'note') refs.push(...bodyOf(event, event.kind).attachments);
  if (event.kind === 'email') {
    const { attachments, html, raw } = bodyOf(event, 'email');
    refs.push(...attachments, ...(html ? [html] : []), ...(raw ? [raw] : []));
  }
  return refs.map((ref) => ref.fileId);
}
