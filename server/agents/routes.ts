import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import {
  AcceptInvitation,
  AskPasswordReset,
  ChangeAgent,
  ChangeMe,
  Invite,
  ResetPassword,
  type SessionAnswer,
  SetUp,
  SignIn,
} from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { parse } from '../../shared/parse.js';
import { Id } from '../../shared/text.js';
import { agentOf, requireRole, requireSession, scopeOf, sessionOf } from './context.js';
import { mailInvitation, mailReset } from './mail.js';
import { changeMe, readMe } from './me.js';
import { acceptInvitation, changeAgent, invite, listAgents } from './members.js';
import { resetPassword } from './password-reset.js';
import { endSession, openSession, refreshSession, type Tokens } from './sessions.js';
import { isSetUpNeeded, setUp } from './setup.js';
import { signIn } from './sign-in.js';
import { networkOf, type Throttle } from './throttle.js';

export interface AgentRouteDeps {
  config: { secretKey: string; publicUrl: string; smtpUrl?: string | undefined };
  throttle: Throttle;
}

const cookieName = 'threadline_refresh';
const cookiePath = '/api/sessions';

/** What needs no workspace: set-up, sessions, resets, invitations, oneself. Mounted at `/api`. */
export function sessionRoutes(deps: AgentRouteDeps): Router {
  const { secretKey } = deps.config;
  const router = express.Router();
  const address = (req: Request): string => networkOf(req.ip ?? '');
  const begin = async (req: Request, res: Response, agentId: string): Promise<void> => {
    res.status(201);
    await answer(res, deps, await openSession(secretKey, agentId, address(req)));
  };

  router.get('/setup', async (_req, res) => {
    res.json({ needed: await isSetUpNeeded() });
  });

  router.post('/setup', async (req, res) => {
    await deps.throttle.beforeLink(address(req));
    await begin(req, res, await setUp(parse(SetUp, req.body)));
  });

  router.post('/sessions', async (req, res) => {
    const tokens = await signIn(
      { secretKey, throttle: deps.throttle },
      parse(SignIn, req.body),
      address(req),
    );
    res.status(201);
    await answer(res, deps, tokens);
  });

  router.post('/sessions/refresh', ownPagesOnly(deps.config), async (req, res) => {
    try {
      await answer(res, deps, await refreshSession(secretKey, refreshCookie(req)));
    } catch (error) {
      if (error instanceof AppError && error.code === 'unauthorized') clearCookie(res, deps);
      throw error;
    }
  });

  router.delete(
    '/sessions/current',
    ownPagesOnly(deps.config),
    requireSession(deps.config),
    async (req, res) => {
      const { agentId, sessionId } = sessionOf(req);
      await endSession(agentId, sessionId);
      clearCookie(res, deps);
      res.status(204).end();
    },
  );

  router.post('/password-resets', async (req, res) => {
    const { email } = parse(AskPasswordReset, req.body);
    await deps.throttle.beforeLink(address(req));
    // The same answer for everybody, and as soon: who has an account here is nobody's business, and a letter takes a while.
    res.status(202).json({});
    if (await deps.throttle.mayMail(email)) await mailReset(deps.config, email);
  });

  router.post('/password-resets/redeem', async (req, res) => {
    const redeemed = parse(ResetPassword, req.body);
    await deps.throttle.beforeLink(address(req));
    await begin(req, res, await resetPassword(redeemed));
  });

  router.post('/invitations/redeem', async (req, res) => {
    const redeemed = parse(AcceptInvitation, req.body);
    await deps.throttle.beforeLink(address(req));
    await begin(req, res, await acceptInvitation(deps.throttle, redeemed, address(req)));
  });

  router.get('/me', requireSession(deps.config), async (req, res) => {
    res.json(await readMe(sessionOf(req).agentId));
  });

  router.patch('/me', requireSession(deps.config), async (req, res) => {
    const change = parse(ChangeMe, req.body);
    const who = sessionOf(req);
    // A stolen session must not be a way to guess the password itself.
    if (change.password) await deps.throttle.beforeLink(who.sessionId);
    res.json(await changeMe(who, change));
  });

  return router;
}

/** A workspace's colleagues. Mounted at `/api/workspaces/:workspaceId`, behind `requireAgent`. */
export function agentsRoutes(deps: AgentRouteDeps): Router {
  const router = express.Router({ mergeParams: true });

  router.get('/agents', async (req, res) => {
    res.json({ agents: await listAgents(scopeOf(req)) });
  });

  router.post('/invitations', requireRole('owner', 'admin'), async (req, res) => {
    const invitation = await invite(deps.config, scopeOf(req), parse(Invite, req.body));
    await mailInvitation(deps.config, scopeOf(req), invitation.id);
    res.status(201).json(invitation);
  });

  router.patch('/agents/:agentId', requireRole('owner', 'admin'), async (req, res) => {
    const agentId = parse(Id, req.params.agentId, 'not_found');
    res.json(await changeAgent(scopeOf(req), agentOf(req), agentId, parse(ChangeAgent, req.body)));
  });

  return router;
}

async function answer(res: Response, deps: AgentRouteDeps, tokens: Tokens): Promise<void> {
  const agent = await readMe(tokens.agentId);
  res.cookie(cookieName, tokens.refreshToken, {
    ...cookieOptions(deps),
    maxAge: limits.refreshTokenDays * 24 * 3_600_000,
  });
  res.set('cache-control', 'no-store');
  const body: SessionAnswer = {
    accessToken: tokens.accessToken,
    expiresInSeconds: limits.accessTokenSeconds,
    agent,
  };
  res.json(body);
}

const cookieOptions = (deps: AgentRouteDeps) => ({
  httpOnly: true,
  sameSite: 'strict' as const,
  path: cookiePath,
  secure: deps.config.publicUrl.startsWith('https:'),
});

function clearCookie(res: Response, deps: AgentRouteDeps): void {
  res.clearCookie(cookieName, cookieOptions(deps));
}

function refreshCookie(req: Request): string {
  const pairs = (req.get('cookie') ?? '').split(';').map((pair) => pair.trim());
  const found = pairs.find((pair) => pair.startsWith(`${cookieName}=`));
  if (found === undefined) throw new AppError('unauthorized');
  return found.slice(cookieName.length + 1);
}

/**
 * What the cookie alone opens is open to our own pages only. SameSite keeps it from other sites; this keeps it from
 * other origins of the same site, and from browsers that do not know SameSite.
 */
function ownPagesOnly(config: { publicUrl: string }): RequestHandler {
  return (req, _res, next) => {
    const origin = req.get('origin');
    const site = req.get('sec-fetch-site');
    const isOwn =
      origin === undefined || origin === config.publicUrl || origin === `${req.protocol}://${req.host}`;
    if (!isOwn || (site !== undefined && site !== 'same-origin')) throw new AppError('foreign_page');
    next();
  };
}
