import type { ResumeToken } from 'mongodb';
import type { EventKind } from '../../shared/events/kinds.js';
import { ContactModel } from '../contacts/model.js';
import { ConversationModel } from '../conversations/model.js';
import { beyond } from '../store/beyond.js';
import { storeNow } from '../store/clock.js';
import { EventModel, type StoredEvent } from '../timeline/model.js';
import type { PlacedEvent } from '../timeline/place.js';
import { bodyOf } from '../timeline/projection.js';
import { hearNotice, hearPlaced, wasTold } from '../timeline/publish.js';
import { listWorkspaces } from '../workspaces/workspaces.js';

/**
 * Follows the store's change stream, so that sockets of this process learn of what other processes appended (an import on
 * the command line, another server) and of what this one committed just before it failed to say so. What was told here
 * already is not told again.
 */
export interface Follower {
  close(): Promise<void>;
}

interface FollowOptions {
  /** Milliseconds in which this process tells of its own events: until then nobody else has to. */
  patienceMs?: number;
  report: (problem: { error: unknown }) => void;
}

const defaultPatienceMs = 400;
const retryMs = 1_000;
/** An append that was open when the stream broke has committed by then. */
const overlapMs = 60_000;
const mostAtOnce = 500;
const historyLost = 286;

interface InsertSeen {
  _id: ResumeToken;
  documentKey: { _id: string };
}

/** Begins now. Never throws: when the stream breaks it goes on from its token, or from the clock when that is gone. */
export function followEvents({ patienceMs = defaultPatienceMs, report }: FollowOptions): Follower {
  let isClosed = false;
  let token: ResumeToken;
  let seenAt = storeNow();
  const timers = new Set<NodeJS.Timeout>();
  const working = new Set<Promise<void>>();
  let stream = open();

  function open() {
    // Ids only: most events were told here, and need no reading.
    const opened = EventModel.collection.watch<InsertSeen>(
      [{ $match: { operationType: 'insert' } }, { $project: { documentKey: 1 } }],
      token === undefined ? {} : { resumeAfter: token },
    );
    let gathered: string[] = [];
    opened.on('change', (change) => {
      const { _id, documentKey } = change as unknown as InsertSeen;
      token = _id;
      seenAt = storeNow();
      gathered.push(documentKey._id);
      if (gathered.length > 1) return;
      later(patienceMs, async () => {
        const ids = gathered;
        gathered = [];
        await tellMissed(ids);
      });
    });
    opened.on('error', (error) => again(error));
    return opened;
  }

  function later(ms: number, work: () => Promise<void>): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      const done = work()
        .catch((error: unknown) => report({ error }))
        .finally(() => working.delete(done));
      working.add(done);
    }, ms);
    timers.add(timer);
  }

  function again(error: unknown): void {
    if (isClosed) return;
    report({ error });
    const isLost = (error as { code?: unknown }).code === historyLost;
    if (isLost) token = undefined;
    stream.close().catch(() => undefined);
    later(retryMs, async () => {
      if (isClosed) return;
      stream = open();
      if (isLost || token === undefined) await tellSince(new Date(seenAt.getTime() - overlapMs));
    });
  }

  /** After the stream's past was lost: everything that was recorded since, workspace by workspace, in pages. */
  async function tellSince(since: Date): Promise<void> {
    for (const { _id } of await listWorkspaces()) await tellSinceIn(_id, since);
  }

  async function tellSinceIn(workspaceId: string, since: Date): Promise<void> {
    let after: { at: Date; id: string } | null = null;
    for (;;) {
      const rows: { _id: string; recordedAt: Date }[] = await EventModel.find(
        { workspaceId, ...(after ? beyond('recordedAt', after, 'newer') : { recordedAt: { $gte: since } }) },
        { _id: 1, recordedAt: 1 },
      )
        .sort({ recordedAt: 1, _id: 1 })
        .limit(mostAtOnce)
        .lean();
      await tellMissed(rows.map(({ _id }) => _id));
      const last = rows.at(-1);
      if (!last || rows.length < mostAtOnce) return;
      after = { at: last.recordedAt, id: last._id };
    }
  }

  return {
    async close() {
      isClosed = true;
      for (const timer of timers) clearTimeout(timer);
      await stream.close();
      await Promise.all(working);
    },
  };
}

/** Reads and tells what this process has not told. Ids of every workspace: each event says whose it is. */
async function tellMissed(ids: string[]): Promise<void> {
  const missed = ids.filter((id) => !wasTold(id));
  for (let at = 0; at < missed.length; at += mostAtOnce) {
    const events: StoredEvent[] = await EventModel.find({ _id: { $in: missed.slice(at, at + mostAtOnce) } })
      .sort({ recordedAt: 1, seq: 1 })
      .lean();
    const wanted = [...new Set(events.flatMap(({ conversationId }) => conversationId ?? []))];
    const rows = await ConversationModel.find({ _id: { $in: wanted } }).lean();
    const states = new Map(rows.map((row) => [row._id, row]));
    hearPlaced(
      events.map(
        (event): PlacedEvent => ({
          event,
          state: (event.conversationId && states.get(event.conversationId)) || null,
        }),
      ),
    );
    await tellContacts(events);
  }
}

/** Events after which a contact is another: who writes one says so in a notice as well, which does not leave its process. */
const contactKinds: ReadonlySet<EventKind> = new Set<EventKind>([
  'identity_proved',
  'claim_made',
  'contact_changed',
  'contact_blocked',
  'contact_merged',
  'contact_unmerged',
]);

async function tellContacts(events: readonly StoredEvent[]): Promise<void> {
  const changed = events.filter(({ kind }) => contactKinds.has(kind));
  if (changed.length === 0) return;
  const ids = [...new Set(changed.map(({ contactId }) => contactId))];
  const rows = await ContactModel.find({ _id: { $in: ids } }, { workspaceId: 1, headId: 1 }).lean();
  const heads = new Map(rows.map(({ headId, workspaceId }) => [headId, workspaceId]));
  // What was merged is shown under its own id until that is told: its former head, or the head that it is again.
  for (const event of changed) {
    if (event.kind !== 'contact_merged' && event.kind !== 'contact_unmerged') continue;
    heads.set(bodyOf(event, event.kind).mergedId, event.workspaceId);
  }
  for (const [contactId, workspaceId] of heads) hearNotice({ type: 'contact', workspaceId, contactId });
}
