import type { Leg } from './leg.js';

/** How many calls wait for further legs: those of one call end within moments of each other. */
const callsWaiting = 5_000;

/** All legs of one call, the first to begin leading. */
export interface Call {
  id: string;
  legs: [Leg, ...Leg[]];
}

/**
 * Gathers legs into calls, in the order in which calls first appear. Bounded: a leg that comes more than 5,000 calls
 * late stands alone, and is then found to be a duplicate of its call.
 */
export function callGatherer(): { add(leg: Leg): Call | null; rest(): Generator<Call> } {
  const waiting = new Map<string, Call>();
  /** Ids of other legs -> the call they belong to. */
  const known = new Map<string, string>();

  const forget = (call: Call): Call => {
    waiting.delete(call.id);
    for (const leg of call.legs) for (const id of leg.otherIds) known.delete(id);
    return call;
  };

  return {
    add(leg) {
      const own = leg.callId ?? leg.fallbackId;
      const id = known.get(own) ?? leg.otherIds.map((other) => known.get(other)).find(Boolean) ?? own;
      const call = waiting.get(id);
      if (call) call.legs.push(leg);
      else waiting.set(id, { id, legs: [leg] });
      for (const other of leg.otherIds) known.set(other, id);
      if (waiting.size <= callsWaiting) return null;
      const [oldest] = waiting.values();
      return oldest ? forget(oldest) : null;
    },
    *rest() {
      for (const call of [...waiting.values()]) yield forget(call);
    },
  };
}

/** One call out of its legs: it began with the first, ended with the last, and was answered if any of them was. */
export function joinLegs(call: Call): Leg {
  const [first, ...others] = [...call.legs].sort((a, b) => a.start.getTime() - b.start.getTime() || 0) as [
    Leg,
    ...Leg[],
  ];
  if (others.length === 0) return { ...first, callId: call.id };
  const legs = [first, ...others];
  const answered = legs.filter(({ answer }) => answer !== null);
  const lead = answered[0] ?? first;
  const answer = earliest(answered.flatMap((leg) => (leg.answer ? [leg.answer] : [])));
  return {
    ...first,
    callId: call.id,
    callerName: first.callerName ?? others.find(({ callerName }) => callerName !== null)?.callerName ?? null,
    outcome: lead.outcome,
    answer,
    end: new Date(Math.max(...legs.map(({ end }) => end.getTime()))),
    talkSeconds: talked(answered),
    agent: lead.agent ?? first.agent,
    recording: legs.find(({ recording }) => recording !== null)?.recording ?? null,
  };
}

const earliest = (times: Date[]): Date | null =>
  times.length === 0 ? null : new Date(Math.min(...times.map((time) => time.getTime())));

/** Seconds in which somebody talked: legs that overlap (a transfer, both ends of a bridge) count once. */
function talked(answered: readonly Leg[]): number {
  const spans = answered
    .map(({ answer, talkSeconds }) => {
      const from = answer?.getTime() ?? 0;
      return { from, to: from + talkSeconds * 1_000 };
    })
    .sort((a, b) => a.from - b.from);
  let total = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { from, to } of spans) {
    total += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return Math.round(total / 1_000);
}
