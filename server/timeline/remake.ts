import type { ReadRow } from '../conversations/model.js';
import type { StoredEvent } from './model.js';
import type { ConversationState } from './ports.js';

/**
 * Everything that erasing, and making projections again, need of the world. Beside the door's own port these are the
 * only writes to events and conversations there are.
 */

/** What takes an event's place: its id, its place and its times stay. */
export type Tombstone = Pick<StoredEvent, '_id' | 'workspaceId' | 'v' | 'body' | 'dedupeKey'> & {
  erased: NonNullable<StoredEvent['erased']>;
};

/** One transaction, as the door's: whoever else writes one of these conversations makes it run again. */
export interface RemakeTransaction {
  /** Of one conversation, beyond this seq, in order. Fewer than `limit`: there are no more. */
  eventsAfter(
    workspaceId: string,
    conversationId: string,
    after: number,
    limit: number,
  ): Promise<StoredEvent[]>;
  /** Those of these ids that stand in the workspace and were not erased. */
  findUnerased(workspaceId: string, ids: readonly string[]): Promise<StoredEvent[]>;
  bury(tombstones: readonly Tombstone[]): Promise<void>;
  /** Puts it in the place of what stands there, if anything does. */
  putConversation(state: ConversationState): Promise<void>;
  /** And how far everybody has read it. */
  dropConversation(workspaceId: string, conversationId: string): Promise<void>;
  findMarks(workspaceId: string, conversationId: string): Promise<ReadRow[]>;
  /** How many of the other side's messages stand at or before `seq`. */
  countedUpTo(state: ConversationState, reader: ReadRow['readerType'], seq: number): Promise<number>;
  moveMark(mark: ReadRow): Promise<void>;
}

export interface RemakeStore {
  /** Runs `work` again when a rival's write aborted it, and resolves when the commit is durable. */
  transact<T>(work: (transaction: RemakeTransaction) => Promise<T>): Promise<T>;
  workspaceIds(which: { workspaceId: string } | 'all'): Promise<string[]>;
  /** The next conversation that events name, in order of ids; null after the last. */
  nextNamed(workspaceId: string, after: string): Promise<string | null>;
  /** Rows of conversations, in order of ids. */
  conversationsAfter(workspaceId: string, after: string, limit: number): Promise<string[]>;
  isNamed(workspaceId: string, conversationId: string): Promise<boolean>;
  /** The workspace's counter is at least this. */
  raiseCount(workspaceId: string, number: number): Promise<void>;
  /** Deletes what nothing else holds. */
  removeFiles(workspaceId: string, fileIds: readonly string[]): Promise<void>;
}
