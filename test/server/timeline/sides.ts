import { newContactRow } from '../../../server/contacts/create.js';
import { ContactModel, MovedEventModel } from '../../../server/contacts/model.js';
import { ReadModel, type ReadRow } from '../../../server/conversations/model.js';
import { newId } from '../../../server/store/id.js';
import type { StoredEvent } from '../../../server/timeline/model.js';
import type { PageSource } from '../../../server/timeline/page.js';
import type { ContactChange, TimelineStore } from '../../../server/timeline/ports.js';
import { startedKey } from '../../../server/timeline/projection.js';
import type { RemakeStore } from '../../../server/timeline/remake.js';
import { mongooseRemake } from '../../../server/timeline/remake-store.js';
import { mongoosePages, mongooseTimelines } from '../../../server/timeline/sources.js';
import { mongooseStore } from '../../../server/timeline/store.js';
import type { TimelineSource } from '../../../server/timeline/timeline.js';
import { aCompany } from '../store.js';
import { memoryStore } from './memory-store.js';

/** One side of the timeline's ports, and the rows beside them that only others write. */
export interface Side {
  workspaceId: string;
  store: TimelineStore;
  pages: PageSource;
  timelines: TimelineSource;
  remake: RemakeStore;
  addContact(id: string, headId?: string, lastMergeId?: string | null): Promise<void>;
  contactOf(id: string): Promise<Pick<ContactChange, 'fields' | 'blocked'> | undefined>;
  moveEvent(eventId: string, from: string, to: string): Promise<void>;
  addMark(mark: ReadRow): Promise<void>;
  numberOf(workspaceId: string): Promise<number | null>;
}

async function inMemory(): Promise<Side> {
  const store = memoryStore();
  const workspaceId = 'w';
  store.numbers.set(workspaceId, 0);
  const keyOf = (id: string): string => `${workspaceId}\n${id}`;
  return {
    workspaceId,
    store,
    ...store,
    addContact: async (id, headId = id, lastMergeId = null) =>
      void store.contacts.set(keyOf(id), { id, workspaceId, headId, lastMergeId }),
    contactOf: async (id) => store.contacts.get(keyOf(id)),
    moveEvent: async (eventId, from, to) => void store.moved.set(eventId, { from, to }),
    addMark: async (mark) => void store.marks.set(mark._id, mark),
    numberOf: async (id) => store.numbers.get(id) ?? null,
  };
}

async function overMongoose(): Promise<Side> {
  const { workspaceId } = (await aCompany()).scope;
  return {
    workspaceId,
    store: mongooseStore,
    pages: mongoosePages,
    timelines: mongooseTimelines,
    remake: mongooseRemake,
    async addContact(id, headId = id, lastMergeId = null) {
      await ContactModel.create([
        { ...newContactRow({ workspaceId }), _id: id, headId, lastMergeId, gathers: id },
      ]);
    },
    contactOf: async (id) => (await ContactModel.findOne({ _id: id, workspaceId }).lean()) ?? undefined,
    async moveEvent(eventId, fromContactId, toContactId) {
      await MovedEventModel.create([{ _id: eventId, workspaceId, fromContactId, toContactId, mergeId: 'm' }]);
    },
    async addMark(mark) {
      await ReadModel.create([mark]);
    },
    async numberOf(id) {
      const next = await mongooseStore.transact((transaction) => transaction.takeNumbers(id, 0));
      return next === null ? null : next - 1;
    },
  };
}

/** Both sides keep the same promises: what is proved over the ports in memory holds for the real store. */
export const sides: [string, () => Promise<Side>][] = [
  ['in memory', inMemory],
  ['mongoose', overMongoose],
];

export const anEvent = (workspaceId: string, over: Partial<StoredEvent> = {}): StoredEvent => ({
  _id: newId(),
  workspaceId,
  contactId: 'c',
  channel: 'chat',
  kind: 'message',
  direction: 'in',
  actor: { type: 'contact', id: 'c' },
  occurredAt: new Date('2026-03-01T10:00:00Z'),
  recordedAt: new Date('2026-03-01T10:00:00Z'),
  v: 1,
  body: { text: 'Hello', attachments: [], clientId: 'client-1' },
  dedupeKey: newId(),
  ...over,
});

/** What begins a conversation. */
export const started = (workspaceId: string, key: string, over: Partial<StoredEvent> = {}) =>
  anEvent(workspaceId, {
    kind: 'conversation_started',
    direction: 'internal',
    conversationId: newId(),
    inboxId: 'i',
    seq: 1,
    previousSeq: 0,
    previousVisitorSeq: 0,
    body: { number: 1, subject: '' },
    dedupeKey: startedKey(key),
    ...over,
  });
