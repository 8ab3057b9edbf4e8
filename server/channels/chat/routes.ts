import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { AppError } from '../../../shared/errors.js';
import { parse } from '../../../shared/parse.js';
import { VisitorHandshake } from '../../../shared/protocol.js';
import { Id } from '../../../shared/text.js';
import { networkOf } from '../../agents/throttle.js';
import { visitorConversations } from '../../conversations/visitor-conversations.js';
import { openFile } from '../../files/files.js';
import { sendFile } from '../../files/serve.js';
import { putUpload } from '../../files/upload.js';
import { admittedAnywhere } from './cors.js';
import { awaitEvents, type Poll } from './long-poll.js';
import { answerVisitor, type RequestDeps } from './requests.js';
import { admitVisitor, describeSession, type SessionDeps } from './session.js';
import { scopeOfVisitor, type Visitor, visitorOfToken } from './visitor.js';

export interface VisitorRoutesDeps extends SessionDeps, RequestDeps {
  /** Calls `listener` when this process begins to stop. Returns what takes it back. */
  onStop: (listener: () => void) => () => void;
}

/**
 * Visitors without WebSocket, and everybody's files: the same requests as on the socket, each with the visitor's token
 * in `Authorization`. Mounted at `/v1/visitor`. No cookie is read or set.
 */
export function visitorRoutes(deps: VisitorRoutesDeps): Router {
  const router = express.Router();
  router.use(allowSites());

  /** `VisitorHandshake` -> `VisitorSession`. */
  router.post('/session', async (req, res) => {
    const handshake = parse(VisitorHandshake, req.body);
    const admitted = await admitVisitor(deps, handshake, {
      origin: req.get('origin'),
      network: networkOf(req.ip ?? ''),
    });
    answer(res, await describeSession(deps, admitted));
  });

  /** A request of `visitorRequests` as the body -> its result. */
  router.post('/requests/:name', async (req, res) => {
    const visitor = await visitorOf(deps, req);
    const caller = { visitor, known: new Set<string>() };
    answer(res, await answerVisitor(deps, caller, req.params.name, req.body));
  });

  /** `?conversationId&after` -> `EventPage`: at once when something came after, else when it comes, empty after 25 s. */
  router.get('/events', async (req, res) => {
    const visitor = await visitorOf(deps, req);
    await deps.rates.request(visitor.visitorId);
    const ended = new AbortController();
    // A process that stops answers at once, and the next question goes to another.
    const forget = deps.onStop(() => ended.abort());
    res.on('close', () => {
      forget();
      ended.abort();
    });
    answer(res, await awaitEvents(visitor, pollOf(req), ended.signal));
  });

  /** -> `{ unread }`: what a browser that comes back shows on its launcher before anything else is loaded. */
  router.get('/unread', async (req, res) => {
    const visitor = await visitorOf(deps, req);
    await deps.rates.request(visitor.visitorId);
    const conversations = await visitorConversations(visitor, visitor.contactIds, visitor.inboxId);
    answer(res, { unread: conversations.reduce((sum, { unread }) => sum + unread, 0) });
  });

  /** Raw bytes, name percent-encoded in `x-file-name` -> `FileRef`. */
  router.post('/files', async (req, res) => {
    const visitor = await visitorOf(deps, req);
    if (visitor.blocked) throw new AppError('blocked');
    await deps.rates.upload(visitor);
    res.status(201);
    answer(res, await putUpload(scopeOfVisitor(visitor), req));
  });

  router.get('/files/:fileId', async (req, res) => {
    const visitor = await visitorOf(deps, req);
    await deps.rates.request(visitor.visitorId);
    const fileId = parse(Id, req.params.fileId, 'not_found');
    await sendFile(req, res, await openFile(scopeOfVisitor(visitor), fileId, visitor.contactIds));
  });

  return router;
}

function answer(res: Response, body: object): void {
  res.set('cache-control', 'no-store');
  res.json(body);
}

function visitorOf(deps: SessionDeps, req: Request): Promise<Visitor> {
  const match = /^Bearer ([\w.-]+)$/.exec(req.get('authorization') ?? '');
  if (!match?.[1]) throw new AppError('unauthorized');
  return visitorOfToken(deps, match[1], req.get('origin'));
}

function pollOf(req: Request): Poll {
  const { conversationId, after } = req.query;
  if (typeof after !== 'string' || !/^\d{1,15}$/.test(after))
    throw new AppError('bad_request', { field: 'after' });
  return { conversationId: parse(Id, conversationId), after: Number(after) };
}

/**
 * Lets pages of sites that hold the widget read the answers, without credentials: there is nothing of the browser's own
 * that could be misused. Whether the site may use *this* inbox is decided at each request.
 */
function allowSites(): RequestHandler {
  return async (req, res, next) => {
    const origin = req.get('origin');
    res.vary('origin');
    if (origin !== undefined && (await admittedAnywhere(origin))) {
      res.set({
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'x-request-id, retry-after',
        'cross-origin-resource-policy': 'cross-origin',
      });
      if (req.method === 'OPTIONS') {
        res.set({
          'access-control-allow-methods': 'GET, POST',
          'access-control-allow-headers': 'authorization, content-type, x-file-name',
          'access-control-max-age': '600',
        });
      }
    }
    if (req.method === 'OPTIONS') {
      res.status(204).end();
      return;
    }
    next();
  };
}
