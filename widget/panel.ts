import { createClient, type Line, type LineListener } from './client.js';
import { ThreadlinePanel } from './panel-element.js';
import type { Lent, PanelHandle, Shell } from './shell.js';
import { storageKey } from './shell.js';
import { outboxStorage } from './storage.js';
import { loadTexts } from './texts/text.js';
import { readTouch } from './touch.js';
import { showUnread } from './unread.js';
import { openWire } from './wire.js';

/** Puts the panel into the shell. Nothing is connected before it is first opened. */
export function mount(
  lent: Lent,
  /** The tests hand in a line of their own; the product connects to where the script came from. */
  openLine: (listener: LineListener) => Line = (listener) =>
    openWire({
      ...listener,
      url: lent.base.replace(/^http/, 'ws').replace(/\/$/, ''),
      namespace: '/visitor',
      onOpen: () => undefined,
    }),
): PanelHandle {
  if (!customElements.get('threadline-panel')) customElements.define('threadline-panel', ThreadlinePanel);
  const panel = new ThreadlinePanel();
  let isOpen = false;
  let unread = 0;
  const draw = (): void => {
    lent.draw(isOpen);
    showUnread(lent, isOpen ? 0 : unread);
  };
  const shell: Shell = {
    ...lent,
    root: lent.host.shadowRoot ?? lent.host.attachShadow({ mode: 'open' }),
    setOpen(open) {
      isOpen = open;
      draw();
      shell.emit(open ? 'open' : 'close');
    },
    setUnread(count) {
      if (count === unread) return;
      unread = count;
      draw();
      shell.emit('unread', count);
    },
  };

  let hasStarted = false;
  let wake: () => void = () => undefined;
  const client = createClient({
    inboxId: shell.inboxId,
    storage: outboxStorage(shell.inboxId),
    touch: readTouch(),
    locale: shell.locale,
    openLine: (listener) => {
      // The line opens with the first look at the chat, not with the code for it.
      let line: Line | undefined;
      wake = () => {
        line ??= openLine(listener);
        line.wake();
      };
      return {
        request: (name, body) => line?.request(name, body) ?? Promise.reject(new Error('Not connected yet.')),
        wake: () => line?.wake(),
        sleep: () => line?.sleep(),
        stop: () => line?.stop(),
      };
    },
    emit(event, detail) {
      shell.emit(event, detail);
      if (event === 'signed-out') panel.forget();
      if (event === 'message' && detail instanceof Object && 'conversationId' in detail) {
        panel.peek(String(detail.conversationId));
      }
    },
    onChange() {
      const { session, conversations } = client;
      if (session) shell.host.style.setProperty('--tl-accent', session.inbox.accent);
      if (session) shell.setUnread(conversations.reduce((sum, one) => sum + one.unread, 0));
      panel.requestUpdate();
    },
  });
  panel.client = client;
  panel.shell = shell;
  shell.root.prepend(panel);

  function start(): void {
    hasStarted = true;
    wake();
  }

  const ended = new AbortController();
  const { signal } = ended;
  const awake = (): void => {
    if (hasStarted) wake();
  };
  // A page in the back-forward cache must hold no socket: some browsers would evict it, others freeze the socket.
  addEventListener('pagehide', () => client.sleep(), { signal });
  addEventListener('pageshow', awake, { signal });
  addEventListener('online', awake, { signal });
  document.addEventListener(
    'visibilitychange',
    () => {
      if (document.visibilityState === 'visible') awake();
      panel.requestUpdate();
    },
    { signal },
  );
  // Another tab of this browser signed out while this one was offline.
  addEventListener(
    'storage',
    ({ key, newValue }) => {
      if (key === storageKey(shell.inboxId) && newValue === null && client.session) client.restart();
    },
    { signal },
  );

  /** A catalogue that does not come leaves the panel in English; the site is told. */
  const speak = (): Promise<unknown> =>
    loadTexts(shell.locale()).catch((error) => shell.emit('error', error));

  const handle: PanelHandle = {
    async open(byVisitor = false) {
      start();
      await speak();
      panel.show(byVisitor);
    },
    close: () => panel.hide(),
    toggle: (byVisitor = false) => (panel.isOpen ? panel.hide() : handle.open(byVisitor)),
    identify: (source) => client.identify(source),
    async signOut() {
      await client.signOut(shell.base);
    },
    async setLocale() {
      await speak();
      draw();
      panel.requestUpdate();
    },
    destroy() {
      ended.abort();
      panel.hide();
      client.stop();
      panel.remove();
    },
  };
  return handle;
}
