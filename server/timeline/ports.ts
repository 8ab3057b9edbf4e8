import type { ConversationRowDocument } from '../conversations/model.js';
import type { StoredEvent } from './model.js';

/**
 * Everything that the door needs of the world. A simulation gives these from a virtual clock and a store in memory and
 * runs the very same code; server/timeline/store.ts and system.ts give the real ones.
 */

export type ConversationState = ConversationRowDocument;

interface EventKey {
  workspaceId: string;
  dedupeKey: string;
}

export type ConversationWanted = { workspaceId: string; id: string } | { workspaceId: string; key: string };

/** What the door must know of a contact: its group, and the newest merge of it. */
export interface ContactLink {
  id: string;
  workspaceId: string;
  headId: string;
  /** Of the group's head. */
  lastMergeId: string | null;
}

/** What an event changes in its contact, in the event's own transaction. */
export interface ContactChange {
  workspaceId: string;
  contactId: string;
  fields?: Record<string, { value: string | null; at: Date }>;
  blocked?: boolean;
}

export interface JobDraft {
  workspaceId: string;
  name: string;
  key: string;
  payload: unknown;
}

/** One transaction: all of it becomes durable at the commit, or none. Reads see the state at its begin and its own writes. */
export interface TimelineTransaction {
  findEvents(keys: readonly EventKey[]): Promise<StoredEvent[]>;
  findConversations(wanted: readonly ConversationWanted[]): Promise<ConversationState[]>;
  findContacts(wanted: readonly { workspaceId: string; id: string }[]): Promise<ContactLink[]>;
  /** Takes `count` numbers for conversations and returns the first; null when there is no such workspace. */
  takeNumbers(workspaceId: string, count: number): Promise<number | null>;
  /**
   * Writes the conversations as they now stand, in one round. Whoever else writes one of them before the commit makes
   * this transaction fail and run again: this is what holds the order. `previousHead` 0 begins a conversation.
   */
  writeConversations(changes: readonly { state: ConversationState; previousHead: number }[]): Promise<void>;
  insertEvents(events: readonly StoredEvent[]): Promise<void>;
  insertJobs(jobs: readonly JobDraft[], now: Date): Promise<void>;
  changeContacts(changes: readonly ContactChange[]): Promise<void>;
}

/**
 * The narrow door to the store. `transact` runs `work` again when a rival's write aborted it, until a rival was first
 * `rivals` times (8), and resolves when the commit is durable.
 * @throws DuplicateKey when a unique key was taken by somebody else; Contended; AppError `store_unavailable`, `store_full`
 */
export interface TimelineStore {
  transact<T>(work: (transaction: TimelineTransaction) => Promise<T>, rivals?: number): Promise<T>;
}

/** A unique key is taken. Not an AppError: nobody outside ever sees it. */
export class DuplicateKey extends Error {
  constructor(options?: ErrorOptions) {
    super('A unique key is taken.', options);
    this.name = 'DuplicateKey';
  }
}

/** Somebody else holds a row that was to be written, and has not let go of it. Not an AppError: nobody outside sees it. */
export class Contended extends Error {
  constructor(options?: ErrorOptions) {
    super('A rival holds a row.', options);
    this.name = 'Contended';
  }
}

export interface Ports {
  /** The wall clock. */
  now: () => Date;
  newId: () => string;
  /** Runs `task` soon, after whoever is waiting now was answered. */
  later: (task: () => void) => void;
}
