import { createPublicKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import * as v from 'valibot';
import { AppError } from '../../../shared/errors.js';
import { limits } from '../../../shared/limits.js';
import { EmailAddress, shortText } from '../../../shared/text.js';
import type { InboxRow } from '../../inboxes/model.js';

/**
 * What a site's own back end says about the customer in front of it. Its signature proves who is signed in (`sub`).
 * An address or a number becomes an identity only when the company says that it verified it: with most sites anybody
 * can enter anybody's. Else it is a claim.
 */
export interface StatedIdentity {
  /** The company's own id of the customer. */
  externalId: string;
  name?: string | undefined;
  email?: { value: string; proved: boolean } | undefined;
  phone?: { value: string; proved: boolean } | undefined;
}

const Claims = v.object({
  sub: v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(200),
    v.check((text) => text.isWellFormed()),
  ),
  exp: v.number(),
  iat: v.optional(v.number()),
  aud: v.optional(v.union([v.string(), v.pipe(v.array(v.string()), v.maxLength(20))])),
  workspace: v.optional(v.string()),
  name: v.optional(shortText()),
  email: v.optional(EmailAddress),
  email_verified: v.optional(v.boolean()),
  phone: v.optional(v.pipe(v.string(), v.maxLength(40))),
  phone_verified: v.optional(v.boolean()),
});

type Reason = 'malformed' | 'key' | 'signature' | 'expired' | 'not_yet' | 'lifetime' | 'workspace' | 'claims';
const refuse = (reason: Reason, cause?: unknown): never => {
  throw new AppError('identity_token_invalid', { reason }, cause === undefined ? {} : { cause });
};

type VerifyKey = { key: string; algorithm: 'HS256' | 'RS256' | 'ES256' };

/** The one key and algorithm that this inbox's settings name; a token's header decides nothing. */
function keyOf(inbox: InboxRow): VerifyKey {
  if (inbox.identityPublicKey === null) return { key: inbox.identitySecret, algorithm: 'HS256' };
  const isRsa = createPublicKey(inbox.identityPublicKey).asymmetricKeyType === 'rsa';
  return { key: inbox.identityPublicKey, algorithm: isRsa ? 'RS256' : 'ES256' };
}

/**
 * Verifies an identity token for this inbox. It must name the customer (`sub`), an end (`exp`) and this workspace (`aud`
 * or `workspace`); a `kid`, when there is one, must be the inbox's id.
 * @throws AppError `identity_token_invalid` with `reason`
 */
export function readIdentityToken(inbox: InboxRow, token: string, now = Date.now()): StatedIdentity {
  const { key, algorithm } = keyOf(inbox);
  const kid = keyNamed(token);
  if (kid !== undefined && kid !== inbox._id) return refuse('key');
  const claims = parseClaims(verified(token, key, algorithm, now));
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  if (!audiences.includes(inbox.workspaceId) && claims.workspace !== inbox.workspaceId) refuse('workspace');
  checkLifetime(claims, now);
  return {
    externalId: claims.sub,
    name: claims.name,
    email:
      claims.email === undefined
        ? undefined
        : { value: claims.email, proved: claims.email_verified === true },
    phone: claims.phone === undefined ? undefined : phoneOf(claims.phone, claims.phone_verified),
  };
}

/** What an unverified header calls its key. Decoding throws at a payload that is no JSON: that is the sender's fault too. */
function keyNamed(token: string): unknown {
  try {
    const decoded = jwt.decode(token, { complete: true });
    return decoded ? decoded.header.kid : refuse('malformed');
  } catch (error) {
    if (error instanceof AppError) throw error;
    return refuse('malformed', error);
  }
}

function verified(token: string, key: string, algorithm: VerifyKey['algorithm'], now: number): unknown {
  try {
    return jwt.verify(token, key, {
      algorithms: [algorithm],
      clockTolerance: limits.identityTokenLeewaySeconds,
      clockTimestamp: Math.floor(now / 1_000),
    });
  } catch (error) {
    if (error instanceof jwt.TokenExpiredError) return refuse('expired');
    if (error instanceof jwt.NotBeforeError) return refuse('not_yet');
    return refuse('signature', error);
  }
}

function parseClaims(payload: unknown): v.InferOutput<typeof Claims> {
  const result = v.safeParse(Claims, payload);
  return result.success ? result.output : refuse('claims');
}

/** A token that is meant to live long counts as ending after `identityTokenLifeSeconds`: stolen, it is of little use. */
function checkLifetime({ exp, iat }: { exp: number; iat?: number | undefined }, now: number): void {
  const seconds = now / 1_000;
  const life = limits.identityTokenLifeSeconds;
  if (iat === undefined) {
    if (exp - seconds > life + limits.identityTokenLeewaySeconds) refuse('lifetime');
    return;
  }
  if (iat > seconds + limits.identityTokenLeewaySeconds) refuse('not_yet');
  if (seconds > Math.min(exp, iat + life) + limits.identityTokenLeewaySeconds) refuse('expired');
}

/** A number that is not in the international form could be read in several ways: nothing proves that. */
function phoneOf(phone: string, isVerified: boolean | undefined): { value: string; proved: boolean } {
  const value = phone.replace(/[\s().-]/g, '');
  return { value, proved: isVerified === true && /^\+[1-9]\d{6,14}$/.test(value) };
}
