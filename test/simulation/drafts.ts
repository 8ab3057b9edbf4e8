import type { ConversationPlace, DraftEvent } from '../../server/timeline/draft.js';
import type { FileRef } from '../../shared/events/parts.js';
import { inboxId, workspaceId } from './world.js';

/** What others than the people at their pages bring to the door: telephones, mailboxes, archives, staff at a contact. */

type Draft<Kind extends DraftEvent['kind']> = Extract<DraftEvent, { kind: Kind }>;
type Common = Pick<DraftEvent, 'dedupeKey' | 'occurredAt' | 'contactId'>;

const outcomes = ['answered', 'missed', 'busy', 'failed', 'voicemail'] as const;
const automatic = [undefined, undefined, 'auto_reply'] as const;

const staff = { type: 'agent', id: 'staff' } as const;
const begunUnder = (key: string, subject = ''): ConversationPlace => ({ open: { key, inboxId, subject } });

const aFile = (name: string): FileRef => ({
  fileId: name.replaceAll(':', '-'),
  name: `${name}.pdf`,
  type: 'application/pdf',
  size: 3,
});

/** Called by the contact, or by us: then nobody's identity brought it. */
export function aCall(common: Common, pick: number): Draft<'call'> {
  const isOut = pick % 3 === 0;
  const outcome = outcomes[pick % outcomes.length] ?? 'missed';
  return {
    ...common,
    kind: 'call',
    channel: 'phone',
    direction: isOut ? 'out' : 'in',
    actor: isOut ? staff : { type: 'contact', id: common.contactId },
    inboxId,
    // Some calls belong to no conversation.
    ...(pick % 7 > 0 && { conversation: begunUnder(`call:${common.contactId}`) }),
    body: {
      callId: common.dedupeKey,
      from: { shown: '1' },
      to: { shown: '2' },
      startedAt: common.occurredAt.toISOString(),
      outcome,
      ringSeconds: 3,
      talkSeconds: outcome === 'answered' ? 60 : 0,
      numberVerified: false,
    },
  };
}

/** Without words, now and then, and from a machine. */
export function aLetter(common: Common, pick: number): Draft<'email'> {
  const isSent = pick % 6 === 5;
  const machine = automatic[pick % automatic.length];
  return {
    ...common,
    kind: 'email',
    channel: 'email',
    // One that left another way and was found: it is not sent again.
    direction: isSent ? 'out' : 'in',
    actor: isSent ? { type: 'system' } : { type: 'contact', id: common.contactId },
    conversation: begunUnder(`mail:${common.contactId}:${pick % 2}`, 'A letter'),
    body: {
      messageId: `<${common.dedupeKey}@example.com>`,
      inReplyTo: [],
      references: [],
      from: { name: '', address: 'you@example.com' },
      to: [{ name: '', address: 'us@example.org' }],
      cc: [],
      subject: 'A letter',
      text: pick % 4 === 0 ? '' : `text of ${common.dedupeKey}`,
      attachments: pick % 5 === 0 ? [] : [aFile(`file-${common.dedupeKey}`)],
      ...(pick % 5 > 2 && { html: aFile(`html-${common.dedupeKey}`), raw: aFile(`raw-${common.dedupeKey}`) }),
      ...(machine && { automatic: machine }),
    },
  };
}

/** Written in a conversation that may be another's. */
export const aStrangersWord = (common: Common, conversationId: string): Draft<'message'> => ({
  ...common,
  kind: 'message',
  channel: 'chat',
  direction: 'in',
  actor: { type: 'contact', id: common.contactId },
  conversation: { id: conversationId },
  body: { text: 'Let me in', attachments: [], clientId: `staff:${common.dedupeKey}` },
});

/** At the contact itself, or in one of its conversations. */
export const aNote = (common: Common, text: string, conversationId?: string): Draft<'note'> => ({
  ...common,
  kind: 'note',
  channel: null,
  direction: 'internal',
  actor: staff,
  ...(conversationId !== undefined && { conversation: { id: conversationId } }),
  body: { text, attachments: [aFile(`file-${common.dedupeKey}`)], clientId: `staff:${common.dedupeKey}` },
});

const changes = [
  { name: 'Ada' },
  { city: null },
  { name: null, company: 'Riverbend' },
  { name: 'Eve', language: 'ru' },
];

export const aChange = (common: Common, pick: number): Draft<'contact_changed'> => ({
  ...common,
  kind: 'contact_changed',
  channel: null,
  direction: 'internal',
  actor: staff,
  body: { changes: changes[pick % changes.length] ?? {} },
});

export const aBlock = (common: Common, blocked: boolean): Draft<'contact_blocked'> => ({
  ...common,
  kind: 'contact_blocked',
  channel: null,
  direction: 'internal',
  actor: staff,
  body: { blocked },
});

/** What a colleague does with a conversation. `from` is what it was when they looked. */
export function aDecision(
  common: Common,
  conversation: { _id: string; status: 'open' | 'closed' | 'spam'; assigneeId: string | null },
  pick: number,
): DraftEvent {
  const { _id: id, status, assigneeId } = conversation;
  const internal = {
    ...common,
    channel: 'chat',
    direction: 'internal',
    actor: staff,
    conversation: { id },
  } as const;
  if (pick % 4 === 0) return { ...internal, kind: 'handling', body: { seconds: 40 } };
  if (pick % 4 === 1)
    return { ...internal, kind: 'assigned', body: { from: assigneeId, to: assigneeId ? null : 'staff' } };
  const to = status === 'spam' ? 'open' : pick % 4 === 2 ? 'spam' : 'closed';
  return { ...internal, kind: 'status_changed', body: { from: status, to } };
}

/** A mailbox of years ago, with a letter of today and one entry that cannot be taken. */
export function anArchive(importId: string, contactId: string, now: Date, pick: number): DraftEvent[] {
  const at = (daysAgo: number): Date => new Date(now.getTime() - daysAgo * 24 * 3_600_000);
  const entry = (name: string, daysAgo: number): Common => ({
    dedupeKey: `archive:${contactId}:${pick % 5}:${name}`,
    occurredAt: at(daysAgo),
    contactId,
  });
  const from = { importId, fromArchive: true } as const;
  // Half of the archives hold conversations of their own, which go when they are undone.
  const place = pick % 2 ? { conversation: begunUnder(`archive:${contactId}:${pick % 5}`, 'Long ago') } : {};
  const broken = aStrangersWord(entry('broken', 1), 'nowhere');
  return [
    { ...aLetter(entry('old', 900 + (pick % 99)), 1), ...from, ...place },
    { ...broken, ...from, body: { ...broken.body, text: ' ' } },
    { ...aCall(entry('call', 400), 1 + (pick % 2)), ...from },
    { ...aLetter(entry('new', 0), pick % 2 ? 4 : 8), ...from, ...place },
  ];
}

/** What a channel with a mistake in it would bring: none of it may be written. */
export function malformed(
  common: Common,
  pick: number,
): { workspaceId: string; draft: DraftEvent; code: string } {
  const note = aNote(common, 'of nobody');
  const wrong = [
    { draft: { ...note, body: { ...note.body, text: 7 } } as unknown as DraftEvent, code: 'event_invalid' },
    { draft: { ...note, contactId: 'nobody' }, code: 'contact_not_found' },
    { draft: { ...note, conversation: begunUnder(`note:${common.dedupeKey}`) }, code: 'event_invalid' },
    { draft: { ...note, conversation: { id: 'nowhere' } }, code: 'conversation_not_found' },
    { draft: aLetter(common, 1), code: 'not_found', workspaceId: 'elsewhere' },
    { draft: { ...note, body: { ...note.body, text: '', attachments: [] } }, code: 'message_empty' },
  ];
  const { draft, code, workspaceId: where } = wrong[pick % wrong.length] ?? { draft: note, code: '' };
  return { workspaceId: where ?? workspaceId, draft, code };
}

export const aMerge = (
  common: Common,
  mergeId: string,
  headId: string,
  mergedId: string,
): Draft<'contact_merged'> => ({
  ...common,
  kind: 'contact_merged',
  channel: null,
  direction: 'internal',
  actor: staff,
  mergeId,
  body: { mergeId, headId, mergedId, reason: 'The same person', preferences: {} },
});
