import type { EventOf, TimelineEvent } from '../../shared/events/timeline.js';

/** What a timeline is drawn of. */
export type Entry =
  | { type: 'year'; key: string; year: number }
  | { type: 'day'; key: string; at: string }
  | { type: 'silence'; key: string; days: number }
  | Fold
  | ({ type: 'chat'; events: EventOf<'message'>[] } & Placed)
  | ({ type: 'emails'; events: EventOf<'email'>[] } & Placed)
  | ({ type: 'call'; event: EventOf<'call'> } & Placed)
  | ({ type: 'note'; event: EventOf<'note'> } & Placed)
  | ({ type: 'merge'; event: EventOf<'contact_merged'> } & Placed)
  | ({ type: 'claim'; event: EventOf<'claim_made'> } & Placed)
  | ({ type: 'change'; event: TimelineEvent } & Placed);

interface Placed {
  key: string;
  /** Of its newest event. */
  at: string;
  /** Its day has no anchor of its own: the entry says the date instead of the time. */
  saysDate: boolean;
}
export type ContentEntry = Exclude<Entry, { type: 'year' | 'day' | 'silence' | 'fold' }>;

/** Months of long ago in one line. */
export interface Fold {
  type: 'fold';
  key: string;
  /** Of the newest and of the oldest of what is folded. */
  at: string;
  from: string;
  saysDate: boolean;
  /** The months, `2026-06`, newest first. */
  months: string[];
  entries: ContentEntry[];
}
