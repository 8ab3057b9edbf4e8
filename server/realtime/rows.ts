import { ReadModel, type ReadRow } from '../conversations/model.js';
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

/** The conversations of one workspace whose rows are to be told. */
interface Queue {
  waiting: Map<string, State>;
  /** Those whose rows are being made. */
  telling: ReadonlyMap<string, State>;
  timer: NodeJS.Timeout | undefined;
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
 * conversation's row is made at most once at a time, and the last one told is the last state. No workspace waits for
 * another.
 */
export function rowTeller(agents: AgentNamespace): RowTeller {
  const queues = new Map<string, Queue>();

  async function tell(workspaceId: string, states: readonly State[]): Promise<void> {
    const ids = states.map(({ _id }) => _id);
    const [rows, marks] = await Promise.all([
      toRows({ workspaceId }, states, ''),
      ReadModel.find({ workspaceId, conversationId: { $in: ids }, readerType: 'agent' })
        .limit(readersAtMost * ids.length)
        .lean(),
    ]);
    const marksOf = new Map<string, ReadRow[]>(ids.map((id) => [id, []]));
    for (const mark of marks) marksOf.get(mark.conversationId)?.push(mark);
    for (const [at, row] of rows.entries()) {
      const state = states[at]!;
      const own = marksOf.get(row.id) ?? [];
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

  async function tellWaiting(workspaceId: string, queue: Queue): Promise<void> {
    const states = [...queue.waiting.values()];
    queue.telling = queue.waiting;
    queue.waiting = new Map();
    for (let at = 0; at < states.length; at += rowsAtOnce) {
      const together = states.slice(at, at + rowsAtOnce);
      // One that cannot be made takes no other with it.
      await tell(workspaceId, together).catch(async () => {
        for (const state of together) await tell(workspaceId, [state]).catch(notTold);
      });
    }
    queue.telling = new Map();
    queue.timer = undefined;
    if (queue.waiting.size > 0) soon(workspaceId, queue);
    else queues.delete(workspaceId);
  }

  function soon(workspaceId: string, queue: Queue): void {
    queue.timer ??= setTimeout(() => void tellWaiting(workspaceId, queue), gatherMs);
  }

  function put(state: State): void {
    const { workspaceId } = state;
    const queue = queues.get(workspaceId) ?? { waiting: new Map(), telling: new Map(), timer: undefined };
    queues.set(workspaceId, queue);
    queue.waiting.set(state._id, state);
    soon(workspaceId, queue);
  }

  return {
    changed(state) {
      // Nobody looks: no row needs to be made.
      if (agents.adapter.rooms.has(rooms.workspace(state.workspaceId))) put(state);
    },
    async readBy(state, agentId) {
      if (!agents.adapter.rooms.has(rooms.agent(state.workspaceId, agentId))) return;
      const [row] = await toRows(state, [state], agentId);
      if (row) agents.local.to(rooms.agent(state.workspaceId, agentId)).emit('conversation', row);
      // The row that is being made knows nothing of this mark, and is told after it: once more, then.
      const queue = queues.get(state.workspaceId);
      const told = queue?.telling.get(state._id);
      if (told && !queue?.waiting.has(state._id)) put(told);
    },
    close() {
      for (const { timer, waiting } of queues.values()) {
        clearTimeout(timer);
        waiting.clear();
      }
      queues.clear();
    },
  };
}

/** A hint, which may be missed: consoles ask for their lists anew when they connect. */
const notTold = (error: unknown): void => log.warn({ err: error }, 'a row was not told');
