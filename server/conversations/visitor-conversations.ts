import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import type { VisitorConversation } from '../../shared/protocol.js';
import { visibleContacts } from '../contacts/visitors.js';
import { gather } from '../store/gather.js';
import type { Scope } from '../workspaces/scope.js';
import { ConversationModel, type ConversationRowDocument, ReadModel, type ReadRow } from './model.js';

/** The chat conversations of a browser that may see these contacts', the latest first. */
export const visitorConversations = (
  scope: Pick<Scope, 'workspaceId'>,
  contactIds: readonly string[],
  inboxId?: string,
): Promise<VisitorConversation[]> => conversationsSeen(scope.workspaceId, { contactIds, inboxId });

interface Sight {
  contactIds: readonly string[];
  inboxId: string | undefined;
}

/** Browsers that come together are looked up together. */
const conversationsSeen = gather(conversationsSeenBy);

async function conversationsSeenBy(
  workspaceId: string,
  each: readonly Sight[],
): Promise<VisitorConversation[][]> {
  const seen = await conversationRowsSeenBy(workspaceId, each);
  const ids = [...new Set(seen.flatMap((rows) => rows.map(({ _id }) => _id)))];
  if (ids.length === 0) return each.map(() => []);
  const marks = new Map<string, ReadRow[]>(ids.map((id) => [id, []]));
  for (const mark of await ReadModel.find({ workspaceId, conversationId: { $in: ids } }).lean()) {
    marks.get(mark.conversationId)?.push(mark);
  }
  return seen.map((rows) => rows.map((row) => asVisitorSees(row, marks.get(row._id) ?? [])));
}

async function conversationRowsSeenBy(
  workspaceId: string,
  each: readonly Sight[],
): Promise<ConversationRowDocument[][]> {
  const [one] = each;
  if (one && each.length === 1) {
    const { contactIds, inboxId } = one;
    const rows = await ConversationModel.find({
      workspaceId,
      contactId: { $in: [...contactIds] },
      channel: 'chat',
      ...(inboxId !== undefined && { inboxId }),
    })
      .sort({ lastAt: -1, _id: -1 })
      .limit(limits.conversationsOpenPerContact)
      .lean();
    return [rows];
  }
  const atMost = each.length * 4 + limits.conversationsOpenPerContact;
  const contactIds = [...new Set(each.flatMap((sight) => sight.contactIds))];
  const found = await ConversationModel.find({ workspaceId, contactId: { $in: contactIds }, channel: 'chat' })
    .limit(atMost)
    .lean();
  // Somebody has very many: whose were not read is not known.
  if (found.length === atMost) {
    const alone = await Promise.all(each.map((sight) => conversationRowsSeenBy(workspaceId, [sight])));
    return alone.flat();
  }
  const byContact = new Map<string, ConversationRowDocument[]>(contactIds.map((id) => [id, []]));
  for (const row of found) byContact.get(row.contactId)?.push(row);
  return each.map((sight) =>
    sight.contactIds
      .flatMap((contactId) => byContact.get(contactId) ?? [])
      .filter(({ inboxId }) => sight.inboxId === undefined || inboxId === sight.inboxId)
      .sort((a, b) => b.lastAt.getTime() - a.lastAt.getTime() || (a._id < b._id ? 1 : -1))
      .slice(0, limits.conversationsOpenPerContact),
  );
}

function asVisitorSees(row: ConversationRowDocument, marks: readonly ReadRow[]): VisitorConversation {
  const contact = marks.find((mark) => mark.readerType === 'contact');
  const agents = marks.filter((mark) => mark.readerType === 'agent').map((mark) => mark.seq);
  return {
    id: row._id,
    status: row.status === 'open' ? 'open' : 'closed',
    subject: row.subject,
    head: row.visitorHead,
    readSeq: contact?.seq ?? 0,
    agentReadSeq: Math.max(0, ...agents),
    unread: Math.max(0, row.outgoing - (contact?.counted ?? 0)),
    lastAt: row.lastAt.toISOString(),
  };
}

/**
 * The conversation, if this contact's own browser may see it. For one of somebody else's and for one that never was the
 * answer is the same.
 * @throws AppError `conversation_not_found`
 */
export async function visitorConversation(
  scope: Pick<Scope, 'workspaceId'>,
  contactId: string,
  conversationId: string,
): Promise<ConversationRowDocument> {
  const [row, visible] = await Promise.all([
    ConversationModel.findOne({
      _id: conversationId,
      workspaceId: scope.workspaceId,
      channel: 'chat',
    }).lean(),
    visibleContacts(scope, contactId),
  ]);
  if (!row || !visible.includes(row.contactId)) throw new AppError('conversation_not_found');
  return row;
}
