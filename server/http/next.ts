/**
 * Where to go after something, as an address of our own: a path on this origin and nothing else. `//host`, `/\host`,
 * `https:host` and `javascript:` all lead elsewhere in some browser, and become `fallback`.
 */
export function ownPath(next: unknown, fallback = '/'): string {
  if (typeof next !== 'string' || !/^\/(?![/\\])[^\\\u0000-\u001f\u007f]{0,1000}$/.test(next))
    return fallback;
  const base = 'http://own.invalid';
  if (!URL.canParse(next, base)) return fallback;
  const url = new URL(next, base);
  return url.origin === base ? `${url.pathname}${url.search}${url.hash}` : fallback;
}
