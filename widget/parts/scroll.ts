/** Where a reader is in the log, in pixels from its end. */
export interface Place {
  fromEnd: number;
  isAtEnd: boolean;
}

const pinned = 60;
/** From here on older messages are asked for before the visitor reaches the top. */
export const nearTop = 120;

const logIn = (root: ShadowRoot): Element | null => root.querySelector('.chat');

/** Before anything is drawn anew. */
export function placeOf(root: ShadowRoot): Place | undefined {
  const log = logIn(root);
  if (!log) return undefined;
  const fromEnd = log.scrollHeight - log.scrollTop;
  return { fromEnd, isAtEnd: fromEnd - log.clientHeight < pinned };
}

/** New lines pull a reader at the end along; older ones above leave the line being read where it is. */
export function takePlace(root: ShadowRoot, place: Place | undefined): void {
  const log = logIn(root);
  if (!log) return;
  if (!place || place.isAtEnd) log.scrollTop = log.scrollHeight;
  else if (log.scrollTop < nearTop) log.scrollTop = log.scrollHeight - place.fromEnd;
}
