import type { Plain } from '../bson/encode.js';
import { Raw } from '../bson/types.js';
import type { Snapshot } from '../disk/environment.js';
import { cursorNotFound, StoreError, transactionEnded } from '../errors.js';
import type { Database } from './database.js';
import { type Deadline, outOfTime } from './view.js';

/** Open cursors: results that go out in batches. */

/** Where a cursor's documents come from. `null` from `next`: others may have their turn now. */
export interface Source {
  next(): Buffer | null | undefined;
  /** Known to have nothing more, without being asked for it. */
  isOver?(): boolean;
  /** Called around each batch: a cursor holds no snapshot while nobody reads from it. */
  enter?(): void;
  leave?(): void;
  close?(): void;
  /** Whether more may come later: a change stream's cursor waits. */
  readonly isTailable?: boolean;
  /** Resolves when there may be more, or after `ms`. */
  wait?(ms: number, gone: AbortSignal): Promise<void>;
  /** Fields of its own beside the batch: a change stream's resume token. */
  extra?(): Plain;
}

export interface Cursor {
  readonly id: bigint;
  readonly namespace: string;
  readonly source: Source;
  readonly session: string | null;
  /** Of the transaction it was opened in. */
  readonly transaction: bigint | null;
  readonly noTimeout: boolean;
  readonly deadline: Deadline | undefined;
  /** `performance.now()` when its last batch was done. */
  restsSince: number;
  usedAt: number;
  isBusy: boolean;
}

const cursorLifeMs = 10 * 60_000;
const mostBatchBytes = 16 * 1024 * 1024;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export type Cursors = ReturnType<typeof createCursors>;

export function createCursors(database: Database) {
  const cursors = new Map<bigint, Cursor>();
  // Ids that an earlier run may have given out mean nothing to this one.
  let nextId = (BigInt(Date.now()) << 16n) + 1n;
  const time = () => database.now().getTime();

  /** Up to `most` documents, and whether that was all. */
  async function batch(
    source: Source,
    most: number,
    deadline: Deadline | undefined,
  ): Promise<{ rows: Raw[]; isEnd: boolean }> {
    const rows: Raw[] = [];
    let bytes = 0;
    source.enter?.();
    try {
      while (rows.length < most) {
        const next = source.next();
        if (next === undefined) return { rows, isEnd: !source.isTailable };
        if (next === null) {
          if (deadline && performance.now() > deadline.at) throw outOfTime();
          await turn();
          continue;
        }
        rows.push(new Raw(next));
        bytes += next.length;
        if (bytes >= mostBatchBytes) break;
      }
      return { rows, isEnd: source.isOver?.() ?? false };
    } finally {
      source.leave?.();
    }
  }

  const answer = (
    field: 'firstBatch' | 'nextBatch',
    rows: Raw[],
    id: bigint,
    { namespace, source }: Pick<Cursor, 'namespace' | 'source'>,
  ): Plain => ({ cursor: { [field]: rows, id, ns: namespace, ...source.extra?.() }, ok: 1 });

  return {
    /** The first batch, and a cursor when there is more. */
    async open(
      source: Source,
      namespace: string,
      options: {
        batchSize: number;
        isSingle?: boolean;
        session?: string | null;
        transaction?: bigint | null;
        noTimeout?: boolean;
        deadline?: Deadline | undefined;
      },
    ): Promise<Plain> {
      let first: Awaited<ReturnType<typeof batch>>;
      try {
        first = await batch(source, options.batchSize, options.deadline);
      } catch (error) {
        source.close?.();
        throw error;
      }
      if (first.isEnd || options.isSingle) {
        source.close?.();
        return answer('firstBatch', first.rows, 0n, { namespace, source });
      }
      const id = nextId;
      nextId += 1n;
      cursors.set(id, {
        id,
        namespace,
        source,
        session: options.session ?? null,
        transaction: options.transaction ?? null,
        noTimeout: options.noTimeout ?? false,
        deadline: options.deadline,
        restsSince: performance.now(),
        usedAt: time(),
        isBusy: false,
      });
      return answer('firstBatch', first.rows, id, { namespace, source });
    },

    async more(
      id: bigint,
      namespace: string,
      options: {
        batchSize: number;
        waitMs: number;
        session: string | null;
        transaction: bigint | null;
        gone: AbortSignal;
      },
    ): Promise<Plain> {
      const cursor = cursors.get(id);
      if (!cursor) throw cursorNotFound(String(id));
      check(cursor, namespace, options);
      cursor.isBusy = true;
      cursor.usedAt = time();
      const { source, deadline } = cursor;
      if (deadline) deadline.at += performance.now() - cursor.restsSince;
      const checkOpen = () => {
        if (cursors.has(id)) return;
        throw cursor.transaction === null ? cursorNotFound(String(id)) : transactionEnded();
      };
      try {
        let next = await batch(source, options.batchSize, deadline);
        // Closed while others had their turn, it gave no more: that is not its end.
        checkOpen();
        const until = performance.now() + options.waitMs;
        while (source.isTailable && source.wait && next.rows.length === 0 && !next.isEnd) {
          const left = until - performance.now();
          if (left <= 0 || options.gone.aborted) break;
          await source.wait(left, options.gone);
          checkOpen();
          next = await batch(source, options.batchSize, deadline);
          checkOpen();
        }
        if (next.isEnd) this.remove(id);
        return answer('nextBatch', next.rows, next.isEnd ? 0n : id, cursor);
      } catch (error) {
        this.remove(id);
        throw error;
      } finally {
        cursor.isBusy = false;
        cursor.restsSince = performance.now();
        cursor.usedAt = time();
      }
    },

    remove(id: bigint): boolean {
      const cursor = cursors.get(id);
      if (!cursor) return false;
      cursor.source.close?.();
      return cursors.delete(id);
    },

    /** Those of a transaction that is over, or of a session that ended. */
    removeOf(session: string, transaction?: bigint): void {
      for (const one of cursors.values())
        if (one.session === session && (transaction === undefined || one.transaction === transaction))
          this.remove(one.id);
    },

    sweep(): void {
      for (const one of cursors.values())
        if (!one.noTimeout && !one.isBusy && time() - one.usedAt > cursorLifeMs) this.remove(one.id);
    },

    count: (): number => cursors.size,

    close(): void {
      for (const id of [...cursors.keys()]) this.remove(id);
    },
  };

  function check(
    cursor: Cursor,
    namespace: string,
    asked: { session: string | null; transaction: bigint | null },
  ): void {
    if (cursor.namespace !== namespace)
      throw new StoreError(
        13,
        'Unauthorized',
        `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
      );
    if (cursor.session !== asked.session)
      throw new StoreError(
        50738,
        'Location50738',
        `Cannot run getMore on cursor ${cursor.id}, which was created in another session`,
      );
    if (cursor.transaction !== asked.transaction)
      throw new StoreError(
        50740,
        'Location50740',
        `Cannot run getMore on cursor ${cursor.id}, which was created in another transaction`,
      );
    if (cursor.isBusy) throw new StoreError(12051, 'CursorInUse', `cursor id ${cursor.id} is already in use`);
  }
}

/** A source over rows that are read lazily from what is committed: each batch from a snapshot of its own. */
export function lazySource(
  rows: (reader: { snapshot: Snapshot | null }) => Iterator<Buffer | null>,
  snapshot: () => Snapshot,
  limit = 0,
): Source {
  const reader: { snapshot: Snapshot | null } = { snapshot: null };
  let given = 0;
  let iterator: Iterator<Buffer | null> | null = null;
  return {
    enter() {
      reader.snapshot = snapshot();
    },
    leave() {
      reader.snapshot?.done();
      reader.snapshot = null;
    },
    next() {
      iterator ??= rows(reader);
      const next = iterator.next();
      if (next.done) return undefined;
      if (next.value !== null) given += 1;
      return next.value;
    },
    isOver: () => limit > 0 && given >= limit,
    close() {
      iterator?.return?.();
    },
  };
}

export function listSource(rows: readonly Buffer[]): Source {
  let at = 0;
  return {
    next() {
      at += 1;
      return rows[at - 1];
    },
    isOver: () => at >= rows.length,
  };
}
