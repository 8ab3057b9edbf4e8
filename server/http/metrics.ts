import express, { type Router } from 'express';
import { AppError } from '../../shared/errors.js';
import { registry } from '../observe/metrics.js';
import { type MetricsAccess, mayReadMetrics } from '../observe/token.js';

/**
 * `GET /metrics`: the figures of this process in Prometheus' text format, for who shows METRICS_TOKEN as a bearer token.
 * Without one nobody reads them but this installation's own doctor.
 */
export function metricsRoutes(access: MetricsAccess): Router {
  const router = express.Router();
  router.get('/metrics', async (req, res) => {
    if (!mayReadMetrics(access, req.get('authorization'))) throw new AppError('unauthorized');
    const figures = await registry.metrics();
    res.set({ 'cache-control': 'no-store', 'content-type': registry.contentType });
    res.send(figures);
  });
  return router;
}
