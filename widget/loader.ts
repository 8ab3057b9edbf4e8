import {
  type IdentitySource,
  type PanelHandle,
  readKept,
  type Shell,
  type ThreadlineEvent,
} from './shell.js';
import sheetText from './styles/launcher.css';
import { launcherTextsOf } from './texts/launcher.js';

/** The address of the panel's chunk, put in by the build. */
declare const PANEL: string;

type Listener = (detail: unknown) => void;
type Call = readonly [string, ...unknown[]];

const bubble =
  'M2.992 16.342a2 2 0 0 1 .094 1.167l-1.065 3.29a1 1 0 0 0 1.236 1.168l3.413-.998a2 2 0 0 1 1.099.092 10 10 0 1 0-4.777-4.719';

/** Draws the launcher and nothing more; the panel comes with the first intent. */
function start(script: HTMLScriptElement, inboxId: string, early: readonly Call[]): void {
  const { dataset, src } = script;
  const base = new URL('.', src).href;
  const kept = readKept(inboxId);
  const listeners = new Map<string, Set<Listener>>();
  let locale = dataset.locale ?? '';
  let panel: Promise<PanelHandle> | undefined;
  let isOpen = false;
  let unread = 0;
  let identity: IdentitySource | undefined = dataset.identityToken;

  const host = document.createElement('threadline-widget');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(sheetText);
  root.adoptedStyleSheets = [sheet];
  const accent = dataset.accent ?? kept.accent;
  if (accent) host.style.setProperty('--tl-accent', accent);

  const launcher = document.createElement('button');
  launcher.id = 'l';
  launcher.type = 'button';
  launcher.ariaHasPopup = 'dialog';
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  icon.setAttribute('viewBox', '0 0 24 24');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  icon.append(path);
  const badge = document.createElement('span');
  badge.id = 'b';
  launcher.append(icon, badge);
  root.append(launcher);

  function draw(): void {
    const [open, close, count] = launcherTextsOf(shell.locale());
    launcher.ariaLabel = isOpen ? close : unread ? open + count + unread : open;
    launcher.ariaExpanded = `${isOpen}`;
    path.setAttribute('d', isOpen ? 'm6 9 6 6 6-6' : bubble);
    badge.textContent = isOpen || !unread ? '' : `${unread}`;
  }

  const shell: Shell = {
    host,
    root,
    launcher,
    inboxId,
    base,
    locale: () => locale || document.documentElement.lang || navigator.language,
    setOpen(open) {
      isOpen = open;
      draw();
      shell.emit(open ? 'open' : 'close');
    },
    setUnread(count) {
      unread = count;
      draw();
      shell.emit('unread', count);
    },
    emit: (event, detail) => listeners.get(event)?.forEach((listener) => void listener(detail)),
  };

  const load = (): Promise<PanelHandle> => {
    panel ??= import(base + PANEL).then(
      ({ mount }: { mount: (shell: Shell) => PanelHandle }) => {
        const handle = mount(shell);
        if (identity) handle.identify(identity);
        return handle;
      },
      (error) => {
        panel = undefined;
        shell.emit('error', error);
        throw error;
      },
    );
    return panel;
  };
  /** A failure was told by `error`; the launcher stays, and the next press tries again. */
  const withPanel = <Value>(work: (handle: PanelHandle) => Value): Promise<Value | undefined> =>
    load().then(work, () => undefined);

  launcher.onclick = () => withPanel((handle) => handle.toggle(true));
  for (const intent of ['pointerenter', 'focus', 'touchstart']) {
    launcher.addEventListener(
      intent,
      () => ('connection' in navigator && Object(navigator.connection).saveData ? 0 : withPanel(() => 0)),
      { passive: true, once: true },
    );
  }

  const api = {
    open: () => withPanel((handle) => handle.open()),
    close: () => panel !== undefined && withPanel((handle) => handle.close()),
    toggle: () => withPanel((handle) => handle.toggle()),
    identify(source: IdentitySource) {
      identity = source;
      if (panel !== undefined) void withPanel((handle) => handle.identify(source));
    },
    signOut() {
      identity = undefined;
      return panel !== undefined || readKept(inboxId).token
        ? withPanel((handle) => handle.signOut())
        : undefined;
    },
    setLocale(next: string) {
      locale = next;
      draw();
      if (panel !== undefined) void withPanel((handle) => handle.setLocale());
    },
    on(event: ThreadlineEvent, listener: Listener) {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
    },
    off: (event: ThreadlineEvent, listener: Listener) => listeners.get(event)?.delete(listener),
    destroy() {
      if (panel !== undefined) void withPanel((handle) => handle.destroy());
      host.remove();
      delete window.Threadline;
    },
    push(call: Call) {
      const [name, ...rest] = call;
      const method = new Map<string, unknown>(Object.entries(api)).get(name);
      return typeof method === 'function' ? method(...rest) : undefined;
    },
  };
  window.Threadline = api;

  draw();
  document.documentElement.append(host);
  // The top layer: no stacking context, transform or z-index of the page can cover or shift it.
  host.popover = 'manual';
  host.showPopover();
  for (const call of early) void api.push(call);

  // Somebody who wrote here before: one small question in idle time.
  if (kept.token) {
    setTimeout(() => {
      if (panel !== undefined) return;
      fetch(`${base}v1/visitor/unread`, { headers: { authorization: `Bearer ${kept.token}` } })
        .then((answer) => answer.json())
        .then(({ unread: count = 0 }: { unread?: number }) => {
          if (panel === undefined) shell.setUnread(count);
        })
        .catch((error) => shell.emit('error', error));
    }, 2_000);
  }
}

declare global {
  interface Window {
    Threadline?: object;
  }
}

const script = document.currentScript;
const early = window.Threadline;
if (script instanceof HTMLScriptElement && script.dataset.inbox && (!early || Array.isArray(early))) {
  start(script, script.dataset.inbox, early ?? []);
}
