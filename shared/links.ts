/**
 * Links into the console that carry a one-time token. It stands after the `#`, which browsers send to no server: it
 * reaches no log, no proxy and no referrer.
 */
export type LinkKind = 'setup' | 'reset' | 'invitation';

export const consoleLink = (publicUrl: string, kind: LinkKind, token: string): string =>
  `${publicUrl}/#${kind}=${token}`;

/** What a page's `location.hash` asks for; null when it is no such link. */
export function readConsoleLink(hash: string): { kind: LinkKind; token: string } | null {
  const match = /^#(setup|reset|invitation)=([0-9a-zA-Z_-]{20,100})$/.exec(hash);
  if (!match) return null;
  const [, kind, token] = match;
  return { kind: kind as LinkKind, token: token ?? '' };
}
