import type { Namespace, Socket } from 'socket.io';
import type { AgentNotices, VisitorNotices } from '../../shared/protocol.js';
import type { Visitor } from '../channels/chat/visitor.js';
import type { PeerEvents } from './peers.js';

/** Every notice as Socket.IO's types want it: one argument, no acknowledgement. */
type Events<Notices> = { [Name in keyof Notices]: (notice: Notices[Name]) => void };
type None = Record<string, never>;

/** What the server knows of a visitor's socket. */
interface VisitorData {
  visitor: Visitor;
  /** The contact that agents see it under: who a browser is may change while it is open. Empty until it is shown. */
  shownAs: string;
  page: { url: string; title: string };
  locale: string;
  timeZone: string;
  browser: string;
  system: string;
}

/** What the server knows of an agent's socket. */
export interface AgentData {
  agentId: string;
  sessionId: string;
  workspaceId: string;
  name: string;
  /** The conversation on screen. */
  viewing: string | null;
  typing: boolean;
}

export type VisitorNamespace = Namespace<None, Events<VisitorNotices>, None, VisitorData>;
export type VisitorSocket = Socket<None, Events<VisitorNotices>, None, VisitorData>;
export type AgentNamespace = Namespace<None, Events<AgentNotices>, PeerEvents, AgentData>;
export type AgentSocket = Socket<None, Events<AgentNotices>, PeerEvents, AgentData>;
