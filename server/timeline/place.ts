import { AppError } from '../../shared/errors.js';
import { type EventKind, eventKinds } from '../../shared/events/kinds.js';
import { limits } from '../../shared/limits.js';
import type { PreparedDraft } from './draft.js';
import { jobsFor } from './jobs.js';
import type { StoredEvent } from './model.js';
import type {
  ContactChange,
  ContactLink,
  ConversationState,
  ConversationWanted,
  JobDraft,
  Ports,
  TimelineTransaction,
} from './ports.js';
import { begin, bodyOf, project, reopens, startedKey } from './projection.js';
import { isVisibleToVisitor } from './visibility.js';

/**
 * What happens inside the door's one transaction: known keys are answered with their first event, the rest get their
 * places (`seq`) and are written together with what follows from them.
 */

/** A new event, with its conversation as it stood right after it. */
export interface PlacedEvent {
  event: StoredEvent;
  state: ConversationState | null;
}

export type Settled =
  | {
      event: StoredEvent;
      isFirst: boolean;
      /** All that this draft wrote, in order. */
      placed: PlacedEvent[];
    }
  | { error: unknown };

/** Kinds that no customer's identity brings: they are the head's, and an unmerge asks about them. */
const headsKinds: ReadonlySet<EventKind> = new Set<EventKind>(['note', 'contact_changed']);
const belongsToHead = (draft: PreparedDraft): boolean =>
  headsKinds.has(draft.kind) ||
  (draft.kind === 'call' && draft.direction === 'out' && draft.actor.type === 'agent');

const idOf = (workspaceId: string, name: string): string => `${workspaceId}\n${name}`;

/**
 * What is thought of the drafts' keys before the store is asked. `looked up`: each is read first. `new`: none is, since
 * nearly all are; one that was written before is found by its unique key, and the caller runs again and looks up.
 */
export type Keys = 'looked up' | 'new';

/**
 * Settles each draft, in order. A draft that cannot be written is settled with its error and writes nothing; whatever
 * throws here aborts the whole batch.
 * @throws DuplicateKey when `keys` are taken for new and one is not
 */
export async function settleInside(
  transaction: TimelineTransaction,
  drafts: readonly PreparedDraft[],
  ports: Ports,
  keys: Keys = 'looked up',
): Promise<Settled[]> {
  const known = new Map<string, StoredEvent>();
  async function lookUp(asked: readonly PreparedDraft[]): Promise<void> {
    if (asked.length === 0) return;
    for (const event of await transaction.findEvents(asked)) known.set(keyOf(event), event);
  }
  // A retry inside the very same batch is answered here too.
  function answerOf(draft: PreparedDraft): Settled | undefined {
    const event = known.get(keyOf(draft));
    return event && { event, isFirst: false, placed: [] };
  }
  if (keys === 'looked up') await lookUp(drafts);
  const fresh = drafts.filter((draft) => !known.has(keyOf(draft)));
  const batch = await gather(transaction, fresh, ports);
  const settled = drafts.map((draft): Settled => {
    const answer = answerOf(draft);
    if (answer) return answer;
    try {
      const placed = batch.place(draft);
      const event = placed.find((one) => one.event.dedupeKey === draft.dedupeKey)?.event;
      if (!event) throw new Error(`The draft ${draft.dedupeKey} was not placed.`);
      known.set(keyOf(draft), event);
      return { event, isFirst: true, placed };
    } catch (error) {
      if (error instanceof AppError) return { error };
      throw error;
    }
  });
  // What is refused may be a retry of what its first try made impossible to do twice.
  if (keys === 'new') await lookUp(drafts.filter((_, at) => settled[at] && 'error' in settled[at]));
  await batch.write(settled.flatMap((one) => ('placed' in one ? one.placed : [])));
  return settled.map((one, at) => ('error' in one && drafts[at] && answerOf(drafts[at])) || one);
}

const keyOf = ({ workspaceId, dedupeKey }: { workspaceId: string; dedupeKey: string }): string =>
  idOf(workspaceId, dedupeKey);

async function gather(transaction: TimelineTransaction, fresh: readonly PreparedDraft[], ports: Ports) {
  const conversations = new Map<string, ConversationState>();
  const heads = new Map<string, number>();
  const opened = new Map<string, string>();
  for (const state of await findConversations(transaction, fresh)) {
    conversations.set(idOf(state.workspaceId, state._id), state);
    heads.set(idOf(state.workspaceId, state._id), state.head);
    opened.set(idOf(state.workspaceId, state.key), state._id);
  }
  const contacts = await findContacts(transaction, fresh, (draft) => conversationOf(draft));
  const numbers = await takeNumbers(transaction, fresh, opened);
  const recordedAt = ports.now();

  function conversationOf(draft: PreparedDraft): ConversationState | undefined {
    const place = draft.conversation;
    if (!place) return undefined;
    const id = 'id' in place ? place.id : opened.get(idOf(draft.workspaceId, place.open.key));
    return id === undefined ? undefined : conversations.get(idOf(draft.workspaceId, id));
  }

  /** Gives a draft its place, and the events that come with it theirs. Throws an AppError before it changes anything. */
  function place(draft: PreparedDraft): PlacedEvent[] {
    const owner = ownerOf(draft, conversationOf(draft), contacts);
    if (!draft.conversation) return [{ event: record(draft, owner, recordedAt, ports.newId()), state: null }];
    const placed: PlacedEvent[] = [];
    const state = conversationOf(draft) ?? open(draft, owner, placed);
    expectCurrent(draft, state);
    const event = advance(record(draft, owner, recordedAt, ports.newId()), state, placed);
    if (reopens(state, event)) advance(reopening(event, state, ports.newId()), current(state), placed);
    return placed;
  }

  const current = (state: ConversationState): ConversationState =>
    conversations.get(idOf(state.workspaceId, state._id)) ?? state;

  function open(draft: PreparedDraft, owner: Owner, placed: PlacedEvent[]): ConversationState {
    if (!draft.conversation || 'id' in draft.conversation) throw new AppError('conversation_not_found');
    const { key, inboxId, subject } = draft.conversation.open;
    if (draft.channel === null) throw new AppError('event_invalid', { field: 'channel' });
    const number = numbers(draft.workspaceId);
    const { importId, fromArchive } = draft;
    const event: StoredEvent = {
      ...record(
        {
          workspaceId: draft.workspaceId,
          kind: 'conversation_started',
          body: { number, subject },
          channel: draft.channel,
          direction: 'internal',
          actor: draft.actor,
          dedupeKey: startedKey(key),
          occurredAt: draft.occurredAt,
          contactId: owner.contactId,
          ...(importId !== undefined && { importId }),
          ...(fromArchive && { fromArchive }),
        },
        { contactId: draft.contactId },
        recordedAt,
        ports.newId(),
      ),
      conversationId: ports.newId(),
      inboxId,
      seq: 1,
      previousSeq: 0,
      previousVisitorSeq: 0,
    };
    const state = begin(event);
    remember(state);
    opened.set(idOf(state.workspaceId, key), state._id);
    placed.push({ event, state });
    return state;
  }

  function remember(state: ConversationState): void {
    conversations.set(idOf(state.workspaceId, state._id), state);
  }

  /** The next place in the conversation. */
  function advance(event: StoredEvent, state: ConversationState, placed: PlacedEvent[]): StoredEvent {
    const numbered: StoredEvent = {
      ...event,
      conversationId: state._id,
      inboxId: state.inboxId,
      seq: state.head + 1,
      previousSeq: state.head,
      ...(isVisibleToVisitor(event.kind) && { previousVisitorSeq: state.visitorHead }),
    };
    const next = project(state, numbered);
    remember(next);
    placed.push({ event: numbered, state: next });
    return numbered;
  }

  async function write(placed: readonly PlacedEvent[]): Promise<void> {
    if (placed.length === 0) return;
    const events = placed.map((one) => one.event);
    const touched = new Set(
      placed.flatMap(({ state }) => (state ? [idOf(state.workspaceId, state._id)] : [])),
    );
    const changes = [...touched].map((id) => {
      const state = conversations.get(id);
      if (!state) throw new Error(`Conversation ${id} was advanced but is not held.`);
      return { state, previousHead: heads.get(id) ?? 0 };
    });
    // Conversations first: from here on a rival on any of them waits for this commit, or starts again.
    if (changes.length > 0) await transaction.writeConversations(changes);
    await transaction.insertEvents(events);
    const jobs: JobDraft[] = events.flatMap(jobsFor);
    if (jobs.length > 0) await transaction.insertJobs(jobs, recordedAt);
    const contactChanges = events.flatMap(contactChange);
    if (contactChanges.length > 0) await transaction.changeContacts(contactChanges);
  }

  return { place, write };
}

async function findConversations(transaction: TimelineTransaction, drafts: readonly PreparedDraft[]) {
  const wanted = new Map<string, ConversationWanted>();
  for (const { workspaceId, conversation } of drafts) {
    if (!conversation) continue;
    if ('id' in conversation) {
      wanted.set(`id\n${idOf(workspaceId, conversation.id)}`, { workspaceId, id: conversation.id });
    } else {
      const { key } = conversation.open;
      wanted.set(`key\n${idOf(workspaceId, key)}`, { workspaceId, key });
    }
  }
  return wanted.size === 0 ? [] : transaction.findConversations([...wanted.values()]);
}

/** Reads only the contacts whose group decides something: whose note it is, and whether a stranger is in the conversation. */
async function findContacts(
  transaction: TimelineTransaction,
  drafts: readonly PreparedDraft[],
  conversationOf: (draft: PreparedDraft) => ConversationState | undefined,
): Promise<Map<string, ContactLink>> {
  const wanted = new Map<string, { workspaceId: string; id: string }>();
  const want = (workspaceId: string, id: string) => wanted.set(idOf(workspaceId, id), { workspaceId, id });
  for (const draft of drafts) {
    const state = conversationOf(draft);
    if (belongsToHead(draft)) want(draft.workspaceId, state?.contactId ?? draft.contactId);
    if (isStranger(draft, state)) {
      want(draft.workspaceId, draft.contactId);
      want(draft.workspaceId, state.contactId);
    }
  }
  if (wanted.size === 0) return new Map();
  const found = await transaction.findContacts([...wanted.values()]);
  return new Map(found.map((link) => [idOf(link.workspaceId, link.id), link]));
}

const isStranger = (draft: PreparedDraft, state: ConversationState | undefined): state is ConversationState =>
  draft.actor.type === 'contact' && state !== undefined && state.contactId !== draft.contactId;

interface Owner {
  contactId: string;
  mergeId?: string;
}

/**
 * Whose timeline the event stands on.
 * @throws AppError `conversation_not_found` when a customer writes into the conversation of somebody else's group:
 * the answer is the same as for one that never was; `contact_not_found`
 */
function ownerOf(
  draft: PreparedDraft,
  state: ConversationState | undefined,
  contacts: ReadonlyMap<string, ContactLink>,
): Owner {
  const linkOf = (id: string) => contacts.get(idOf(draft.workspaceId, id));
  if (belongsToHead(draft)) {
    const link = linkOf(state?.contactId ?? draft.contactId);
    if (!link) throw new AppError('contact_not_found');
    const mergeId = draft.mergeId ?? link.lastMergeId ?? undefined;
    return { contactId: link.headId, ...(mergeId !== undefined && { mergeId }) };
  }
  if (isStranger(draft, state)) {
    const theirs = linkOf(draft.contactId)?.headId;
    if (theirs === undefined || theirs !== linkOf(state.contactId)?.headId) {
      throw new AppError('conversation_not_found');
    }
  }
  const contactId = draft.actor.type !== 'contact' && state ? state.contactId : draft.contactId;
  return { contactId, ...(draft.mergeId !== undefined && { mergeId: draft.mergeId }) };
}

/** A change from a state that is no longer the current one is refused, not written over. */
function expectCurrent(draft: PreparedDraft, state: ConversationState): void {
  if (draft.kind === 'status_changed' && draft.body.from !== state.status) throw new AppError('conflict');
  if (draft.kind === 'assigned' && draft.body.from !== state.assigneeId) throw new AppError('conflict');
}

function record(draft: PreparedDraft, owner: Owner, recordedAt: Date, id: string): StoredEvent {
  const latest = recordedAt.getTime() + limits.futureSkewMs;
  const isCut = draft.occurredAt.getTime() > latest;
  const ageMs = recordedAt.getTime() - draft.occurredAt.getTime();
  return {
    _id: id,
    workspaceId: draft.workspaceId,
    contactId: owner.contactId,
    ...(draft.inboxId !== undefined && { inboxId: draft.inboxId }),
    channel: draft.channel,
    kind: draft.kind,
    direction: draft.direction,
    actor: draft.actor,
    occurredAt: isCut ? new Date(latest) : draft.occurredAt,
    recordedAt,
    ...(isCut && { timeCorrected: true as const }),
    ...(draft.fromArchive && ageMs > limits.historyAfterMs && { history: true as const }),
    v: eventKinds[draft.kind].v,
    body: draft.body,
    dedupeKey: draft.dedupeKey,
    ...(owner.mergeId !== undefined && { mergeId: owner.mergeId }),
    ...(draft.importId !== undefined && { importId: draft.importId }),
  };
}

/**
 * The event that says that a customer's word opened the conversation again: a status changes by events alone. It stands
 * with whom the conversation is with, who need not be the one of their group that wrote.
 */
function reopening(cause: StoredEvent, { contactId }: ConversationState, id: string): StoredEvent {
  const { _id, workspaceId, channel, occurredAt, recordedAt, importId } = cause;
  return {
    _id: id,
    workspaceId,
    contactId,
    channel,
    kind: 'status_changed',
    direction: 'internal',
    actor: { type: 'system' },
    occurredAt,
    recordedAt,
    v: eventKinds.status_changed.v,
    body: { from: 'closed', to: 'open' },
    dedupeKey: `reopened:${_id}`,
    ...(importId !== undefined && { importId }),
  };
}

/** What an event changes in its contact. */
function contactChange(event: StoredEvent): ContactChange[] {
  const { workspaceId, contactId } = event;
  if (event.kind === 'contact_changed') {
    const fields = Object.fromEntries(
      Object.entries(bodyOf(event, 'contact_changed').changes).map(([name, value]) => [
        name,
        { value: value ?? null, at: event.recordedAt },
      ]),
    );
    return [{ workspaceId, contactId, fields }];
  }
  if (event.kind === 'contact_blocked') {
    return [{ workspaceId, contactId, blocked: bodyOf(event, 'contact_blocked').blocked }];
  }
  return [];
}

/** Conversations that this batch begins take their numbers in one step a workspace. */
async function takeNumbers(
  transaction: TimelineTransaction,
  drafts: readonly PreparedDraft[],
  opened: ReadonlyMap<string, string>,
): Promise<(workspaceId: string) => number> {
  const keys = new Map<string, Set<string>>();
  for (const { workspaceId, conversation } of drafts) {
    if (!conversation || 'id' in conversation || opened.has(idOf(workspaceId, conversation.open.key)))
      continue;
    keys.set(workspaceId, (keys.get(workspaceId) ?? new Set()).add(conversation.open.key));
  }
  const next = new Map<string, number>();
  for (const [workspaceId, begun] of keys) {
    const first = await transaction.takeNumbers(workspaceId, begun.size);
    if (first !== null) next.set(workspaceId, first);
  }
  return (workspaceId) => {
    const number = next.get(workspaceId);
    if (number === undefined) throw new AppError('not_found');
    next.set(workspaceId, number + 1);
    return number;
  };
}
