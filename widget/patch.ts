/**
 * What changed from one plain value to another, for a tab that has the first. Values in them are replaced, never changed
 * in place, so what is the same object is the same: the history of a long conversation is not copied for each message.
 */
export type Patch =
  | { is: unknown }
  /** Of a list: from here, so many are replaced by these. */
  | { at: number; drop: number; add: readonly unknown[] }
  /** Of a record: what changed in it, and what went. */
  | { parts: Record<string, Patch>; gone: readonly string[] };

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => value instanceof Object && !Array.isArray(value);

/** @returns undefined when nothing changed */
export function patchOf(before: unknown, after: unknown): Patch | undefined {
  if (before === after) return undefined;
  if (Array.isArray(before) && Array.isArray(after)) {
    const shorter = Math.min(before.length, after.length);
    let at = 0;
    while (at < shorter && before[at] === after[at]) at += 1;
    let same = 0;
    while (same < shorter - at && before.at(-1 - same) === after.at(-1 - same)) same += 1;
    const drop = before.length - at - same;
    const add = after.slice(at, after.length - same);
    return drop || add.length ? { at, drop, add } : undefined;
  }
  if (!isPlain(before) || !isPlain(after)) return { is: after };
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const parts: Record<string, Patch> = {};
  for (const [key, value] of Object.entries(after)) {
    // What is new and undefined is there, too.
    const part = Object.hasOwn(before, key) ? patchOf(before[key], value) : { is: value };
    if (part) parts[key] = part;
  }
  return gone.length || Object.keys(parts).length ? { parts, gone } : undefined;
}

/** The value after the change. What did not change is the same object as before. */
export function patched(before: unknown, patch: Patch): unknown {
  if ('is' in patch) return patch.is;
  if ('at' in patch) return Array.isArray(before) ? before.toSpliced(patch.at, patch.drop, ...patch.add) : [];
  const made: Plain = isPlain(before) ? { ...before } : {};
  for (const key of patch.gone) delete made[key];
  for (const [key, part] of Object.entries(patch.parts)) made[key] = patched(made[key], part);
  return made;
}
