/** The seam between the loader, which every visitor gets, and the panel, which comes with the first intent. */

export type ThreadlineEvent = 'open' | 'close' | 'unread' | 'message' | 'identified' | 'signed-out' | 'error';

/** A token signed by the site's back end, or where to get a fresh one. */
export type IdentitySource = string | (() => string | Promise<string>);

/** What the loader lends to the panel. */
export interface Lent {
  /** The element that stands in the page. */
  host: HTMLElement;
  launcher: HTMLButtonElement;
  inboxId: string;
  /** Where the script came from, with a slash at the end. */
  base: string;
  locale: () => string;
  emit: (event: ThreadlineEvent, detail?: unknown) => unknown;
  /** Shows an open chat or a closed one. */
  draw: (isOpen: boolean) => void;
}

/** The same as the panel uses it. */
export interface Shell extends Omit<Lent, 'draw'> {
  root: ShadowRoot;
  setOpen: (isOpen: boolean) => void;
  setUnread: (count: number) => void;
  /** The visitor's secret; empty before there is one. */
  token: () => string;
  /** Ends the visitor's secret on the server, and wipes what was kept here. */
  signOut: () => Promise<void>;
}

/** What the loader hands on to the panel once it is there. */
export interface PanelHandle {
  /** `byVisitor` moves the focus into the panel. */
  open: (byVisitor?: boolean) => Promise<void>;
  close: () => void;
  toggle: (byVisitor?: boolean) => Promise<void> | void;
  identify: (source: IdentitySource | undefined) => void;
  signOut: () => Promise<void>;
  /** The language of the shell changed. */
  setLocale: () => Promise<void>;
  destroy: () => void;
}

/** What a browser keeps of an inbox between pages, in the page's own storage. Nothing before the visitor opened the chat. */
export interface Kept {
  /** The visitor's secret. */
  token?: string;
  contactId?: string;
  accent?: string;
  /** What was typed and not sent, by thread (`''`: a conversation that has not begun). */
  drafts?: Record<string, string>;
}

export const storageKey = (inboxId: string): string => `threadline:${inboxId}`;

/** Storage may be denied or hold somebody's rubbish: then nothing is known. */
export function readKept(inboxId: string): Kept {
  try {
    const kept: Kept = JSON.parse(localStorage.getItem(storageKey(inboxId)) ?? '{}');
    return kept ?? {};
  } catch {
    return {};
  }
}
