import './app.js';
import { createApi } from './api/endpoints.js';
import { createLive } from './api/live.js';
import { createTransport } from './api/request.js';
import { createDrafts } from './conversation/drafts.js';
import { browserStorage, createSync } from './conversation/sync.js';
import { createKeys } from './keys/listen.js';
import { addressOf, type Route, readRoute } from './router.js';
import { type Console, createState } from './state/console.js';
import { applyPreferences, createPreferences } from './state/preferences.js';
import { begin, joinWorkspace, leave } from './state/session.js';
import { wire } from './state/wire.js';

/** The composition root: ports to the browser and the server are made here, and nowhere else. */
const state = createState(Date.now(), readRoute(location));
const preferences = createPreferences(localStorage);
const transport = createTransport({
  fetch: (input, init) => fetch(input, init),
  now: () => performance.now(),
  onSignedOut: () => leave(app),
  exclusively: (work) =>
    'locks' in navigator ? navigator.locks.request('threadline-session', work) : work(),
});
const workspaceId = () => {
  const route = state.route.get();
  return 'workspaceId' in route ? route.workspaceId : '';
};
const api = createApi(transport, workspaceId);
const live = createLive({
  url: '',
  accessToken: () => transport.accessToken(),
  random: Math.random,
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
  drafts: createDrafts(localStorage, 'threadline.drafts'),
  sync: createSync({ api, live, logs: state.logs, storage: browserStorage }),
  go(route: Route, how = {}) {
    const address = addressOf(route);
    if (how.replace) history.replaceState(null, '', address);
    else if (address !== location.pathname + location.search) history.pushState(null, '', address);
    state.route.set(route);
    joinWorkspace(app);
  },
};

applyPreferences(preferences, document.documentElement);
keys.listen(document);
wire(app);

addEventListener('popstate', () => {
  state.route.set(readRoute(location));
  joinWorkspace(app);
});
addEventListener('hashchange', () => state.route.set(readRoute(location)));

// Links of ours change the address without loading the page; with a modifier they are the browser's.
document.addEventListener('click', (event) => {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
  if (!link || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
  const route = readRoute(link);
  if (route.page === 'unknown') return;
  event.preventDefault();
  app.go(route);
});

// One clock for every timer on the page; it stands still while nobody sees it.
setInterval(() => {
  if (document.visibilityState === 'visible') state.clock.set(Date.now());
}, 10_000);
document.addEventListener('visibilitychange', () => state.clock.set(Date.now()));

const root = document.createElement('tl-app');
Object.assign(root, { app });
document.body.append(root);
void begin(app);
