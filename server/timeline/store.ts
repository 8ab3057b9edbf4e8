import mongoose, { type ClientSession } from 'mongoose';
import { AppError } from '../../shared/errors.js';
import { ContactModel, type ContactRow } from '../contacts/model.js';
import { companyKey, nameWords } from '../contacts/names.js';
import { ConversationModel } from '../conversations/model.js';
import { JobModel, type JobRow } from '../jobs/model.js';
import { newJob } from '../jobs/row.js';
import { isDuplicateKey } from '../store/duplicate-key.js';
import { newId } from '../store/id.js';
import { inTransaction, wasRivalFirst } from '../store/transaction.js';
import { WorkspaceModel } from '../workspaces/model.js';
import { EventModel, type StoredEvent } from './model.js';
import {
  Contended,
  type ConversationState,
  type ConversationWanted,
  DuplicateKey,
  type TimelineStore,
  type TimelineTransaction,
} from './ports.js';

/**
 * The mongoose side of the door's port. Rows were parsed at the door, so they go through the models' collections
 * without being cast and wrapped once more: this is the hot path.
 */
export const mongooseStore: TimelineStore = {
  async transact(work, rivals = 8) {
    // All that comes to the door waits for its batch: whoever is in its way is not waited for long.
    const patience = { rivals, ms: 10_000 };
    try {
      return await inTransaction((session) => work(timelineTransaction(session)), patience);
    } catch (error) {
      throw wasRivalFirst(error) ? new Contended({ cause: error }) : storeFailure(error);
    }
  },
};

/**
 * One durable transaction. `work` may run several times.
 * @throws DuplicateKey, AppError `store_unavailable`, `store_full`, and whatever `work` throws
 */
export async function transact<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
  try {
    return await inTransaction(work);
  } catch (error) {
    throw storeFailure(error);
  }
}

/** Again, when a rival took a unique key first: what it wrote is then found. Few tries: each rival takes a key once. */
export async function transactOnce<T>(work: (session: ClientSession) => Promise<T>, tries = 5): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transact(work);
    } catch (error) {
      if (!(error instanceof DuplicateKey) || attempt >= tries) throw error;
    }
  }
}

/** The port over a transaction that somebody else began: a merge writes its own rows and its event at once. */
export function timelineTransaction(session: ClientSession): TimelineTransaction {
  return {
    async findEvents(keys) {
      const filter = anyOf(byWorkspace(keys, 'dedupeKey', (key) => key.dedupeKey));
      return rows<StoredEvent>(EventModel).find(filter, inOneBatch(session, keys.length)).toArray();
    },

    async findConversations(wanted) {
      const ids = wanted.filter((one): one is { workspaceId: string; id: string } => 'id' in one);
      const keys = wanted.filter((one): one is Exclude<ConversationWanted, { id: string }> => 'key' in one);
      const filters = [
        ...byWorkspace(ids, '_id', (one) => one.id),
        ...byWorkspace(keys, 'key', (one) => one.key),
      ];
      return rows<ConversationState>(ConversationModel)
        .find(anyOf(filters), inOneBatch(session, wanted.length))
        .toArray();
    },

    async findContacts(wanted) {
      const members = await ContactModel.find(
        anyOf(byWorkspace(wanted, '_id', (one) => one.id)),
        linkFields,
        {
          session,
        },
      )
        .lean()
        .limit(wanted.length);
      const merged = members.filter((member) => member.headId !== member._id);
      const heads = new Map(members.map((member) => [member._id, member]));
      if (merged.length > 0) {
        const filter = anyOf(byWorkspace(merged, '_id', (member) => member.headId));
        for (const head of await ContactModel.find(filter, linkFields, { session })
          .lean()
          .limit(merged.length)) {
          heads.set(head._id, head);
        }
      }
      return members.map((member) => ({
        id: member._id,
        workspaceId: member.workspaceId,
        headId: member.headId,
        lastMergeId: heads.get(member.headId)?.lastMergeId ?? null,
      }));
    },

    async takeNumbers(workspaceId, count) {
      const workspace = await WorkspaceModel.findOneAndUpdate(
        { _id: workspaceId },
        { $inc: { conversationCount: count } },
        { session, returnDocument: 'after', projection: { conversationCount: 1 } },
      ).lean();
      return workspace ? workspace.conversationCount - count + 1 : null;
    },

    async writeConversations(changes) {
      const operations = changes.map(
        ({ state, previousHead }): mongoose.mongo.AnyBulkWriteOperation<ConversationState> => {
          if (previousHead === 0) return { insertOne: { document: state } };
          const { _id, workspaceId } = state;
          // Whole: it was read in this very transaction, so a rival's change to any field of it ends the transaction.
          return { replaceOne: { filter: { _id, workspaceId, head: previousHead }, replacement: state } };
        },
      );
      const result = await rows<ConversationState>(ConversationModel).bulkWrite(operations, {
        session,
        ordered: true,
      });
      if (result.matchedCount + result.insertedCount !== changes.length) throw overtaken();
    },

    async insertEvents(events) {
      await rows<StoredEvent>(EventModel).insertMany([...events], { session, ordered: true });
    },

    async insertJobs(jobs, now) {
      const list = jobs.map((job) => newJob({ ...job, _id: newId() }, now));
      await rows<JobRow>(JobModel).insertMany(list, { session, ordered: true });
    },

    async changeContacts(changes) {
      const operations = changes.map((change): mongoose.mongo.AnyBulkWriteOperation<ContactRow> => {
        const set: Record<string, unknown> = {};
        for (const [name, value] of Object.entries(change.fields ?? {})) set[`fields.${name}`] = value;
        if (change.fields?.name) set.nameWords = nameWords(change.fields.name.value);
        if (change.fields?.company) set.companyKey = companyKey(change.fields.company.value);
        if (change.blocked !== undefined) set.blocked = change.blocked;
        const filter = { _id: change.contactId, workspaceId: change.workspaceId };
        return { updateOne: { filter, update: { $set: set } } };
      });
      await rows<ContactRow>(ContactModel).bulkWrite(operations, { session, ordered: true });
    },
  };
}

/** All of an answer at once: no second round trip, and no cursor left open in the store. */
const inOneBatch = (session: ClientSession, most: number) => ({ session, limit: most, batchSize: most });

/** The driver's own collection behind a model. */
const rows = <Row extends { _id: string }>(model: { collection: { collectionName: string } }) =>
  mongoose.connection.collection<Row>(model.collection.collectionName);

const linkFields = { workspaceId: 1, headId: 1, lastMergeId: 1 } as const;

/** One filter a workspace, since a batch may hold several: the index is entered by workspace first. */
function byWorkspace<T extends { workspaceId: string }>(
  list: readonly T[],
  field: string,
  nameOf: (one: T) => string,
): Record<string, unknown>[] {
  const groups = new Map<string, string[]>();
  for (const one of list) {
    const values = groups.get(one.workspaceId) ?? [];
    values.push(nameOf(one));
    groups.set(one.workspaceId, values);
  }
  return [...groups].map(([workspaceId, values]) => ({ workspaceId, [field]: { $in: values } }));
}

const anyOf = (filters: Record<string, unknown>[]): Record<string, unknown> =>
  filters.length === 1 && filters[0] ? filters[0] : { $or: filters };

/** Somebody advanced the conversation after it was read here: the driver runs the transaction again. */
function overtaken(): Error {
  const error = new mongoose.mongo.MongoServerError({
    message: 'The conversation was advanced meanwhile.',
    code: 112,
  });
  error.addErrorLabel('TransientTransactionError');
  return error;
}

const outOfDiskCode = 14_031;

/** What the door needs to know of a failed transaction, and no more. */
function storeFailure(error: unknown): unknown {
  if (!(error instanceof mongoose.mongo.MongoError)) return error;
  if (isDuplicateKey(error)) return new DuplicateKey({ cause: error });
  if (error.code === outOfDiskCode) return new AppError('store_full', undefined, { cause: error });
  const { MongoNetworkError, MongoServerSelectionError, MongoTopologyClosedError } = mongoose.mongo;
  const isAway =
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoTopologyClosedError ||
    error.hasErrorLabel('TransientTransactionError') ||
    error.hasErrorLabel('UnknownTransactionCommitResult');
  return isAway ? new AppError('store_unavailable', undefined, { cause: error }) : error;
}
