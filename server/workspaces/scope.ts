import type { Actor } from '../../shared/events/parts.js';

/** Whose data an operation may touch, and who does it. Every operation takes one first; every query names its workspace. */
export interface Scope {
  workspaceId: string;
  actor: Actor;
}

/** The scope of what nobody of the company does by hand: a channel, an import, a job. */
export const systemScope = (workspaceId: string): Scope => ({ workspaceId, actor: { type: 'system' } });
