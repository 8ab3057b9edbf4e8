import { Timestamp } from 'bson';

/**
 * The store's logical time: seconds and a counter, as MongoDB's `clusterTime`. It never goes back, not even when the
 * machine's clock does, and each entry of the oplog has one of its own.
 */
export interface Time {
  seconds: number;
  counter: number;
}

export const timeZero: Time = { seconds: 0, counter: 0 };

export function nextTime(last: Time, nowMs: number): Time {
  const seconds = Math.floor(nowMs / 1000);
  return seconds > last.seconds
    ? { seconds, counter: 1 }
    : { seconds: last.seconds, counter: last.counter + 1 };
}

export const compareTimes = (left: Time, right: Time): number =>
  left.seconds - right.seconds || left.counter - right.counter;

export const toTimestamp = ({ seconds, counter }: Time): Timestamp =>
  new Timestamp({ t: seconds, i: counter });
export const fromTimestamp = (stamp: Timestamp): Time => ({
  seconds: stamp.getHighBitsUnsigned(),
  counter: stamp.getLowBitsUnsigned(),
});

/** Eight bytes that memcmp orders as the times are. */
export function timeKey({ seconds, counter }: Time): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(seconds, 0);
  key.writeUInt32BE(counter, 4);
  return key;
}

export const timeOfKey = (key: Buffer): Time => ({
  seconds: key.readUInt32BE(0),
  counter: key.readUInt32BE(4),
});
