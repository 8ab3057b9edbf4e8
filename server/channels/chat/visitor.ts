import { AppError } from '../../../shared/errors.js';
import { reachOf, type VisitorReach } from '../../contacts/visitors.js';
import { ConversationModel, type ConversationRowDocument } from '../../conversations/model.js';
import { findPublicInbox } from '../../inboxes/inboxes.js';
import type { InboxRow } from '../../inboxes/model.js';
import type { Scope } from '../../workspaces/scope.js';
import { isOriginAllowed } from './origins.js';
import { readVisitorToken, type VisitorToken } from './visitor-token.js';

/** A browser whose secret was checked, and all that it may reach. */
export interface Visitor extends VisitorToken, VisitorReach {}

export const scopeOfVisitor = ({ workspaceId, contactId }: Visitor): Scope => ({
  workspaceId,
  actor: { type: 'contact', id: contactId },
});

/** Loads what a browser may reach. @throws AppError `unauthorized` when it was signed out */
export async function loadVisitor(named: VisitorToken): Promise<Visitor> {
  const reach = await reachOf(named, named.visitorId);
  if (reach === null) throw new AppError('unauthorized');
  const { workspaceId, inboxId, visitorId } = named;
  const { ownContactId, contactId, headId, contactIds, blocked } = reach;
  // Spelled out: of two spread objects the engine makes a shape for each socket, as large as the object itself.
  return { workspaceId, inboxId, visitorId, ownContactId, contactId, headId, contactIds, blocked };
}

/**
 * The visitor of a stateless request: token, origin, inbox, all checked anew.
 * @throws AppError `unauthorized`, `token_expired`, `origin_not_allowed`, `inbox_not_found`
 */
export async function visitorOfToken(
  deps: { secretKey: string },
  token: string,
  origin: string | undefined,
): Promise<Visitor> {
  const named = readVisitorToken(deps.secretKey, token);
  await chatInbox(named.inboxId, origin);
  return loadVisitor(named);
}

/** The chat inbox of this id, for a page of this origin. @throws AppError `inbox_not_found`, `origin_not_allowed` */
export async function chatInbox(inboxId: string, origin: string | undefined): Promise<InboxRow> {
  const inbox = await findPublicInbox(inboxId);
  if (inbox.channel !== 'chat') throw new AppError('inbox_not_found');
  // Browsers always send it where it matters; what sends none is no page, and has no visitor's secret to misuse.
  if (origin !== undefined && !isOriginAllowed(inbox.allowedOrigins, origin)) {
    throw new AppError('origin_not_allowed', { origin: origin.slice(0, 200) });
  }
  return inbox;
}

/**
 * A conversation that this visitor may see. For any other, existing or not, the answer is the same and takes the same
 * one look.
 * @throws AppError `not_found`
 */
export async function ownConversation(
  visitor: Visitor,
  conversationId: string,
): Promise<ConversationRowDocument> {
  const conversation = await ConversationModel.findOne({
    _id: conversationId,
    workspaceId: visitor.workspaceId,
    inboxId: visitor.inboxId,
    channel: 'chat',
    contactId: { $in: [...visitor.contactIds] },
  }).lean();
  if (!conversation) throw new AppError('not_found');
  return conversation;
}
