import type { ConversationRow } from '../../shared/protocol.js';
import { facesOf } from '../contacts/fields.js';
import type { Scope } from '../workspaces/scope.js';
import { type ConversationRowDocument, ReadModel, type ReadRow } from './model.js';

/** Conversations as rows of the list, as this agent sees them. A few reads, however many rows. */
export async function toRows(
  scope: Pick<Scope, 'workspaceId'>,
  conversations: readonly ConversationRowDocument[],
  agentId: string,
): Promise<ConversationRow[]> {
  const [faces, reads] = await Promise.all([
    facesOf(
      scope,
      conversations.map((one) => one.contactId),
    ),
    readsOf(scope, conversations, agentId),
  ]);
  return conversations.map((one) => {
    const face = faces.get(one.contactId);
    const read = reads.get(one._id);
    return {
      id: one._id,
      number: one.number,
      inboxId: one.inboxId,
      channel: one.channel,
      contact: {
        id: face?.id ?? one.contactId,
        name: face?.fields.name ?? null,
        proved: face?.proved ?? false,
      },
      subject: one.subject,
      snippet: one.snippet,
      status: one.status,
      assigneeId: one.assigneeId,
      waitingSince: one.waitingSince?.toISOString() ?? null,
      lastAt: one.lastAt.toISOString(),
      head: one.head,
      unread: Math.max(0, one.incoming - (read?.counted ?? 0)),
      readSeq: read?.seq ?? 0,
      ...(one.outcome && { outcome: one.outcome }),
    };
  });
}

async function readsOf(
  scope: Pick<Scope, 'workspaceId'>,
  conversations: readonly ConversationRowDocument[],
  agentId: string,
): Promise<Map<string, ReadRow>> {
  const ids = conversations.map((one) => readId(one._id, { type: 'agent', id: agentId }));
  if (ids.length === 0) return new Map();
  const rows = await ReadModel.find({ workspaceId: scope.workspaceId, _id: { $in: ids } })
    .lean()
    .limit(ids.length);
  return new Map(rows.map((row) => [row.conversationId, row]));
}

/** Who read: an agent for itself, the customer in whichever browser. */
export interface Reader {
  type: 'agent' | 'contact';
  id: string;
}

export const readId = (conversationId: string, reader: Reader): string =>
  // A customer reads as one, from whichever of a merged group's browsers.
  reader.type === 'contact' ? `${conversationId}:contact` : `${conversationId}:agent:${reader.id}`;
