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
}

const readersAtMost = 1_000;

/**
 * While a row is being made, later changes of its conversation wait and become one: however fast messages come, each
 * conversation's row is made at most once at a time, and the last one told is the last state.
 */
export function rowTeller(agents: AgentNamespace): RowTeller {
  const waiting = new Map<string, State | null>();

  async function tell(state: State): Promise<void> {
    const { workspaceId, _id: conversationId } = state;
    const [row] = await toRows({ workspaceId }, [state], '');
    if (!row) return;
    const reads = await ReadModel.find({ workspaceId, conversationId, readerType: 'agent' })
      .limit(readersAtMost)
      .lean();
    const readers = reads.map(({ readerId }) => rooms.agent(workspaceId, readerId));
    agents.local.to(rooms.workspace(workspaceId)).except(readers).emit('conversation', row);
    for (const { readerId, seq, counted } of reads) {
      const unread = Math.max(0, state.incoming - counted);
      agents.local
        .to(rooms.agent(workspaceId, readerId))
        .emit('conversation', { ...row, unread, readSeq: seq });
    }
  }

  async function run(key: string): Promise<void> {
    for (;;) {
      const state = waiting.get(key);
      if (!state) break;
      waiting.set(key, null);
      try {
        await tell(state);
      } catch (error) {
        // A hint, which may be missed: consoles ask for their lists anew when they connect.
        log.warn({ err: error }, 'a row was not told');
      }
    }
    waiting.delete(key);
  }

  return {
    changed(state) {
      // Nobody looks: no row needs to be made.
      if (!agents.adapter.rooms.has(rooms.workspace(state.workspaceId))) return;
      const isRunning = waiting.has(state._id);
      waiting.set(state._id, state);
      if (!isRunning) run(state._id).catch((error: unknown) => log.error({ err: error }, 'rows stopped'));
    },
    async readBy(state, agentId) {
      if (!agents.adapter.rooms.has(rooms.agent(state.workspaceId, agentId))) return;
      const [row] = await toRows(state, [state], agentId);
      if (row) agents.local.to(rooms.agent(state.workspaceId, agentId)).emit('conversation', row);
    },
  };
}
