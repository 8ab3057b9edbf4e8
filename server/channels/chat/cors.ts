import { InboxModel } from '../../inboxes/model.js';
import { isOriginAllowed } from './origins.js';

const keepMs = 5_000;
const inboxesAtMost = 10_000;
let kept: { origins: string[]; until: number } | null = null;

/** Whether any chat inbox of this installation admits the origin: a preflight does not say for which one it asks. */
export async function admittedAnywhere(origin: string): Promise<boolean> {
  if (!kept || kept.until < performance.now()) {
    // Across workspaces on purpose: this only decides whether a browser may read an answer, never what stands in it.
    const lists = await InboxModel.find({ channel: 'chat' }, { allowedOrigins: 1 })
      .limit(inboxesAtMost)
      .lean();
    kept = {
      origins: [...new Set(lists.flatMap(({ allowedOrigins }) => allowedOrigins))],
      until: performance.now() + keepMs,
    };
  }
  return isOriginAllowed(kept.origins, origin);
}
