/**
 * One line of a call log: one leg of a call, as the exchange recorded it, before anybody asked whose it is.
 * Every format is read into this; nothing after it knows the formats.
 */
export interface Leg {
  /** For messages: `line 12`, or a document's name. */
  place: string;
  /** What all legs of one call share; `null` when the record has nothing of the kind (see `fallbackId`). */
  callId: string | null;
  /** Other legs that this one names as belonging to it. */
  otherIds: readonly string[];
  /** Joins legs of a log without ids: the caller's channel and the time at which it appeared. */
  fallbackId: string;
  from: string;
  to: string;
  callerName: string | null;
  /** What the record itself says about who began it. */
  direction: 'in' | 'out' | null;
  start: Date;
  answer: Date | null;
  end: Date;
  talkSeconds: number;
  outcome: Outcome;
  /** The colleague's extension, where the record says which telephone it was. */
  agent: string | null;
  recording: string | null;
}

export type Outcome = 'answered' | 'missed' | 'busy' | 'failed' | 'voicemail';

/** What could not be read, and why. The rest of the file is read all the same. */
export interface Broken {
  place: string;
  problem: string;
}

export type ReadLeg = { leg: Leg } | { broken: Broken };

/** A number of seconds as a record writes it; null for anything else. */
export function seconds(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}(?:\.\d+)?$/.test(text.trim()) ? Math.floor(Number(text)) : null;
}

export const addSeconds = (time: Date, count: number): Date => new Date(time.getTime() + count * 1_000);
