import type { ConversationState } from './ports.js';
import { begin, project } from './projection.js';
import type { RemakeTransaction } from './remake.js';

/** Events read at once. */
const pieceSize = 1_000;

/**
 * Makes one conversation, and how far everybody has read it, again from its events, inside the caller's transaction.
 * @returns the new state; null when no event begins it, and then nothing is left of it
 */
export async function reprojectInside(
  transaction: RemakeTransaction,
  workspaceId: string,
  conversationId: string,
): Promise<ConversationState | null> {
  const state = await fold(transaction, workspaceId, conversationId);
  if (!state) {
    await transaction.dropConversation(workspaceId, conversationId);
    return null;
  }
  await transaction.putConversation(state);
  for (const mark of await transaction.findMarks(workspaceId, conversationId)) {
    const seq = Math.min(mark.seq, state.head);
    const counted = await transaction.countedUpTo(state, mark.readerType, seq);
    if (counted !== mark.counted || seq !== mark.seq) await transaction.moveMark({ ...mark, seq, counted });
  }
  return state;
}

async function fold(
  transaction: RemakeTransaction,
  workspaceId: string,
  conversationId: string,
): Promise<ConversationState | null> {
  let state: ConversationState | null = null;
  let after = 0;
  for (;;) {
    const events = await transaction.eventsAfter(workspaceId, conversationId, after, pieceSize);
    for (const event of events) {
      if (state) state = project(state, event);
      else if (event.kind === 'conversation_started' && event.erased !== 'undone') state = begin(event);
      after = event.seq ?? after;
    }
    if (events.length < pieceSize) return state;
  }
}
