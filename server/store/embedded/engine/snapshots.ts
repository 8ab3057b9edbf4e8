import type { Timestamp } from 'bson';
import type { Snapshot } from '../disk/environment.js';
import { StoreError } from '../errors.js';
import { toTimestamp } from './clock.js';
import type { Database } from './database.js';

/** Snapshots that were read at, by their time: any session may go on reading there for a while. */

const snapshotLifeMs = 5 * 60_000;
const mostSnapshots = 64;

export function createSnapshots(database: Database) {
  const snapshots = new Map<bigint, { snapshot: Snapshot; usedAt: number }>();
  const time = () => database.now().getTime();

  function drop(at: bigint): void {
    snapshots.get(at)?.snapshot.done();
    snapshots.delete(at);
  }

  return {
    /** The snapshot to read at: the one of `at`, or one of now. @throws StoreError `SnapshotTooOld` */
    at(at: Timestamp | null): { snapshot: Snapshot; time: bigint } {
      const wanted = BigInt.asUintN(64, (at ?? toTimestamp(database.oplog.durable())).toBigInt());
      const held = snapshots.get(wanted);
      if (held) {
        held.usedAt = time();
        return { snapshot: held.snapshot, time: wanted };
      }
      if (at)
        throw new StoreError(
          239,
          'SnapshotTooOld',
          'Read timestamp is older than the oldest available timestamp.',
        );
      if (snapshots.size >= mostSnapshots) drop(snapshots.keys().next().value!);
      const snapshot = database.snapshot();
      snapshots.set(wanted, { snapshot, usedAt: time() });
      return { snapshot, time: wanted };
    },

    sweep(): void {
      for (const [at, { usedAt }] of snapshots) if (time() - usedAt > snapshotLifeMs) drop(at);
    },

    close(): void {
      for (const at of snapshots.keys()) drop(at);
    },
  };
}
