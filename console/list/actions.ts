import type { ConversationRow } from '../../shared/protocol.js';
import { replyOf } from '../api/request.js';
import { type InboxRoute, listKey } from '../router.js';
import { type Console, meOf } from '../state/console.js';
import { belongs, reduceList } from './reduce.js';

const pageRows = 50;

export function inboxRouteOf(app: Console): InboxRoute | null {
  const route = app.route.get();
  return route.page === 'inbox' ? route : null;
}

/** Shows the list of a place. The one that is shown already is only made fresh when `anew`. */
export async function openList(app: Console, route: InboxRoute, anew = false): Promise<void> {
  const key = listKey(route);
  const before = app.list.get();
  if (before.key === key && before.state !== 'failed' && !anew) return;
  app.list.change((list) => reduceList(list, { type: 'open', key }));
  await readPage(app, route, key, undefined);
}

export async function loadMoreRows(app: Console): Promise<void> {
  const list = app.list.get();
  const route = inboxRouteOf(app);
  if (!route || list.nextCursor === null || list.loadingMore || list.state !== 'ready') return;
  app.list.change((now) => reduceList(now, { type: 'more' }));
  await readPage(app, route, list.key, list.nextCursor);
}

async function readPage(
  app: Console,
  route: InboxRoute,
  key: string,
  cursor: string | undefined,
): Promise<void> {
  try {
    const page = await app.api.conversations({
      view: route.view,
      inboxId: route.inboxId,
      sort: route.sort,
      cursor,
      limit: pageRows,
    });
    for (const row of page.rows) takeRow(app, row);
    app.list.change((list) =>
      reduceList(list, {
        type: 'page',
        key,
        ids: page.rows.map((row) => row.id),
        nextCursor: page.nextCursor ?? null,
        first: cursor === undefined,
      }),
    );
  } catch (error) {
    app.list.change((list) => reduceList(list, { type: 'fail', key, error: replyOf(error) }));
  }
}

/** Keeps a row; an equal one keeps its identity, so that nothing is drawn again. */
function takeRow(app: Console, row: ConversationRow): void {
  app.rows
    .of(row.id)
    .change((old) => (old !== null && JSON.stringify(old) === JSON.stringify(row) ? old : row));
}

/** A row as it stands now, from the live connection or from our own change. */
export function hearRow(app: Console, row: ConversationRow, how: { own?: boolean } = {}): void {
  takeRow(app, row);
  const route = inboxRouteOf(app);
  if (!route) return;
  const belongsHere = belongs(row, route.view, route.inboxId, meOf(app).id);
  app.list.change((list) =>
    how.own && !belongsHere
      ? reduceList(list, { type: 'remove', id: row.id })
      : reduceList(list, {
          type: 'row',
          id: row.id,
          belongs: belongsHere,
          held: isListHeld() || route.conversationId === row.id,
        }),
  );
}

let pointed = false;
const isListHeld = () => pointed;
/** The pointer came to the list or left it. */
export function pointAtList(app: Console, isPointed: boolean): void {
  pointed = isPointed;
  if (!isPointed) {
    const keep = inboxRouteOf(app)?.conversationId ?? null;
    app.list.change((list) => reduceList(list, { type: 'settle', keep }));
  }
}

let countsTimer: ReturnType<typeof setTimeout> | undefined;
/** Counts are the server's; asked anew soon after something changed, at most once in a while. */
export function refreshCounts(app: Console, afterMs = 0): void {
  clearTimeout(countsTimer);
  countsTimer = setTimeout(() => {
    app.api.counts().then(
      (counts) => app.counts.change((old) => (JSON.stringify(old) === JSON.stringify(counts) ? old : counts)),
      (error: unknown) => {
        replyOf(error);
      },
    );
  }, afterMs);
}
