import type { Request, RequestHandler } from 'express';
import type { Role } from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { parse } from '../../shared/parse.js';
import { Id } from '../../shared/text.js';
import type { Scope } from '../workspaces/scope.js';
import { membership } from './membership.js';
import { verifyAccessToken } from './sessions.js';

/** Who asks, once it is known that they are signed in. */
export interface SessionContext {
  agentId: string;
  sessionId: string;
}

/** Who asks, once it is known that they are an active member of the workspace in the address. */
export interface AgentContext extends SessionContext {
  workspaceId: string;
  role: Role;
}

// Kept beside the request and not on it: nothing that parses a request can ever set these.
const sessions = new WeakMap<Request, SessionContext>();
const agents = new WeakMap<Request, AgentContext>();

function bearerOf(req: Request): string {
  // The header and nothing else: a token in an address would end up in logs, histories and referrers.
  const match = /^Bearer ([\w.-]+)$/.exec(req.get('authorization') ?? '');
  if (!match?.[1]) throw new AppError('unauthorized');
  return match[1];
}

/** Lets through who is signed in. Routes behind it call `sessionOf`. */
export function requireSession(deps: { secretKey: string }): RequestHandler {
  return async (req, _res, next) => {
    sessions.set(req, await verifyAccessToken(deps.secretKey, bearerOf(req)));
    next();
  };
}

/**
 * Lets through who is signed in and an active member of `:workspaceId`; for everybody else the workspace does not
 * exist. Mount it at `/api/workspaces/:workspaceId`; routes behind it call `agentOf` and `scopeOf`.
 */
export function requireAgent(deps: { secretKey: string }): RequestHandler {
  return async (req, _res, next) => {
    const session = await verifyAccessToken(deps.secretKey, bearerOf(req));
    const workspaceId = parse(Id, req.params.workspaceId, 'not_found');
    const member = await membership(session.agentId, workspaceId);
    if (!member) throw new AppError('not_found');
    sessions.set(req, session);
    agents.set(req, { ...session, workspaceId, role: member.role });
    next();
  };
}

/** Lets through only these roles; mount it after `requireAgent`. */
export function requireRole(...roles: readonly Role[]): RequestHandler {
  return (req, _res, next) => {
    if (!roles.includes(agentOf(req).role)) throw new AppError('forbidden');
    next();
  };
}

export function sessionOf(req: Request): SessionContext {
  const context = sessions.get(req);
  if (!context) throw new AppError('unauthorized');
  return context;
}

export function agentOf(req: Request): AgentContext {
  const context = agents.get(req);
  if (!context) throw new AppError('unauthorized');
  return context;
}

/** The scope of every operation that this request starts. */
export function scopeOf(req: Request): Scope {
  const { workspaceId, agentId } = agentOf(req);
  return { workspaceId, actor: { type: 'agent', id: agentId } };
}
