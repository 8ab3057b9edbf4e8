import { ReadModel } from '../conversations/model.js';
import { toRows } from '../conversations/rows.js';
import { log } from '../log.js';
import type { Published } from '../timeline/publish.js';
import { rooms } from './rooms.js';
import type { AgentNamespace } from './sockets.js';

type State = NonNullable<Published['conversation']>;

/** Tells this process's agents how a conversation's row stands now. */
export interface RowTeller {
  changed(state: State): void;
  /** One agent read it: only its own row is another. */
  readBy(state: State, agentId: string): Promise<void>;
  close(): void;
}

const readersAtMost = 1_000;
const rowsAtOnce = 100;
/**
 * Events go out first: told to a thousand consoles at once, a row would stand in the way of the event that changed it.
 * Nobody sees a list move this much later, and what changes together meanwhile is read and told once.
 */
const gatherMs = 50;

/**
 * While rows are being made, later changes wait and become one of each conversation: however fast messages come, each
 * conversation's row is made at most once at a time, and the last one told is the last state.
 */
export function rowTeller(agents: AgentNamespace): RowTeller {
  let waiting = new Map<string, State>();
  let timer: NodeJS.Timeout | undefined;
  let isTelling = false;

  async function tell(workspaceId: string, states: readonly State[]): Promise<void> {
    const ids = states.map(({ _id }) => _id);
    const [rows, reads] = await Promise.all([
      toRows({ workspaceId }, states, ''),
      ReadModel.find({ workspaceId, conversationId: { $in: ids }, readerType: 'agent' })
        .limit(readersAtMost * ids.length)
        .lean(),
    ]);
    for (const [at, row] of rows.entries()) {
      const state = states[at]!;
      const own = reads.filter(({ conversationId }) => conversationId === row.id);
      const readers = own.map(({ readerId }) => rooms.agent(workspaceId, readerId));
      agents.local.to(rooms.workspace(workspaceId)).except(readers).emit('conversation', row);
      for (const { readerId, seq, counted } of own) {
        const room = rooms.agent(workspaceId, readerId);
        if (!agents.adapter.rooms.has(room)) continue;
        const unread = Math.max(0, state.incoming - counted);
        agents.local.to(room).emit('conversation', { ...row, unread, readSeq: seq });
      }
    }
  }

  async function tellWaiting(): Promise<void> {
    const workspaces = new Map<string, State[]>();
    for (const state of waiting.values()) {
      workspaces.set(state.workspaceId, [...(workspaces.get(state.workspaceId) ?? []), state]);
    }
    waiting = new Map();
    for (const [workspaceId, states] of workspaces) {
      for (let at = 0; at < states.length; at += rowsAtOnce) {
        await tell(workspaceId, states.slice(at, at + rowsAtOnce)).catch((error: unknown) =>
          // A hint, which may be missed: consoles ask for their lists anew when they connect.
          log.warn({ err: error }, 'rows were not told'),
        );
      }
    }
  }

  function soon(): void {
    if (timer || isTelling) return;
    timer = setTimeout(() => {
      timer = undefined;
      isTelling = true;
      void tellWaiting().finally(() => {
        isTelling = false;
        if (waiting.size > 0) soon();
      });
    }, gatherMs);
  }

  return {
    changed(state) {
      // Nobody looks: no row needs to be made.
      if (!agents.adapter.rooms.has(rooms.workspace(state.workspaceId))) return;
      waiting.set(state._id, state);
      soon();
    },
    async readBy(state, agentId) {
      if (!agents.adapter.rooms.has(rooms.agent(state.workspaceId, agentId))) return;
      const [row] = await toRows(state, [state], agentId);
      if (row) agents.local.to(rooms.agent(state.workspaceId, agentId)).emit('conversation', row);
    },
    close() {
      clearTimeout(timer);
      waiting.clear();
    },
  };
}
