import { createHash } from 'node:crypto';
import type { CallBody, CallParty } from '../../../shared/events/call.js';
import type { Leg } from './leg.js';
import { partyOf } from './numbers.js';

export interface DescribedCall {
  direction: 'in' | 'out' | 'internal';
  /** The end that is not ours; null when both are. */
  customer: CallParty | null;
  body: Omit<CallBody, 'numberVerified'>;
}

/** What a call was, seen from the company: who called whom, who of us took it, how long it rang and was talked. */
export function describeCall(leg: Leg, country: string): DescribedCall {
  const isFromExtension = partyOf(leg.from, null, country).extension !== undefined;
  const from = partyOf(leg.from, leg.callerName, country);
  const to = partyOf(leg.to, null, country);
  const direction = directionOf(leg, from, to);
  const customer = { in: from, out: to, internal: null }[direction];
  const agent = agentOf(leg, direction, isFromExtension);
  const ringUntil = leg.answer ?? leg.end;
  return {
    direction,
    customer,
    body: {
      callId: boundedId(leg.callId ?? leg.fallbackId),
      from,
      to,
      ...(agent !== null && { agent: agent.slice(0, 100) }),
      startedAt: leg.start.toISOString(),
      ...(leg.answer && { answeredAt: leg.answer.toISOString() }),
      endedAt: leg.end.toISOString(),
      outcome: leg.outcome,
      ringSeconds: Math.max(0, Math.round((ringUntil.getTime() - leg.start.getTime()) / 1_000)),
      talkSeconds: leg.talkSeconds,
      ...(leg.recording !== null && { recordingUrl: leg.recording }),
    },
  };
}

/** The numbers decide first: what an exchange calls inbound is every channel that somebody opened to it. */
function directionOf(leg: Leg, from: CallParty, to: CallParty): DescribedCall['direction'] {
  if (from.extension !== undefined) return to.extension === undefined ? 'out' : 'internal';
  return leg.direction === 'out' && to.extension === undefined ? 'out' : 'in';
}

/** A colleague by name when the log shows one (it is the caller's), else by extension. */
function agentOf(leg: Leg, direction: DescribedCall['direction'], isFromExtension: boolean): string | null {
  if (direction === 'in') return leg.agent;
  const name = leg.callerName?.trim() ?? '';
  const isName = name !== '' && name !== leg.from && !/^[\d+*#]+$/.test(name);
  if (isName) return name;
  return isFromExtension ? leg.from : leg.agent;
}

const idCharacters = 200;

/** An exchange's id, or its hash when it is longer than an id can be. */
function boundedId(id: string): string {
  return id.length <= idCharacters ? id : createHash('sha256').update(id).digest('hex');
}
