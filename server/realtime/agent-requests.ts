import type * as v from 'valibot';
import { AppError } from '../../shared/errors.js';
import { guardShape } from '../../shared/guard.js';
import { parse } from '../../shared/parse.js';
import { type AgentResults, agentRequests } from '../../shared/protocol.js';
import { setAvailability } from '../agents/me.js';
import { membership } from '../agents/membership.js';
import { getConversation } from '../conversations/conversations.js';
import { markRead } from '../conversations/read-marks.js';
import { type ReplyPorts, sendAsAgent } from '../conversations/send.js';
import { readConversation } from '../timeline/read.js';
import type { Scope } from '../workspaces/scope.js';
import type { AgentSocket } from './sockets.js';

/** What an agent's request tells those who look on at this moment. Nothing of it is stored but the seconds of work. */
export interface LiveAgents {
  typing(socket: AgentSocket, conversationId: string, typing: boolean): Promise<void>;
  view(socket: AgentSocket, conversationId: string | null, active: boolean): Promise<void>;
  came(socket: AgentSocket): void;
  left(socket: AgentSocket): void;
}

export interface AgentRequestDeps {
  reply: ReplyPorts;
  live: LiveAgents;
  /** One more request of this agent. @throws AppError `rate_limited` */
  countRequest: (agentId: string) => Promise<void>;
}

type Name = keyof typeof agentRequests;
type Body<N extends Name> = v.InferOutput<(typeof agentRequests)[N]>;
type Handlers = {
  [N in Name]: (
    deps: AgentRequestDeps,
    socket: AgentSocket,
    scope: Scope,
    body: Body<N>,
  ) => Promise<AgentResults[N]>;
};

/** The one table of what an agent may ask on a socket. */
const handlers: Handlers = {
  'message:send': async ({ reply }, socket, scope, message) => {
    // Each time anew: whoever lost the workspace a moment ago writes nothing into it.
    if (!(await membership(socket.data.agentId, scope.workspaceId))) throw new AppError('unauthorized');
    const { event } = await sendAsAgent(scope, socket.data.agentId, message, reply);
    return { event };
  },
  'events:read': async (_deps, _socket, scope, query) => readConversation(scope, query, 'agent'),
  read: async (_deps, { data }, scope, { conversationId, seq }) => {
    await getConversation(scope, conversationId);
    await markRead(scope, { type: 'agent', id: data.agentId }, conversationId, seq);
    return {};
  },
  typing: async ({ live }, socket, scope, { conversationId, typing }) => {
    await getConversation(scope, conversationId);
    await live.typing(socket, conversationId, typing);
    return {};
  },
  view: async ({ live }, socket, scope, { conversationId, active }) => {
    if (conversationId !== null) await getConversation(scope, conversationId);
    await live.view(socket, conversationId, active);
    return {};
  },
  availability: async (_deps, { data }, _scope, { availability }) => {
    await setAvailability(data.agentId, availability);
    return {};
  },
};

const names = new Map<string, Name>(Object.keys(agentRequests).map((name) => [name, name as Name]));

/**
 * Answers one request of an agent's socket.
 * @throws AppError as the request's own operation does; `not_found` for a name that is no request
 */
export async function answerAgent(
  deps: AgentRequestDeps,
  socket: AgentSocket,
  requestName: unknown,
  body: unknown,
): Promise<AgentResults[Name]> {
  await deps.countRequest(socket.data.agentId);
  const name = typeof requestName === 'string' ? names.get(requestName) : undefined;
  if (name === undefined) throw new AppError('not_found');
  guardShape(body);
  return answer(deps, socket, name, body);
}

function answer<N extends Name>(
  deps: AgentRequestDeps,
  socket: AgentSocket,
  name: N,
  body: unknown,
): Promise<AgentResults[N]> {
  const { workspaceId, agentId } = socket.data;
  const scope: Scope = { workspaceId, actor: { type: 'agent', id: agentId } };
  const schema: v.GenericSchema<unknown, Body<N>> = agentRequests[name] as never;
  return handlers[name](deps, socket, scope, parse(schema, body));
}
