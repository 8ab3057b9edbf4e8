import type * as v from 'valibot';
import { AppError } from '../../../shared/errors.js';
import { guardShape } from '../../../shared/guard.js';
import { parse } from '../../../shared/parse.js';
import { type VisitorResults, visitorRequests } from '../../../shared/protocol.js';
import { makeClaim } from '../../contacts/claims.js';
import { forgetVisitor } from '../../contacts/visitors.js';
import { markRead } from '../../conversations/read-marks.js';
import { publishNotice } from '../../timeline/publish.js';
import { readConversation } from '../../timeline/read.js';
import type { VisitorRates } from './rates.js';
import { type KnownConversations, sendMessage } from './send.js';
import { ownConversation, scopeOfVisitor, type Visitor } from './visitor.js';

/** Who asks: a socket for as long as it is open, or one HTTP request. */
export interface VisitorCaller {
  visitor: Visitor;
  known: KnownConversations;
  /** The socket, for one that stays; absent for one request. */
  tab?: string;
}

/** What a request tells those who look on at this moment. Nothing of it is stored. */
export interface LiveVisitors {
  typing(caller: VisitorCaller, conversationId: string, typing: boolean): void;
  page(caller: VisitorCaller, page: { url: string; title: string }): void;
}

export interface RequestDeps {
  rates: VisitorRates;
  live: LiveVisitors;
}

type Name = keyof typeof visitorRequests;
type Body<N extends Name> = v.InferOutput<(typeof visitorRequests)[N]>;
type Handlers = {
  [N in Name]: (deps: RequestDeps, caller: VisitorCaller, body: Body<N>) => Promise<VisitorResults[N]>;
};

/** The one table of what a visitor may ask, for sockets and for stateless HTTP. */
const handlers: Handlers = {
  'message:send': async ({ rates }, { visitor, known }, message) => {
    await rates.message(visitor);
    return { event: await sendMessage(visitor, message, known) };
  },
  'events:read': async (_deps, { visitor }, query) => {
    await ownConversation(visitor, query.conversationId);
    return readConversation(visitor, query, 'visitor');
  },
  read: async (_deps, { visitor }, { conversationId, seq }) => {
    const { contactId } = await ownConversation(visitor, conversationId);
    await markRead(scopeOfVisitor(visitor), { type: 'contact', id: contactId }, conversationId, seq);
    return {};
  },
  typing: async ({ live }, caller, { conversationId, typing }) => {
    if (!caller.known.has(conversationId)) {
      await ownConversation(caller.visitor, conversationId);
      caller.known.add(conversationId);
    }
    if (!caller.visitor.blocked) live.typing(caller, conversationId, typing);
    return {};
  },
  page: async ({ live }, caller, page) => {
    live.page(caller, page);
    return {};
  },
  claim: async (_deps, { visitor }, { email, name }) => {
    if (visitor.blocked) throw new AppError('blocked');
    await makeClaim(scopeOfVisitor(visitor), visitor.contactId, {
      type: 'email',
      value: email,
      source: 'form',
      name,
      inboxId: visitor.inboxId,
    });
    return {};
  },
  'sign-out': async (_deps, { visitor }) => {
    await signOut(visitor);
    return {};
  },
};

const names = new Map<string, Name>(Object.keys(visitorRequests).map((name) => [name, name as Name]));

/**
 * Answers one request of a visitor. The name is looked up in a map and the body guarded and parsed before anything
 * touches it.
 * @throws AppError as the request's own operation does; `not_found` for a name that is no request
 */
export async function answerVisitor(
  deps: RequestDeps,
  caller: VisitorCaller,
  requestName: unknown,
  body: unknown,
): Promise<VisitorResults[Name]> {
  await deps.rates.request(caller.visitor.visitorId);
  const name = typeof requestName === 'string' ? names.get(requestName) : undefined;
  if (name === undefined) throw new AppError('not_found');
  guardShape(body);
  return answer(deps, caller, name, body);
}

function answer<N extends Name>(
  deps: RequestDeps,
  caller: VisitorCaller,
  name: N,
  body: unknown,
): Promise<VisitorResults[N]> {
  const schema: v.GenericSchema<unknown, Body<N>> = visitorRequests[name] as never;
  return handlers[name](deps, caller, parse(schema, body));
}

/** Ends the browser's secret and tells its other tabs; nobody comes back with it. */
async function signOut({ workspaceId, visitorId, contactId }: Visitor): Promise<void> {
  await forgetVisitor({ workspaceId }, visitorId);
  publishNotice({ type: 'signed-out', workspaceId, contactId, visitorId });
}
