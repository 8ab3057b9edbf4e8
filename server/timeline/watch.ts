import type { DraftEvent } from './draft.js';
import type { StoredEvent } from './model.js';

/**
 * Whoever measures the door. It brings its own clock, since the door has none; `began` is what that clock said. Nothing
 * here may throw or wait.
 */
export interface DoorWatch {
  clock(): number;
  appended(event: StoredEvent, isFirst: boolean, began: number): void;
  refused(draft: DraftEvent, error: unknown, began: number): void;
  /** A batch was committed, or failed. */
  committed(began: number): void;
}

const nobody: DoorWatch = { clock: () => 0, appended: () => {}, refused: () => {}, committed: () => {} };
let current = nobody;

/** Who looks on now. */
export const watch = (): DoorWatch => current;

/** Lets somebody look on, one at a time. Returns what ends it. */
export function watchDoor(given: DoorWatch): () => void {
  current = given;
  return () => {
    if (current === given) current = nobody;
  };
}
