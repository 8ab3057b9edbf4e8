import { createLive } from './api/live.js';
import { createTransport } from './api/request.js';
import { browserStorage } from './conversation/sync.js';
import { start } from './start.js';
import { leave } from './state/session.js';

/** The composition root: ports to the browser and the server are made here, and nowhere else. */
const transport = createTransport({
  fetch: (input, init) => fetch(input, init),
  now: () => performance.now(),
  onSignedOut: () => leave(app),
  exclusively: (work) =>
    'locks' in navigator ? navigator.locks.request('threadline-session', work) : work(),
});
const { app } = start({
  transport,
  live: createLive({ url: '', accessToken: () => transport.accessToken(), random: Math.random }),
  outbox: browserStorage,
  storage: localStorage,
  now: () => Date.now(),
});
