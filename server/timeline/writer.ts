import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import type { PreparedDraft } from './draft.js';
import type { StoredEvent } from './model.js';
import { type Keys, type PlacedEvent, type Settled, settleInside } from './place.js';
import { Contended, DuplicateKey, type Ports, type TimelineStore } from './ports.js';

/**
 * One a process. It takes what gathered while the last batch was being written, so that load makes batches and not
 * queues; it never waits for more.
 */
export interface Writer {
  /**
   * Resolves when the event is durable; rejects with the AppError that refused it.
   * @throws AppError `rate_limited` at once when the queue is full
   */
  add(draft: PreparedDraft): Promise<Appended>;
  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void>;
  readonly waiting: number;
}

interface Appended {
  event: StoredEvent;
  /** False for a retry: `event` is the first one. */
  isFirst: boolean;
}

export interface WriterOptions {
  store: TimelineStore;
  ports: Ports;
  /** Told of every new event, in order, after it is durable and after its sender was answered. */
  onWritten: (events: readonly PlacedEvent[]) => void;
  batch?: number;
  queue?: number;
}

interface Waiting {
  draft: PreparedDraft;
  resolve: (appended: Appended) => void;
  reject: (error: unknown) => void;
}

/** How often one draft alone is tried again when rivals keep taking the key it looks for. */
const aloneTries = 8;

export function createWriter(options: WriterOptions): Writer {
  const { store, ports, onWritten } = options;
  const batchSize = options.batch ?? limits.appendBatch;
  const queueSize = options.queue ?? limits.appendQueue;
  let queue: Waiting[] = [];
  let isRunning = false;
  let idlers: (() => void)[] = [];

  async function run(): Promise<void> {
    // Begins after the current task: what was sent together is written together.
    await Promise.resolve();
    while (queue.length > 0) {
      const batch = queue.slice(0, batchSize);
      queue = queue.slice(batchSize);
      const drafts = batch.map((entry) => entry.draft);
      const settled = await write(drafts, 'new');
      batch.forEach((entry, index) => {
        answer(entry, settled[index]);
      });
      refuseBehind(drafts, settled);
      const placed = settled.flatMap((one) => (one && 'placed' in one ? one.placed : []));
      if (placed.length > 0) ports.later(() => onWritten(placed));
    }
    // In the same task as the last look at the queue: whoever adds after it starts the next run.
    isRunning = false;
    const finished = idlers;
    idlers = [];
    for (const resolve of finished) resolve();
  }

  /**
   * What waits behind a draft that the store did not take goes back with it: given again, they come in their order. Of
   * several that one caller hands in at once, the later ones may stand in the next batch.
   */
  function refuseBehind(batch: readonly PreparedDraft[], settled: readonly Settled[]): void {
    const refused = new Map<string, unknown>();
    batch.forEach((draft, at) => {
      const one = settled[at];
      if (one && 'error' in one && isOutage(one.error)) refused.set(contendedRow(draft), one.error);
    });
    if (refused.size === 0) return;
    queue = queue.filter(({ draft, reject }) => {
      const error = refused.get(contendedRow(draft));
      if (error !== undefined) reject(error);
      return error === undefined;
    });
  }

  /** Never rejects: each draft is settled by itself. */
  async function write(batch: readonly PreparedDraft[], keys: Keys, rivals?: number): Promise<Settled[]> {
    try {
      return await store.transact((transaction) => settleInside(transaction, batch, ports, keys), rivals);
    } catch (error) {
      // The store itself is away or full: trying its halves would fail 2 × 256 times to learn the same.
      if (isOutage(error)) return batch.map(() => ({ error }));
      // One was written before: all are looked up now, and that one is answered with its first event.
      if (keys === 'new' && error instanceof DuplicateKey) return write(batch, 'looked up', rivals);
      if (error instanceof Contended) return writeApart(batch, error);
      if (batch.length <= 1) return Promise.all(batch.map((draft) => settleAlone(draft, error)));
      // A rival process took a key, or one draft is bad: halves find it, its neighbours do not suffer.
      const middle = Math.ceil(batch.length / 2);
      const first = await write(batch.slice(0, middle), 'looked up', rivals);
      return [...first, ...(await write(batch.slice(middle), 'looked up', rivals))];
    }
  }

  /**
   * A rival holds one of these conversations: perhaps a process that died holding it, and then for a minute. The others
   * are written without it; who writes into it is told to try again, and all of them, so that nobody overtakes. Each part
   * is tried once: where all meet at one row (the counter that conversations begin with), that is many in vain.
   */
  async function writeApart(batch: readonly PreparedDraft[], cause: Contended): Promise<Settled[]> {
    const rows = [...new Set(batch.map(contendedRow))];
    if (rows.length === 1) return batch.map(() => ({ error: refusalOf(cause) }));
    const near = new Set(rows.slice(0, Math.ceil(rows.length / 2)));
    const isNear = batch.map((draft) => near.has(contendedRow(draft)));
    const part = (wanted: boolean): Promise<Settled[]> =>
      write(
        batch.filter((_, at) => isNear[at] === wanted),
        'looked up',
        1,
      );
    const first = (await part(true)).values();
    const second = (await part(false)).values();
    return isNear.map((is) => (is ? first : second).next().value as Settled);
  }

  async function settleAlone(draft: PreparedDraft, firstError: unknown): Promise<Settled> {
    let error = firstError;
    for (let attempt = 1; attempt < aloneTries && error instanceof DuplicateKey; attempt += 1) {
      // Whoever was faster has committed: a new transaction sees what it wrote, and answers with it.
      try {
        const [settled] = await store.transact((transaction) => settleInside(transaction, [draft], ports));
        if (settled) return settled;
      } catch (later) {
        error = later;
      }
    }
    return { error: refusalOf(error) };
  }

  return {
    add(draft) {
      if (queue.length >= queueSize) {
        throw new AppError('rate_limited', { limit: 'appendQueue', max: queueSize, retryAfterMs: 1_000 });
      }
      return new Promise<Appended>((resolve, reject) => {
        queue.push({ draft, resolve, reject });
        if (isRunning) return;
        isRunning = true;
        run().catch(reject);
      });
    },
    idle: () => (isRunning ? new Promise<void>((resolve) => idlers.push(resolve)) : Promise.resolve()),
    get waiting() {
      return queue.length;
    },
  };
}

function answer(entry: Waiting, settled: Settled | undefined): void {
  if (!settled) entry.reject(new AppError('internal'));
  else if ('error' in settled) entry.reject(settled.error);
  else entry.resolve({ event: settled.event, isFirst: settled.isFirst });
}

/** The row that rivals for a draft's place would meet at: its conversation, or its contact. */
function contendedRow({ workspaceId, conversation, contactId }: PreparedDraft): string {
  if (!conversation) return `${workspaceId}\ncontact\n${contactId}`;
  return 'id' in conversation
    ? `${workspaceId}\nid\n${conversation.id}`
    : `${workspaceId}\nkey\n${conversation.open.key}`;
}

/** What a sender is told of a draft that could not be written. */
function refusalOf(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError(error instanceof Contended ? 'store_unavailable' : 'internal', undefined, {
    cause: error,
  });
}

const isOutage = (error: unknown): boolean =>
  error instanceof AppError && (error.code === 'store_unavailable' || error.code === 'store_full');
