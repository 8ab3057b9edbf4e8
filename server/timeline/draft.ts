import * as v from 'valibot';
import { AppError } from '../../shared/errors.js';
import { type EventBody, type EventKind, eventKinds } from '../../shared/events/kinds.js';
import { Actor, Channel, Direction } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import { parse } from '../../shared/parse.js';
import { byteLength, cleanText, codePointLength, Id } from '../../shared/text.js';

/** Where an event stands: in a conversation that exists, or in the one begun under `key` (begun now if there is none). */
export type ConversationPlace = { id: string } | { open: { key: string; inboxId: string; subject: string } };

interface Common {
  channel: Channel | null;
  direction: Direction;
  actor: Actor;
  /**
   * Stable across retries and nobody else's: built by the channel from channel, inbox, sender (proved or marked
   * unproved) and the sender's own id for it. Never taken whole from outside.
   */
  dedupeKey: string;
  occurredAt: Date;
  /**
   * Whose identity brought it. What an agent or the system does in a conversation becomes its contact's; notes,
   * fields and calls begun by an agent become the head's of the contact's group.
   */
  contactId: string;
  inboxId?: string;
  conversation?: ConversationPlace;
  mergeId?: string;
  importId?: string;
  /** Read out of an archive (an old mailbox, a call log): when it is over a day old it is history. */
  fromArchive?: true;
}

/** What a channel or an operation asks the door to write. */
export type DraftEvent = { [K in EventKind]: Common & { kind: K; body: EventBody<K> } }[EventKind];

/** A draft that was parsed: nothing in it can be refused for its shape any more. */
export type PreparedDraft = DraftEvent & { workspaceId: string };

const Envelope = v.object({
  channel: v.nullable(Channel),
  direction: Direction,
  actor: Actor,
  dedupeKey: v.pipe(v.string(), v.minLength(1), v.maxBytes(limits.dedupeKeyBytes)),
  occurredAt: v.date(),
  contactId: Id,
  inboxId: v.optional(Id),
  conversation: v.optional(
    v.union([
      v.strictObject({ id: Id }),
      v.strictObject({
        open: v.strictObject({
          key: v.pipe(v.string(), v.minLength(1), v.maxBytes(limits.dedupeKeyBytes)),
          inboxId: Id,
          subject: v.string(),
        }),
      }),
    ]),
  ),
  mergeId: v.optional(Id),
  importId: v.optional(Id),
});

/**
 * The text of a message or note as it is kept: control characters and lone surrogates gone, lines ended by LF.
 * @throws AppError `message_too_long` naming the limit, its value and what was found; `message_empty` without text or file
 */
export function messageText(text: string, attachments: number): string {
  // The raw length first: cleaning a hundred megabytes to see that they are too many would be the attacker's win.
  if (text.length > limits.messageBytes) refuseLength('messageBytes', limits.messageBytes, text.length);
  const clean = cleanText(text);
  const characters = codePointLength(clean);
  if (characters > limits.messageCodePoints) {
    refuseLength('messageCodePoints', limits.messageCodePoints, characters);
  }
  const bytes = byteLength(clean);
  if (bytes > limits.messageBytes) refuseLength('messageBytes', limits.messageBytes, bytes);
  if (clean.trim() === '' && attachments === 0) throw new AppError('message_empty');
  return clean;
}

function refuseLength(limit: 'messageBytes' | 'messageCodePoints', max: number, found: number): never {
  throw new AppError('message_too_long', { limit, max, found });
}

/** A subject is one line, and no longer than a conversation's subject may be: it is cut, since the letter keeps its own. */
export function subjectLine(text: string): string {
  const line = cleanText(text).replace(/\s+/g, ' ').trim();
  return [...line].slice(0, limits.subjectCodePoints).join('');
}

/**
 * Checks all that can be checked of a draft without the store.
 * @throws AppError `event_invalid` naming the field; `message_too_long`, `message_empty`
 */
export function prepare(workspaceId: string, draft: DraftEvent): PreparedDraft {
  parse(Envelope, draft, 'event_invalid');
  const prepared: PreparedDraft = { ...draft, workspaceId };
  prepared.body = preparedBody(draft);
  const place = draft.conversation;
  if (place && 'open' in place) {
    prepared.conversation = { open: { ...place.open, subject: subjectLine(place.open.subject) } };
  }
  return prepared;
}

function preparedBody(draft: DraftEvent): DraftEvent['body'] {
  if (draft.kind === 'message' || draft.kind === 'note') {
    const { text, attachments } = draft.body;
    if (typeof text !== 'string' || !Array.isArray(attachments)) throw new AppError('event_invalid');
    // Before the schema: its own refusal could not name the limit.
    const kept = { ...draft.body, text: messageText(text, attachments.length) };
    return parse(eventKinds[draft.kind].body, kept, 'event_invalid');
  }
  return parse(eventKinds[draft.kind].body, draft.body, 'event_invalid');
}
