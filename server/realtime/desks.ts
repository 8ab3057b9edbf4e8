import type { Peers } from './peers.js';
import type { AgentSocket } from './sockets.js';

/** One agent's console window, as every process knows it. */
export interface Desk {
  workspaceId: string;
  agentId: string;
  name: string;
  /** The conversation on screen. */
  viewing: string | null;
  typing: boolean;
}

/** The agents' windows of all processes: who is there, and who looks at what. In memory, never written down. */
export interface Desks {
  /** The windows of a workspace, here and elsewhere. */
  of(workspaceId: string): Desk[];
  isOpen(workspaceId: string): boolean;
  /** A window of this process came, or shows something else now. */
  set(socket: AgentSocket): void;
  remove(socket: AgentSocket): void;
  close(): void;
}

/** What became of a workspace's windows. */
export interface DeskChange {
  workspaceId: string;
  /** Conversations that are looked at by others than before, or typed in. */
  conversations: string[];
  /** A window that opened or closed; null when one only shows something else. */
  window: 'opened' | 'closed' | null;
}

const sayEveryMs = 5_000;
const here = '';

/** `changed` is told of each change, wherever it came about. */
export function createDesks(peers: Peers, changed: (change: DeskChange) => void): Desks {
  /** By workspace; the key names the process and the socket. */
  const workspaces = new Map<string, Map<string, Desk>>();
  /** By process, then by socket. */
  const processes = new Map<string, Map<string, Desk>>();

  function put(from: string, socketId: string, desk: Desk | null): void {
    const own = processes.get(from) ?? new Map<string, Desk>();
    const before = own.get(socketId) ?? null;
    const workspaceId = (desk ?? before)?.workspaceId;
    if (workspaceId === undefined || isSame(before, desk)) return;
    const all = workspaces.get(workspaceId) ?? new Map<string, Desk>();
    const key = `${from} ${socketId}`;
    if (desk) {
      own.set(socketId, desk);
      all.set(key, desk);
    } else {
      own.delete(socketId);
      all.delete(key);
    }
    keep(processes, from, own);
    keep(workspaces, workspaceId, all);
    const shown = [before?.viewing, desk?.viewing].filter((id) => typeof id === 'string');
    const window = before && desk ? null : desk ? 'opened' : 'closed';
    changed({ workspaceId, conversations: [...new Set(shown)], window });
  }

  function replace(from: string, desks: readonly { socketId: string; desk: Desk }[]): void {
    const now = new Set(desks.map(({ socketId }) => socketId));
    for (const socketId of [...(processes.get(from)?.keys() ?? [])]) {
      if (!now.has(socketId)) put(from, socketId, null);
    }
    for (const { socketId, desk } of desks) put(from, socketId, desk);
  }

  function sayAll(): void {
    const own = [...(processes.get(here) ?? [])];
    peers.tell({ say: 'desks', desks: own.map(([socketId, desk]) => ({ socketId, desk })) });
  }

  function putHere(socketId: string, desk: Desk | null): void {
    put(here, socketId, desk);
    peers.tell({ say: 'desk', socketId, desk });
  }

  peers.onWord((from, word) => {
    if (word.say === 'desk') put(from, word.socketId, word.desk);
    else if (word.say === 'desks') replace(from, word.desks);
    else if (word.say === 'hello') sayAll();
  });
  peers.onGone((from) => replace(from, []));
  // Also the sign of life of a process that has nothing else to say.
  const saying = setInterval(sayAll, sayEveryMs);
  saying.unref();

  return {
    of: (workspaceId) => [...(workspaces.get(workspaceId)?.values() ?? [])],
    isOpen: (workspaceId) => workspaces.has(workspaceId),
    set({ id, data: { workspaceId, agentId, name, viewing, typing } }) {
      putHere(id, { workspaceId, agentId, name, viewing, typing });
    },
    remove: ({ id }) => putHere(id, null),
    close: () => clearInterval(saying),
  };
}

const isSame = (a: Desk | null, b: Desk | null): boolean =>
  a?.viewing === b?.viewing && a?.typing === b?.typing && a?.agentId === b?.agentId && a?.name === b?.name;

function keep<T>(map: Map<string, Map<string, T>>, key: string, value: Map<string, T>): void {
  if (value.size === 0) map.delete(key);
  else map.set(key, value);
}
