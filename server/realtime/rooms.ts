/** Rooms are named here and joined by the server alone; no name ever comes from a client. */
export const rooms = {
  /** Every agent's socket of a workspace. */
  workspace: (workspaceId: string) => `workspace:${workspaceId}`,
  agent: (workspaceId: string, agentId: string) => `agent:${workspaceId}:${agentId}`,
  session: (sessionId: string) => `session:${sessionId}`,
  /** The browsers that may see this contact's conversations in this inbox. */
  contact: (workspaceId: string, inboxId: string, contactId: string) =>
    `contact:${workspaceId}:${inboxId}:${contactId}`,
  /** The browsers of a merged group's members, whatever they may see. */
  head: (workspaceId: string, headId: string) => `head:${workspaceId}:${headId}`,
  /** The tabs of one browser. */
  visitor: (visitorId: string) => `visitor:${visitorId}`,
  /** All visitors of a workspace. */
  visitors: (workspaceId: string) => `visitors:${workspaceId}`,
} as const;
