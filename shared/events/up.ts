import { type EventKind, eventKinds } from './kinds.js';

/**
 * The steps that lift a body of an older version by one: `up[kind][1]` makes version 2 of version 1. Applied when
 * read, never written back. A kind whose `v` grows adds its step here, and keeps its older schema beside its own.
 */
type Step = (body: unknown) => unknown;
const steps: Partial<Record<EventKind, Record<number, Step>>> = {};

/**
 * Today's form of a stored body.
 * @throws Error when a step is missing, or the body was written by a release newer than this one.
 */
export function liftBody(
  kind: EventKind,
  version: number,
  body: unknown,
  table: Partial<Record<EventKind, Record<number, Step>>> = steps,
  current: number = eventKinds[kind].v,
): unknown {
  if (version > current)
    throw new Error(`${kind} v${version} is newer than this release reads (v${current}).`);
  let lifted = body;
  for (let at = version; at < current; at += 1) {
    const step = table[kind]?.[at];
    if (!step) throw new Error(`No step lifts ${kind} from v${at} to v${at + 1}.`);
    lifted = step(lifted);
  }
  return lifted;
}
