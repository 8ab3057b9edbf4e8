import type { Client, ClientOptions, Line, LineListener } from './client.js';
import { openLine as openLineTo } from './line.js';
import { ThreadlinePanel } from './panel-element.js';
import {
  type IdentitySource,
  type Lent,
  type PanelHandle,
  readKept,
  type Shell,
  storageKey,
} from './shell.js';
import { outboxStorage } from './storage.js';
import { takeSeat } from './tabs.js';
import { loadTexts } from './texts/text.js';
import { readTouch } from './touch.js';

/** Puts the panel into the shell. Nothing is connected before it is first opened. */
export function mount(
  lent: Lent,
  /** The tests hand in a line of their own; the product connects to where the script came from. */
  openLine: (listener: LineListener) => Line = (listener) => openLineTo(lent.base, listener),
): PanelHandle {
  if (!customElements.get('threadline-panel')) customElements.define('threadline-panel', ThreadlinePanel);
  const panel = new ThreadlinePanel();
  const { inboxId, base, emit } = lent;
  let client: Client | undefined;
  let seat: ReturnType<typeof takeSeat> | undefined;
  let identity: IdentitySource | undefined;
  let isOpen = false;
  let unread = 0;
  let badge: Promise<typeof import('./unread.js')> | undefined;

  const token = (): string => readKept(inboxId).token ?? client?.session?.token ?? '';
  function draw(): void {
    lent.draw(isOpen);
    const count = isOpen ? 0 : unread;
    // Who keeps the chat open never needs a badge.
    if (count) badge ??= import('./unread.js');
    void badge?.then(
      ({ showUnread }) => showUnread(lent, count),
      (error) => emit('error', error),
    );
  }
  const shell: Shell = {
    ...lent,
    root: lent.host.shadowRoot ?? lent.host.attachShadow({ mode: 'open' }),
    token,
    setOpen(open) {
      isOpen = open;
      draw();
      emit(open ? 'open' : 'close');
    },
    setUnread(count) {
      if (count === unread) return;
      unread = count;
      draw();
      emit('unread', count);
    },
    async signOut() {
      const secret = token();
      identity = undefined;
      client?.restart();
      if (!secret) return;
      // By HTTP, which outlives the page: signing out is often followed by leaving it.
      const answer = await fetch(`${base}v1/visitor/requests/sign-out`, {
        method: 'POST',
        keepalive: true,
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: '{}',
      });
      if (!answer.ok && answer.status !== 401)
        emit('error', new Error(`Signing out answered ${answer.status}.`));
    },
  };
  panel.shell = shell;
  shell.root.prepend(panel);

  function start(): void {
    const options: ClientOptions = {
      inboxId,
      storage: outboxStorage(inboxId),
      touch: readTouch(),
      identity: () => identity,
      locale: shell.locale,
      openLine,
      emit(event, detail) {
        emit(event, detail);
        if (event === 'signed-out') panel.forget();
        if (event === 'message') panel.peek((detail as { conversationId: string }).conversationId);
      },
      onChange() {
        const { session, conversations = [] } = client ?? {};
        if (session) {
          shell.host.style.setProperty('--tl-accent', session.inbox.accent);
          shell.setUnread(conversations.reduce((sum, one) => sum + one.unread, 0));
        }
        panel.requestUpdate();
      },
    };
    seat ??= takeSeat(options, (made) => {
      client = panel.client = made;
    });
    seat.wake();
  }

  const ended = new AbortController();
  const { signal } = ended;
  const wake = (): void => seat?.wake();
  // A page in the back-forward cache must hold no socket: some browsers would evict it, others freeze the socket.
  addEventListener('pagehide', () => seat?.sleep(), { signal });
  addEventListener('pageshow', wake, { signal });
  addEventListener('online', wake, { signal });
  // A socket may take most of a minute to see it.
  addEventListener('offline', () => client?.renew(), { signal });
  document.addEventListener(
    'visibilitychange',
    () => {
      if (document.visibilityState === 'visible') wake();
      panel.requestUpdate();
    },
    { signal },
  );
  // Another tab of this browser signed out.
  addEventListener(
    'storage',
    ({ key, newValue }) => {
      if (key === storageKey(inboxId) && newValue === null) wake();
    },
    { signal },
  );

  /** A catalogue that does not come leaves the panel in English; the site is told. */
  const speak = async (): Promise<void> => {
    await loadTexts(shell.locale()).catch((error) => emit('error', error));
    panel.speak();
  };

  const handle: PanelHandle = {
    async open(byVisitor = false) {
      start();
      await speak();
      panel.show(byVisitor);
    },
    close: () => panel.hide(),
    toggle: (byVisitor = false) => (panel.isOpen ? panel.hide() : handle.open(byVisitor)),
    identify(source) {
      identity = source;
      client?.identify(source);
    },
    signOut: shell.signOut,
    async setLocale() {
      await speak();
      draw();
    },
    destroy() {
      ended.abort();
      panel.hide();
      seat?.sleep();
      client?.stop();
      panel.remove();
    },
  };
  return handle;
}
