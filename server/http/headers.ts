import type { RequestHandler } from 'express';
import helmet from 'helmet';

interface Served {
  publicUrl: string;
  /** Where recordings of calls may be played from. */
  recordingOrigins: readonly string[];
}

/**
 * Headers of every answer. The console runs under a policy without `unsafe-inline` and without any foreign host but
 * those that the operator named for recordings; it cannot be framed. HSTS only when browsers reach us by TLS: over plain HTTP it would lock a first installation out.
 */
export function securityHeaders(config: Served): RequestHandler {
  const isTls = config.publicUrl.startsWith('https:');
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: consolePolicy(config),
    },
    strictTransportSecurity: isTls && { maxAge: 365 * 24 * 3_600, includeSubDomains: false },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    crossOriginEmbedderPolicy: false,
    xPoweredBy: true,
  });
}

/** Where a page of ours may connect to: itself, and the sockets of the same host, which `'self'` does not cover everywhere. */
export const ownSockets = (publicUrl: string): string => publicUrl.replace(/^http/, 'ws');

function consolePolicy({ publicUrl, recordingOrigins }: Served): Record<string, string[]> {
  return {
    'default-src': ["'self'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'img-src': ["'self'", 'blob:', 'data:'],
    'media-src': ["'self'", 'blob:', ...recordingOrigins],
    'font-src': ["'self'"],
    // A recording is read, too, where its host allows it: its wave is drawn from it.
    'connect-src': ["'self'", ownSockets(publicUrl), ...recordingOrigins],
    // A letter's HTML is shown in a sandboxed frame of our own that has an even stricter policy.
    'frame-src': ["'self'", 'blob:'],
    'object-src': ["'none'"],
    'base-uri': ["'none'"],
    'form-action': ["'self'"],
    'frame-ancestors': ["'none'"],
  };
}
