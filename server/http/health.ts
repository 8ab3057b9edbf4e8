import express, { type Router } from 'express';

export interface Health {
  version: string;
  store: 'embedded' | 'mongodb';
  /** Whether this process takes work: false while it starts and while it stops. */
  isReady: () => boolean;
  /** Asks the store for a sign of life. */
  storeAnswers: () => Promise<boolean>;
}

/**
 * `GET /healthz` (liveness): the process answers, with version and store. `GET /readyz` (readiness): 200 while it takes
 * work and its store answers, else 503, so that a balancer sends new clients elsewhere.
 */
export function healthRoutes(health: Health): Router {
  const router = express.Router();
  router.get('/healthz', (_req, res) => {
    res.set('cache-control', 'no-store');
    res.json({ status: 'ok', version: health.version, store: health.store });
  });
  router.get('/readyz', async (_req, res) => {
    const isReady = health.isReady() && (await health.storeAnswers());
    res.set('cache-control', 'no-store');
    res.status(isReady ? 200 : 503).json({ ready: isReady });
  });
  return router;
}
