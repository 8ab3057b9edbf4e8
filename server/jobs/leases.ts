import { isDuplicateKey } from '../store/duplicate-key.js';
import { LeaseModel } from './model.js';
import type { LeaseStore } from './ports.js';

/** The mongoose side of the port of leases. */
export const mongooseLeases: LeaseStore = {
  async take(name, holder, now, until) {
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
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  },

  async renew({ name, holder, fence }, until) {
    const { matchedCount } = await LeaseModel.updateOne({ _id: name, holder, fence }, { $set: { until } });
    return matchedCount === 1;
  },

  async release({ name, holder, fence }) {
    await LeaseModel.updateOne({ _id: name, holder, fence }, { $set: { until: new Date(0) } });
  },
};
