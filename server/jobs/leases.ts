import mongoose from 'mongoose';
import { LeaseModel } from './model.js';
import { systemJobPorts } from './system.js';

/** What must happen once in a cluster runs under a lease: one holder at a time, and a fence that tells old from new. */
export interface Lease {
  name: string;
  holder: string;
  /** Every write made under the lease carries it; one with a smaller number is an old holder's. */
  fence: number;
}

const duplicateKeyCode = 11_000;

/** Takes the lease if it is free, or was not renewed in time; null when somebody else has it. */
export async function takeLease(
  name: string,
  holder: string,
  holdMs: number,
  now: Date = systemJobPorts.now(),
): Promise<Lease | null> {
  const until = new Date(now.getTime() + holdMs);
  const taken = await LeaseModel.findOneAndUpdate(
    { _id: name, $or: [{ holder }, { until: { $lte: now } }] },
    { $set: { holder, until }, $inc: { fence: 1 } },
    { returnDocument: 'after' },
  ).lean();
  if (taken) return { name, holder, fence: taken.fence };
  try {
    await LeaseModel.create([{ _id: name, holder, until, fence: 1 }]);
    return { name, holder, fence: 1 };
  } catch (error) {
    // It exists and is somebody else's, or somebody was faster.
    if (error instanceof mongoose.mongo.MongoServerError && error.code === duplicateKeyCode) return null;
    throw error;
  }
}

/** A sign of life. False: it was taken over, and whatever ran under it stops. */
export async function renewLease(
  lease: Lease,
  holdMs: number,
  now: Date = systemJobPorts.now(),
): Promise<boolean> {
  const { matchedCount } = await LeaseModel.updateOne(
    { _id: lease.name, holder: lease.holder, fence: lease.fence },
    { $set: { until: new Date(now.getTime() + holdMs) } },
  );
  return matchedCount === 1;
}

/** Gives it back at once. Does nothing when it is somebody else's. */
export async function releaseLease(lease: Lease): Promise<void> {
  await LeaseModel.updateOne(
    { _id: lease.name, holder: lease.holder, fence: lease.fence },
    { $set: { until: new Date(0) } },
  );
}
