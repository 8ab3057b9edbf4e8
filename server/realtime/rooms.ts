/** Joined into one string: what `+` makes is a tree of its parts, kept for as long as somebody is in the room. */
const named = (...parts: string[]): string => parts.join(':');

/** Rooms are named here and joined by the server alone; no name ever comes from a client. */
export const rooms = {
  /** Every agent's socket of a workspace. */
  workspace: (workspaceId: string) => named('workspace', workspaceId),
  agent: (workspaceId: string, agentId: string) => named('agent', workspaceId, agentId),
  session: (sessionId: string) => named('session', sessionId),
  /** The browsers that may see this contact's conversations in this inbox. */
  contact: (workspaceId: string, inboxId: string, contactId: string) =>
    named('contact', workspaceId, inboxId, contactId),
  /** The browsers of a merged group's members, whatever they may see. */
  head: (workspaceId: string, headId: string) => named('head', workspaceId, headId),
  /** All visitors of a workspace. */
  visitors: (workspaceId: string) => named('visitors', workspaceId),
} as const;
