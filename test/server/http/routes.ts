import type { Router } from 'express';
import { throttle } from '../../../server/agents/throttle.js';
import { noRates } from '../../../server/channels/chat/rates.js';
import { loadConfig } from '../../../server/config.js';
import { createHttpApp } from '../../../server/http/server.js';

const notAsked = (): never => {
  throw new Error('not asked');
};

/**
 * Every route that the product answers, as `METHOD /whole/path`, read from the very app that a start builds: what is
 * mounted tomorrow stands in it tomorrow.
 */
export function allRoutes(): string[] {
  const { router } = createHttpApp({
    config: loadConfig({ SECRET_KEY: 'x'.repeat(32), DATA_DIR: '/nonexistent' }),
    throttle: throttle(null),
    health: { version: '', store: 'embedded', isReady: () => true, storeAnswers: async () => true },
    chat: {
      secretKey: 'x'.repeat(32),
      rates: noRates,
      availability: async () => ({ online: false, agents: [] }),
      live: { typing: notAsked, page: notAsked },
      onStop: notAsked,
    },
    console: {
      visitOf: async () => null,
      isOnline: async () => false,
      isEmailConfigured: () => false,
      emailDraft: notAsked,
    },
  });
  return [...new Set(below(router as unknown as Listing, ''))].sort();
}

/** What Express tells of a router; its own types do not know it yet. */
interface Listing {
  listRoutes(): { path: string; methods?: string[]; router?: Router }[];
}

function below(router: Listing, prefix: string): string[] {
  return router.listRoutes().flatMap(({ path, methods, router: mounted }) => {
    const whole = `${prefix}${path}`.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
    if (mounted) return below(mounted as unknown as Listing, whole);
    // A HEAD is answered by its GET.
    return (methods ?? []).filter((method) => method !== 'HEAD').map((method) => `${method} ${whole}`);
  });
}
