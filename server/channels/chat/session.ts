import { AppError } from '../../../shared/errors.js';
import {
  type Availability,
  protocolNumber,
  type VisitorHandshake,
  type VisitorInbox,
  type VisitorSession,
} from '../../../shared/protocol.js';
import { makeClaim } from '../../contacts/claims.js';
import { createVisitorOf, isProved, nameContact } from '../../contacts/known-visitor.js';
import { proveIdentity } from '../../contacts/prove.js';
import { resolveIdentity } from '../../contacts/resolve.js';
import { createVisitor } from '../../contacts/visitors.js';
import { visitorConversations } from '../../conversations/visitor-conversations.js';
import type { InboxRow } from '../../inboxes/model.js';
import { systemScope } from '../../workspaces/scope.js';
import { readIdentityToken, type StatedIdentity } from './identity-token.js';
import type { VisitorRates } from './rates.js';
import { chatInbox, loadVisitor, type Visitor } from './visitor.js';
import { readVisitorToken, signVisitorToken, type VisitorToken } from './visitor-token.js';

export interface SessionDeps {
  secretKey: string;
  rates: VisitorRates;
  /** Who is there to answer. */
  availability: (workspaceId: string) => Promise<Availability>;
}

export interface Caller {
  origin: string | undefined;
  /** The network that a new visitor counts against. */
  network: string;
}

/** A server speaks its own protocol number and the one before it. */
export function checkProtocol(protocol: number): void {
  if (protocol < protocolNumber - 1) throw new AppError('protocol_too_old', { protocol: protocolNumber });
  if (protocol > protocolNumber)
    throw new AppError('bad_request', { field: 'protocol', newest: protocolNumber });
}

/** A visitor whose handshake was accepted. */
export interface Admitted {
  visitor: Visitor;
  inbox: InboxRow;
}

/**
 * Admits a browser: one that comes back with its secret, or a new visitor; with an identity token, the customer whom
 * the site's own back end names.
 * @throws AppError `protocol_too_old`, `inbox_not_found`, `origin_not_allowed`, `unauthorized` (a secret that is not
 * ours or was signed out), `token_expired`, `identity_token_invalid`, `rate_limited`
 */
export async function admitVisitor(
  deps: SessionDeps,
  handshake: VisitorHandshake,
  caller: Caller,
): Promise<Admitted> {
  checkProtocol(handshake.protocol);
  const inbox = await chatInbox(handshake.inboxId, caller.origin);
  const stated =
    handshake.identityToken === undefined ? null : readIdentityToken(inbox, handshake.identityToken);
  const known = handshake.token === undefined ? null : await resume(deps, inbox, handshake.token);
  // Counted apart: a browser that comes back is never refused for the address it shares with an office.
  if (known) await deps.rates.request(known.visitorId);
  else await deps.rates.newVisitor(inbox._id, caller.network);
  if (!stated && known) return { visitor: known, inbox };
  const named = stated ? await identify(inbox, known, stated) : await begin(inbox);
  return { visitor: await loadVisitor(named), inbox };
}

async function resume(deps: SessionDeps, inbox: InboxRow, token: string): Promise<Visitor> {
  const named = readVisitorToken(deps.secretKey, token);
  if (named.inboxId !== inbox._id || named.workspaceId !== inbox.workspaceId) {
    throw new AppError('unauthorized');
  }
  return loadVisitor({ ...named, workspaceId: inbox.workspaceId, inboxId: inbox._id });
}

async function begin({ workspaceId, _id: inboxId }: InboxRow, contactId?: string): Promise<VisitorToken> {
  const scope = { workspaceId };
  const { visitorId } =
    contactId === undefined ? await createVisitor(scope) : await createVisitorOf(scope, contactId);
  return { workspaceId, inboxId, visitorId };
}

/** Makes the browser the stated customer's. One that was somebody else's begins anew and takes nothing along. */
async function identify(
  inbox: InboxRow,
  known: Visitor | null,
  stated: StatedIdentity,
): Promise<VisitorToken> {
  const scope = systemScope(inbox.workspaceId);
  const existing = await resolveIdentity(scope, { type: 'external', value: stated.externalId });
  let named: VisitorToken = known ?? (await begin(inbox, existing ?? undefined));
  let visitor = await loadVisitor(named);
  if (existing === null || !visitor.contactIds.includes(existing)) {
    const owner = await proveIdentity(scope, visitor.contactId, {
      type: 'external',
      value: stated.externalId,
      proof: 'jwt',
      name: stated.name,
    });
    visitor = await loadVisitor(named);
    if (!visitor.contactIds.includes(owner)) {
      named = await begin(inbox, owner);
      visitor = await loadVisitor(named);
    }
  }
  if (stated.name !== undefined) await nameContact(scope, visitor.contactId, stated.name);
  for (const type of ['email', 'phone'] as const) {
    const said = stated[type];
    if (said) visitor = await state(inbox, visitor, type, said);
  }
  return named;
}

async function state(
  inbox: InboxRow,
  visitor: Visitor,
  type: 'email' | 'phone',
  said: { value: string; proved: boolean },
): Promise<Visitor> {
  const scope = systemScope(inbox.workspaceId);
  if (!said.proved) {
    await makeClaim(scope, visitor.contactId, {
      type,
      value: said.value,
      source: 'form',
      inboxId: inbox._id,
    });
    return visitor;
  }
  const owner = await resolveIdentity(scope, { type, value: said.value });
  if (owner !== null && visitor.contactIds.includes(owner)) return visitor;
  await proveIdentity(scope, visitor.contactId, { type, value: said.value, proof: 'jwt' });
  return loadVisitor(visitor);
}

/**
 * What a browser is told of its session. Made after it was joined to its rooms: what is published from then on reaches
 * it live, what was published before stands in here.
 */
export async function describeSession(
  deps: Pick<SessionDeps, 'secretKey' | 'availability'>,
  { visitor, inbox }: Admitted,
): Promise<VisitorSession> {
  const [conversations, identified] = await Promise.all([
    visitorConversations(visitor, visitor.contactIds, inbox._id),
    isProved(visitor, visitor.contactIds),
  ]);
  // Last: a client has nowhere to keep a word of it that comes before its session.
  const availability = await deps.availability(visitor.workspaceId);
  return {
    protocol: protocolNumber,
    token: signVisitorToken(deps.secretKey, visitor),
    // The one that stays: to the browser it is the same person, and what waits in its outbox stays theirs.
    contactId: visitor.ownContactId,
    identified,
    inbox: describeInbox(inbox, availability),
    conversations,
  };
}

const describeInbox = (inbox: InboxRow, availability: Availability): VisitorInbox => ({
  id: inbox._id,
  name: inbox.name,
  greeting: inbox.greeting,
  accent: inbox.accent,
  quickReplies: inbox.quickReplies,
  asksForEmail: inbox.asksForEmail,
  availability,
});
