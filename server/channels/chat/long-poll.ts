import { AppError } from '../../../shared/errors.js';
import type { EventPage } from '../../../shared/events/timeline.js';
import { limits } from '../../../shared/limits.js';
import { onPublished } from '../../timeline/publish.js';
import { readConversation } from '../../timeline/read.js';
import { loadVisitor, ownConversation, type Visitor } from './visitor.js';

export interface Poll {
  conversationId: string;
  after: number;
}

/** Another process's events are not published here: the store is asked again this often. */
const lookAgainMs = 5_000;
/** Polls that one browser may have waiting: its tabs share one, so more is no browser. */
const pollsPerVisitor = 6;
const waiting = new Map<string, number>();

/** How many polls wait at this moment. */
export const pollsWaiting = (): number => [...waiting.values()].reduce((sum, count) => sum + count, 0);

/**
 * The events after `after` as soon as there are some; an empty page after `longPollSeconds`, so that no proxy cuts it.
 * @throws AppError `not_found`, `rate_limited`
 */
export async function awaitEvents(visitor: Visitor, poll: Poll, ended: AbortSignal): Promise<EventPage> {
  await ownConversation(visitor, poll.conversationId);
  const count = waiting.get(visitor.visitorId) ?? 0;
  if (count >= pollsPerVisitor) throw new AppError('rate_limited', { retryAfterMs: 1_000 });
  waiting.set(visitor.visitorId, count + 1);
  try {
    return await waitForEvents(visitor, poll, ended);
  } finally {
    const left = (waiting.get(visitor.visitorId) ?? 1) - 1;
    if (left > 0) waiting.set(visitor.visitorId, left);
    else waiting.delete(visitor.visitorId);
  }
}

async function waitForEvents(visitor: Visitor, poll: Poll, ended: AbortSignal): Promise<EventPage> {
  const until = performance.now() + limits.longPollSeconds * 1_000;
  const wake = waker(poll.conversationId, ended);
  try {
    for (;;) {
      const page = await readConversation(visitor, poll, 'visitor');
      const left = until - performance.now();
      if (page.events.length > 0 || left <= 0 || ended.aborted) return page;
      await wake.next(Math.min(left, lookAgainMs));
      // It may have signed out meanwhile, or lost what a merge that was undone had shown it.
      await ownConversation(await loadVisitor(visitor), poll.conversationId);
    }
  } finally {
    wake.stop();
  }
}

/** Resolves when something was published in the conversation, the reader went away, or time is up. */
function waker(conversationId: string, ended: AbortSignal) {
  let isDue = false;
  let resolve: (() => void) | null = null;
  const wake = (): void => {
    isDue = true;
    resolve?.();
  };
  const unlisten = onPublished(({ event, visibleToVisitor }) => {
    if (visibleToVisitor && event.conversationId === conversationId) wake();
  });
  ended.addEventListener('abort', wake);
  return {
    async next(withinMs: number): Promise<void> {
      if (!isDue) {
        await new Promise<void>((done) => {
          const timer = setTimeout(done, withinMs);
          resolve = () => {
            clearTimeout(timer);
            done();
          };
        });
      }
      resolve = null;
      isDue = false;
    },
    stop(): void {
      unlisten();
      ended.removeEventListener('abort', wake);
    },
  };
}
