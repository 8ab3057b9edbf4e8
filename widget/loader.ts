import { type Lent, type PanelHandle, readKept, type ThreadlineEvent } from './shell.js';
import sheetText from './styles/launcher.css';
import { launcherTextsOf } from './texts/launcher.js';

/** The addresses of the chunks, put in by the build. */
declare const PANEL: string;
declare const UNREAD: string;

declare global {
  interface Window {
    /** Before the script has come: an array of calls, `[['open']]`; then what `start` makes of it. */
    Threadline?: object;
  }
  interface Navigator {
    connection?: { saveData?: boolean };
  }
}

const bubble = 'M3 16.3a2 2 0 0 1 .1 1.2L2 20.8A1 1 0 0 0 3.2 22l3.5-1a2 2 0 0 1 1.1.1A10 10 0 1 0 3 16.3';
type Call = [name: string, ...args: unknown[]];
/** Calls that bring the panel; `signOut` has something to end on the server even where it was never opened. */
const wakes = /open|tog|out/i;
const drawing = (name: 'svg' | 'path') => document.createElementNS('http://www.w3.org/2000/svg', name);

/** Draws the launcher and nothing more; the panel comes with the first intent. */
function start({ dataset, src }: HTMLScriptElement, inboxId: string, early: readonly Call[]): void {
  const base = new URL('.', src).href;
  const { token, accent } = readKept(inboxId);
  /** What waits for the panel. It does not call for it: who is only identified need not pay for the chat. */
  const calls: Call[] = [['identify', dataset.identityToken]];
  let { locale } = dataset;
  let panel: Promise<PanelHandle> | undefined;

  const host = document.createElement('threadline-widget');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(sheetText);
  root.adoptedStyleSheets = [sheet];
  host.style.setProperty('--tl-accent', dataset.accent ?? accent ?? '');

  const launcher = document.createElement('button');
  const icon = drawing('svg');
  const path = drawing('path');
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.append(path);
  launcher.ariaHasPopup = 'dialog';
  launcher.append(icon);
  root.append(launcher);

  const emit = (event: ThreadlineEvent, detail?: unknown) =>
    host.dispatchEvent(new CustomEvent(event, { detail }));
  const lent: Lent = {
    host,
    launcher,
    inboxId,
    base,
    locale: () => locale || document.documentElement.lang || navigator.language,
    emit,
    draw(isOpen) {
      const [open, close] = launcherTextsOf(lent.locale());
      launcher.ariaLabel = isOpen ? close : open;
      launcher.ariaExpanded = `${isOpen}`;
      path.setAttribute('d', isOpen ? 'm6 9 6 6 6-6' : bubble);
    },
  };

  /** A failure is told by `error`; the launcher stays, and the next press tries again. */
  async function load(): Promise<void> {
    try {
      panel ??= import(base + PANEL).then(({ mount }) => mount(lent));
      const handle = await panel;
      for (const [name, ...args] of calls.splice(0)) await Reflect.get(handle, name)(...args);
    } catch (error) {
      panel = undefined;
      emit('error', error);
    }
  }

  const api = {
    /** Listeners get a `CustomEvent`; what it is about is its `detail`. */
    on: (event: ThreadlineEvent, listener: EventListener) => host.addEventListener(event, listener),
    off: (event: ThreadlineEvent, listener: EventListener) => host.removeEventListener(event, listener),
    setLocale(next: string) {
      locale = next;
      lent.draw(false);
      return pass('setLocale');
    },
    destroy() {
      host.remove();
      delete window.Threadline;
      return pass('destroy');
    },
    push: ([name, ...args]: Call) => Reflect.get(api, name)(...args),
  };
  function pass(...call: Call) {
    calls.push(call);
    return (panel !== undefined || wakes.test(call[0])) && load();
  }
  for (const name of ['open', 'close', 'toggle', 'identify', 'signOut']) {
    Reflect.set(api, name, (...args: unknown[]) => pass(name, ...args));
  }
  window.Threadline = api;

  launcher.onclick = () => pass('toggle', true);
  launcher.onpointerenter = launcher.onfocus = () => navigator.connection?.saveData || load();

  lent.draw(false);
  document.documentElement.append(host);
  // The top layer: no stacking context, transform or z-index of the page can cover or shift it.
  host.popover = 'manual';
  host.showPopover();
  early.forEach(api.push);

  // Somebody who wrote here before: what is unread, when the page has come to rest.
  if (token)
    setTimeout(() => panel ?? import(base + UNREAD).then(({ askUnread }) => askUnread(lent, token)), 2_000);
}

const script = document.currentScript;
const early = window.Threadline ?? [];
// Loaded a second time, it leaves the first one in place.
if (script instanceof HTMLScriptElement && script.dataset.inbox && Array.isArray(early)) {
  start(script, script.dataset.inbox, early);
}
