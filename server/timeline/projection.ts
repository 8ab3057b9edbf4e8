import type { EventBody, EventKind } from '../../shared/events/kinds.js';
import { liftBody } from '../../shared/events/up.js';
import { plainOf } from '../../shared/formatted.js';
import { limits } from '../../shared/limits.js';
import type { StoredEvent } from './model.js';
import type { ConversationState } from './ports.js';
import { isVisibleToVisitor } from './visibility.js';

/**
 * What a conversation is follows from its events alone: `project` is run by the door for each event that it writes,
 * and by `rebuild` for all of them again, and both come to the same, field by field.
 */

/** The dedupe key of a conversation's first event holds the key it was begun under, so that a rebuild finds it again. */
export const startedKey = (key: string): string => `conversation-started:${key}`;
const keyOf = (dedupeKey: string): string => dedupeKey.slice(startedKey('').length);

/** A body of this kind in today's form. The door parsed it when it was written. */
export const bodyOf = <K extends EventKind>(event: Pick<StoredEvent, 'v' | 'body'>, kind: K): EventBody<K> =>
  liftBody(kind, event.v, event.body) as EventBody<K>;

/** The state right after `conversation_started`; from there on `project`. */
export function begin(event: StoredEvent): ConversationState {
  const body = bodyOf(event, 'conversation_started');
  if (!event.conversationId || !event.inboxId || !event.channel || event.seq === undefined) {
    throw new Error(`Event ${event._id} begins a conversation without saying which.`);
  }
  return {
    _id: event.conversationId,
    workspaceId: event.workspaceId,
    number: body.number,
    key: keyOf(event.dedupeKey),
    inboxId: event.inboxId,
    channel: event.channel,
    contactId: event.contactId,
    subject: body.subject,
    // An old mailbox must not become a morning's work: what was begun as history is closed, and still can be opened.
    status: event.history ? 'closed' : 'open',
    assigneeId: null,
    waitingSince: null,
    snippet: '',
    lastAt: event.occurredAt,
    lastOutAt: null,
    startedAt: event.occurredAt,
    outcome: null,
    head: event.seq,
    visitorHead: event.seq,
    incoming: 0,
    outgoing: 0,
    lastIncomingSeq: 0,
    lastOutgoingSeq: 0,
  };
}

/** The state after one more event. Pure: the given state stays as it was. */
export function project(before: ConversationState, event: StoredEvent): ConversationState {
  const seq = event.seq ?? before.head;
  const state: ConversationState = {
    ...before,
    head: seq,
    visitorHead: isVisibleToVisitor(event.kind) ? seq : before.visitorHead,
  };
  // What went with its import changes nothing but its place; of what was erased the words alone are gone.
  if (event.erased === 'undone') return state;
  if (event.kind === 'status_changed') {
    state.status = bodyOf(event, 'status_changed').to;
    if (state.status !== 'open') state.waitingSince = null;
  } else if (event.kind === 'assigned') {
    state.assigneeId = bodyOf(event, 'assigned').to;
  } else {
    const said = saidBy(event);
    if (said) hear(state, event, seq, said);
  }
  return state;
}

interface Said {
  snippet: string;
  /** What the conversation is about when nothing else says so. */
  topic?: string;
  /** From the customer: whether it asks for an answer. From us: whether it is one. */
  counts: boolean;
  outcome?: NonNullable<ConversationState['outcome']>;
}

/** What was said between the customer and us, and by which means; undefined for all that is no talk. */
function saidBy(event: StoredEvent): Said | undefined {
  if (event.kind === 'message') {
    const body = bodyOf(event, 'message');
    const text = event.actor.type === 'agent' ? plainOf(body.text) : body.text;
    return { snippet: text || (body.attachments[0]?.name ?? ''), topic: text, counts: true };
  }
  if (event.kind === 'email') {
    const body = bodyOf(event, 'email');
    // Nobody waits for the answer to a machine's letter.
    return { snippet: body.text || (body.attachments[0]?.name ?? ''), counts: body.automatic === undefined };
  }
  if (event.kind === 'call') {
    const { outcome } = bodyOf(event, 'call');
    const talked = outcome === 'answered';
    return { snippet: '', counts: event.direction === 'out' ? talked : true, outcome };
  }
  return undefined;
}

/** Whether this event, written now, opens its closed conversation again: the customer wants something of us. */
export function reopens(before: ConversationState, event: StoredEvent): boolean {
  if (before.status !== 'closed' || event.direction !== 'in' || event.history) return false;
  if (event.occurredAt < before.lastAt) return false;
  const said = saidBy(event);
  return said?.counts === true && said.outcome !== 'answered';
}

function hear(state: ConversationState, event: StoredEvent, seq: number, said: Said): void {
  // A chat is begun under no subject: its first words are what it is about.
  if (state.subject === '' && said.topic) state.subject = snippetOf(said.topic);
  // What happened earlier than what is known already (an import) changes counts, never what is shown as the latest.
  const wantsAnswer = said.counts && !event.history && (state.status === 'open' || reopens(state, event));
  if (event.occurredAt >= state.lastAt) {
    state.lastAt = event.occurredAt;
    state.snippet = snippetOf(said.snippet);
    if (said.outcome) state.outcome = said.outcome;
  }
  const answered = said.outcome === 'answered';
  if (event.direction === 'in') {
    state.incoming += 1;
    state.lastIncomingSeq = seq;
    if (answered) settleWaiting(state, event.occurredAt);
    else if (wantsAnswer) beginWaiting(state, event.occurredAt);
  } else if (event.direction === 'out') {
    if (isVisibleToVisitor(event.kind)) {
      state.outgoing += 1;
      state.lastOutgoingSeq = seq;
    }
    if (said.counts) settleWaiting(state, event.occurredAt);
  }
}

function beginWaiting(state: ConversationState, at: Date): void {
  if (state.lastOutAt && at <= state.lastOutAt) return;
  if (!state.waitingSince || at < state.waitingSince) state.waitingSince = at;
}

function settleWaiting(state: ConversationState, at: Date): void {
  if (!state.lastOutAt || at > state.lastOutAt) state.lastOutAt = at;
  if (state.waitingSince && state.waitingSince <= at) state.waitingSince = null;
}

/** The first words, on one line, cut between characters. */
function snippetOf(text: string): string {
  const line = text
    .slice(0, limits.snippetCodePoints * 4)
    .replace(/\s+/g, ' ')
    .trim();
  return [...line].slice(0, limits.snippetCodePoints).join('').toWellFormed();
}
