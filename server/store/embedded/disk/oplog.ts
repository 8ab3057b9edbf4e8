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
import { blockOf, packPlain, unpack } from './record.js';

/**
 * What changed, in the order of the commits: written with the change itself, read by change streams, cut at its old end
 * when it outgrows its bound. What one commit adds lies in blocks, each under the time of its last entry:
 * `[time][kind][BSON]` one after another. An insert that differs from the entry before it by its document alone is written
 * as that document. Up to format 1 each entry was a value of its own, which is still read.
 */

export interface OplogEntry {
  time: Time;
  /** See `engine/changes.ts` for the fields of each kind. */
  entry: Doc;
}

const pageBytes = 4_096;
/** A block is closed when it has so many bytes: whoever reads one entry of it reads them all. */
const blockBytes = 32 * 1024;
const blocksAtOnce = 16;
const cutKey = Buffer.from('cut');
const noDictionary = {
  get: (): never => {
    throw new Error('the oplog has no dictionary');
  },
};

const timeBytes = 8;
const kindWhole = 0;
const kindAlike = 1;

/** An insert among others. */
export interface Alike {
  /** Entries of one `of`, at one `wall`, differ by their documents alone. */
  of: object;
  wall: number;
  document: Buffer;
}

export type Oplog = ReturnType<typeof openOplog>;

export function openOplog(environment: Environment, now: () => number, mostBytes: number) {
  const table = environment.table('oplog');
  const marks = environment.table('oplog-marks');
  /** The newest time that was given out, and the newest whose commit is durable. */
  let last = lastTime();
  let durable = last;
  let sinceCut = 0;
  /** The block that the commit under way adds to. */
  let parts: Buffer[] = [];
  let size = 0;
  let before: { of: object; wall: number } | null = null;

  function lastTime(): Time {
    const snapshot = environment.snapshot();
    const [key] = readKeys(table, { reverse: true, limit: 1 }, snapshot);
    snapshot.done();
    return key ? timeOfKey(Buffer.from(key)) : nextTime(timeZero, now());
  }

  function put(kind: number, bytes: Buffer): void {
    const head = Buffer.allocUnsafe(timeBytes + 1);
    timeKey(last).copy(head);
    head[timeBytes] = kind;
    parts.push(head, bytes);
    size += head.length + bytes.length;
  }

  function close(): void {
    if (size === 0) return;
    const value = packPlain(Buffer.concat(parts, size), blockOf);
    write(table, timeKey(last), value);
    sinceCut += value.length;
    forget();
  }

  function forget(): void {
    parts = [];
    size = 0;
    before = null;
  }

  /** Takes off the old end at least twice what was put to the new one, as long as there is more than there may be. */
  function cut(): void {
    const wanted = sinceCut * 2;
    sinceCut = 0;
    const { branch, leaf, overflow } = environment.pagesOf(table);
    if ((branch + leaf + overflow) * pageBytes <= mostBytes) return;
    for (let gone = 0; gone < wanted; ) {
      const oldest = readEntries(table, { limit: blocksAtOnce }, null);
      for (const { key, value } of oldest) {
        gone += value.length;
        write(marks, cutKey, Buffer.from(key));
        remove(table, Buffer.from(key));
        if (gone >= wanted) return;
      }
      if (oldest.length < blocksAtOnce) return;
    }
  }

  return {
    /** Adds an entry to the commit that runs. */
    add(entry: Plain): Time {
      last = nextTime(last, now());
      put(kindWhole, encode(entry));
      before = null;
      if (size >= blockBytes) close();
      return last;
    },

    /** Adds an insert: `entry` is asked for it when it is not alike to the one before. */
    addInsert(alike: Alike, entry: () => Plain): void {
      last = nextTime(last, now());
      if (before && before.of === alike.of && before.wall === alike.wall) put(kindAlike, alike.document);
      else put(kindWhole, encode(entry()));
      before = alike;
      if (size >= blockBytes) close();
    },

    /** Writes what the commit that runs has added: the last thing it does. */
    finish(): void {
      close();
      if (sinceCut >= mostBytes / 64) cut();
    },

    /** The commit is durable: readers may be told how far it came. */
    settle(): void {
      durable = last;
    },

    /** The newest time of a commit that is durable. */
    durable: (): Time => durable,

    /** The newest time that was given out. */
    lastTimestamp: (): Timestamp => toTimestamp(last),

    /** After a commit that failed: what it took is given again. */
    reset(): void {
      forget();
      last = lastTime();
      durable = last;
    },

    /** The newest time whose entry was cut away; null while all are there. */
    cutAt(snapshot: Snapshot): Time | null {
      const key = read(marks, cutKey, snapshot);
      return key ? timeOfKey(Buffer.from(key)) : null;
    },

    /** The next entries after a time, oldest first: some, or none when there are no more. */
    after(time: Time, snapshot: Snapshot): OplogEntry[] {
      const blocks = readEntries(table, { start: timeKey(time), after: true, limit: blocksAtOnce }, snapshot);
      return blocks
        .flatMap(({ key, value }) => entriesIn(timeOfKey(Buffer.from(key)), Buffer.from(value)))
        .filter((one) => compareTimes(one.time, time) > 0);
    },
  };
}

function entriesIn(time: Time, stored: Buffer): OplogEntry[] {
  const bytes = unpack(stored, noDictionary);
  if (stored[4] !== blockOf) return [{ time, entry: decode(bytes) }];
  const entries: OplogEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + timeBytes + 1;
    const end = start + bytes.readInt32LE(start);
    const doc = decode(bytes.subarray(start, end));
    const isAlike = bytes[at + timeBytes] === kindAlike;
    entries.push({
      time: timeOfKey(bytes.subarray(at, at + timeBytes)),
      entry: isAlike ? new Map([...entries.at(-1)!.entry, ['k', doc.get('_id') ?? null], ['o', doc]]) : doc,
    });
    at = end;
  }
  return entries;
}

export { compareTimes, fromTimestamp, type Time, toTimestamp };
