import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type Router } from 'express';
import { requireAgent } from '../agents/context.js';
import { agentsRoutes, sessionRoutes } from '../agents/routes.js';
import type { Throttle } from '../agents/throttle.js';
import { type VisitorRoutesDeps, visitorRoutes } from '../channels/chat/routes.js';
import { emailRoutes } from '../channels/email/routes.js';
import type { Config } from '../config.js';
import { type ContactPorts, contactsRoutes } from '../contacts/routes.js';
import type { DetailPorts } from '../conversations/detail.js';
import { conversationsRoutes } from '../conversations/routes.js';
import type { ReplyPorts } from '../conversations/send.js';
import { filesRoutes } from '../files/routes.js';
import { inboxesRoutes } from '../inboxes/routes.js';
import { log } from '../log.js';
import { jsonBodies, plainQueries } from './body.js';
import { requestIds } from './context.js';
import { demoRoutes } from './demo/routes.js';
import { answerError, nothingHere } from './errors.js';
import { securityHeaders } from './headers.js';
import { type Health, healthRoutes } from './health.js';
import { metricsRoutes } from './metrics.js';
import { consoleFiles, widgetFiles } from './static.js';

export interface HttpDeps {
  config: Config;
  health: Health;
  throttle: Throttle;
  chat: VisitorRoutesDeps;
  console: ContactPorts & DetailPorts & ReplyPorts;
}

/**
 * The bare server, before anything answers on it. Its limits are against whoever opens connections and says little:
 * headers must be whole within 10 s, a JSON body within 10 more, any request within 5 minutes (a large file on a slow
 * line), and a connection on which nothing moves for `stillMs`, because nobody reads its answer or nobody asks, is closed.
 */
export function createHttpServer({ stillMs = 120_000 } = {}): Server {
  const server = createServer({
    headersTimeout: 10_000,
    requestTimeout: 300_000,
    keepAliveTimeout: 15_000,
    connectionsCheckingInterval: 2_000,
    maxHeaderSize: 16 * 1024,
  });
  // Sockets that were upgraded have their own heartbeat.
  server.setTimeout(stillMs);
  return server;
}

/** Begins to listen and answers with the port. @throws the system's error when the address is not to be had */
export function listen(server: Server, { port, host }: { port: number; host: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // From here on it is one connection that failed (no more files may be opened), and the others are served.
      server.on('error', (error) => log.error({ err: error }, 'a connection could not be accepted'));
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Everything that is answered over HTTP, sockets apart. */
export function createHttpApp(deps: HttpDeps): Express {
  const { config } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', config.trustProxy);
  // Objects in a query are nobody's need and many an injection's way in.
  app.set('query parser', 'simple');
  app.set('etag', false);

  app.use(requestIds, securityHeaders(config));
  app.use(healthRoutes(deps.health));
  app.use(metricsRoutes(config));
  app.use(widgetFiles());
  app.use(plainQueries);
  app.use(demoRoutes(config));
  app.use(jsonBodies());
  app.use('/v1/visitor', visitorRoutes(deps.chat));
  app.use('/api', apiRoutes(deps));
  app.use(consoleFiles());
  app.use(nothingHere);
  app.use(answerError);
  return app;
}

function apiRoutes(deps: HttpDeps): Router {
  const { config, throttle } = deps;
  const api = express.Router();
  // What stands behind a sign-in is nobody's to keep.
  api.use((_req, res, next) => {
    res.set('cache-control', 'no-store');
    next();
  });
  api.use(sessionRoutes({ config, throttle }));
  const workspace = express.Router({ mergeParams: true });
  workspace.use(requireAgent(config));
  workspace.use(agentsRoutes({ config, throttle }));
  workspace.use(inboxesRoutes());
  workspace.use(conversationsRoutes(deps.console));
  workspace.use(contactsRoutes(deps.console));
  workspace.use(filesRoutes());
  workspace.use(emailRoutes());
  api.use('/workspaces/:workspaceId', workspace);
  return api;
}
