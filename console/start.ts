import './app.js';
import type { OutboxStorage } from '../shared/delivery/run.js';
import { type Api, createApi } from './api/endpoints.js';
import type { Live } from './api/live.js';
import type { Transport } from './api/request.js';
import { createDrafts } from './conversation/drafts.js';
import type { Written } from './conversation/log.js';
import { createSync } from './conversation/sync.js';
import { createKeys } from './keys/listen.js';
import { addressOf, type Route, readRoute } from './router.js';
import { type Console, createState } from './state/console.js';
import { applyPreferences, createPreferences } from './state/preferences.js';
import { begin, joinWorkspace } from './state/session.js';
import { wire } from './state/wire.js';

export interface Outside {
  transport: Transport;
  live: Live;
  outbox: (name: string) => OutboxStorage<Written>;
  /** Where this browser keeps drafts and preferences. */
  storage: Storage;
  /** Epoch milliseconds. */
  now: () => number;
}

/** Puts the console together over its ports and onto the page. `stop` takes it off again. */
export function start({ transport, live, outbox, storage, now }: Outside): {
  app: Console;
  stop: () => void;
} {
  const state = createState(now(), readRoute(location));
  const preferences = createPreferences(storage);
  const api: Api = createApi(transport, () => {
    const route = state.route.get();
    return 'workspaceId' in route ? route.workspaceId : '';
  });
  const keys = createKeys({
    isMac: /Mac|iPhone|iPad/.test(navigator.platform),
    now: () => performance.now(),
    singleKeys: () => preferences.get().shortcuts,
  });
  const app: Console = {
    ...state,
    transport,
    api,
    live,
    keys,
    preferences,
    drafts: createDrafts(storage, 'threadline.drafts'),
    sync: createSync({ api, live, logs: state.logs, storage: outbox }),
    go(route: Route, how = {}) {
      const address = addressOf(route);
      if (how.replace) history.replaceState(null, '', address);
      else if (address !== location.pathname + location.search) history.pushState(null, '', address);
      state.route.set(route);
      joinWorkspace(app);
    },
  };

  const gone = new AbortController();
  const stops = [applyPreferences(preferences, document.documentElement), keys.listen(document), wire(app)];
  followAddress(app, gone.signal);
  followClock(app, now, gone.signal);

  const root = document.createElement('tl-app');
  Object.assign(root, { app });
  document.body.append(root);
  void begin(app);
  return {
    app,
    stop() {
      root.remove();
      gone.abort();
      for (const stop of stops) stop();
      live.disconnect();
    },
  };
}

function followAddress(app: Console, signal: AbortSignal): void {
  const read = () => {
    app.route.set(readRoute(location));
    joinWorkspace(app);
  };
  addEventListener('popstate', read, { signal });
  addEventListener('hashchange', read, { signal });
  // Links of ours change the address without loading the page; with a modifier they are the browser's.
  document.addEventListener(
    'click',
    (event) => {
      if (event.defaultPrevented || event.button !== 0) return;
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
      if (link?.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
      const route = readRoute(link);
      if (route.page === 'unknown') return;
      event.preventDefault();
      app.go(route);
    },
    { signal },
  );
}

/** One clock for every timer on the page; it stands still while nobody sees it. */
function followClock(app: Console, now: () => number, signal: AbortSignal): void {
  const timer = setInterval(() => {
    if (document.visibilityState === 'visible') app.clock.set(now());
  }, 10_000);
  signal.addEventListener('abort', () => clearInterval(timer));
  document.addEventListener('visibilitychange', () => app.clock.set(now()), { signal });
}
