import { createHash, hkdfSync, timingSafeEqual } from 'node:crypto';

export interface MetricsAccess {
  secretKey: string;
  metricsToken?: string;
}

/** What `threadline doctor` shows: whoever has the installation's key needs no second secret to read its figures. */
export const doctorToken = (secretKey: string): string =>
  Buffer.from(hkdfSync('sha256', secretKey, 'threadline', 'observe/doctor', 32)).toString('base64url');

/**
 * Whether a request may read the metrics. Where it comes from counts for nothing: behind a proxy on the same machine
 * the whole world comes from the loopback.
 */
export function mayReadMetrics(access: MetricsAccess, authorization: string | undefined): boolean {
  const shown = /^Bearer ([!-~]{1,200})$/.exec(authorization ?? '')?.[1];
  if (shown === undefined) return false;
  const accepted = [doctorToken(access.secretKey), access.metricsToken].filter(
    (token) => token !== undefined,
  );
  return accepted.some((token) => timingSafeEqual(hashOf(token), hashOf(shown)));
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();
