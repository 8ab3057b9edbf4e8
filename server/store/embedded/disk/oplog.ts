import type { Timestamp } from 'bson';
import { decode } from '../bson/decode.js';
import { encode, type Plain } from '../bson/encode.js';
import type { Doc } from '../bson/types.js';
import {
  compareTimes,
  fromTimestamp,
  nextTime,
  type Time,
  timeKey,
  timeOfKey,
  timeZero,
  toTimestamp,
} from '../engine/clock.js';
import {
  type Environment,
  read,
  readEntries,
  readKeys,
  remove,
  type Snapshot,
  write,
} from './environment.js';
import { packPlain, unpack } from './record.js';

/**
 * What changed, in the order of the commits: written with the change itself, read by change streams, cut at its old end
 * when it outgrows its bound.
 */

export interface OplogEntry {
  time: Time;
  /** See `engine/changes.ts` for the fields of each kind. */
  entry: Doc;
}

const pageBytes = 4_096;
const cutAtOnce = 512;
const cutKey = Buffer.from('cut');
const noDictionary = {
  get: (): never => {
    throw new Error('the oplog has no dictionary');
  },
};

export type Oplog = ReturnType<typeof openOplog>;

export function openOplog(environment: Environment, now: () => number, mostBytes: number) {
  const table = environment.table('oplog');
  const marks = environment.table('oplog-marks');
  let last = lastTime();
  let sinceCut = 0;

  function lastTime(): Time {
    const snapshot = environment.snapshot();
    const [key] = readKeys(table, { reverse: true, limit: 1 }, snapshot);
    snapshot.done();
    return key ? timeOfKey(Buffer.from(key)) : nextTime(timeZero, now());
  }

  function cut(): void {
    sinceCut = 0;
    const { branch, leaf, overflow } = environment.pagesOf(table);
    if ((branch + leaf + overflow) * pageBytes <= mostBytes) return;
    for (const key of readKeys(table, { limit: cutAtOnce }, null)) {
      write(marks, cutKey, Buffer.from(key));
      remove(table, Buffer.from(key));
    }
  }

  return {
    /** Adds an entry to the commit that runs. */
    add(entry: Plain): Time {
      last = nextTime(last, now());
      write(table, timeKey(last), packPlain(encode(entry)));
      sinceCut += 1;
      if (sinceCut >= cutAtOnce / 2) cut();
      return last;
    },

    /** The newest time that was given out. */
    last: (): Time => last,
    lastTimestamp: (): Timestamp => toTimestamp(last),

    /** After a commit that failed: what it took is given again. */
    reset(): void {
      last = lastTime();
    },

    /** The newest time whose entry was cut away; null while all are there. */
    cutAt(snapshot: Snapshot): Time | null {
      const key = read(marks, cutKey, snapshot);
      return key ? timeOfKey(Buffer.from(key)) : null;
    },

    /** Entries after a time, oldest first. */
    after(time: Time, limit: number, snapshot: Snapshot): OplogEntry[] {
      return readEntries(table, { start: timeKey(time), after: true, limit }, snapshot).map(
        ({ key, value }) => ({
          time: timeOfKey(Buffer.from(key)),
          entry: decode(unpack(Buffer.from(value), noDictionary)),
        }),
      );
    },
  };
}

export { compareTimes, fromTimestamp, type Time, toTimestamp };
