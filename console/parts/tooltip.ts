import { type CommandId, drawnKeys } from '../keys/registry.js';
import type { Console } from '../state/console.js';

/** A tooltip with the key in it: `Close (e)`. */
export function withKey(app: Console, text: string, id: CommandId): string {
  const keys = drawnKeys(id, app.keys.isMac);
  return keys.length === 0 ? text : `${text} (${keys.join(' ')})`;
}
