/**
 * Whether a page of `origin` may hold the widget. An entry is an origin, one whose host begins with `*.` (any name
 * below it, not the name itself), or `*`. What a browser calls `null` (a sandboxed frame, a file) is no site.
 */
export function isOriginAllowed(allowed: readonly string[], origin: string): boolean {
  const shown = originOf(origin);
  if (shown === null) return false;
  return allowed.some((entry) => {
    if (entry === '*') return true;
    const star = /^(https?):\/\/\*\.([^/*]+)$/.exec(entry.toLowerCase());
    if (star) return isBelow(shown, `${star[1]}://${star[2]}`);
    const named = originOf(entry);
    return named !== null && (named.origin === shown.origin || areSameLoopback(named, shown));
  });
}

function originOf(text: string): URL | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.pathname === '/' && url.search === '' && url.username === '' ? url : null;
}

function isBelow(shown: URL, parent: string): boolean {
  if (!URL.canParse(parent)) return false;
  const { protocol, host } = new URL(parent);
  return shown.protocol === protocol && shown.host.endsWith(`.${host}`);
}

/** `localhost`, `127.0.0.1` and `[::1]` are one place to whoever tries this on their own machine. */
const areSameLoopback = (one: URL, other: URL): boolean =>
  isLoopback(one.hostname) &&
  isLoopback(other.hostname) &&
  one.protocol === other.protocol &&
  one.port === other.port;
const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '127.0.0.1' || host === '[::1]';
