import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * SCRAM-SHA-256 (RFC 5802, 7677), the server's side: neither the password nor anything that could stand for it travels.
 */

const iterations = 15_000;
const keyBytes = 32;

export interface Credentials {
  user: string;
  salt: Buffer;
  storedKey: Buffer;
  serverKey: Buffer;
}

export class AuthenticationError extends Error {}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();

export function credentialsFor(user: string, password: string): Credentials {
  const salt = randomBytes(28);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, keyBytes, 'sha256');
  return {
    user,
    salt,
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  };
}

/** `a=b,c=d` as a map. @throws AuthenticationError */
function attributesOf(message: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of message.split(',')) {
    if (part[1] !== '=') throw new AuthenticationError('a malformed message');
    found.set(part[0]!, part.slice(2));
  }
  return found;
}

const nameOf = (escaped: string) => escaped.replace(/=2C/g, ',').replace(/=3D/g, '=');

export interface Exchange {
  /** The next message for the client, and whether it is proved now. @throws AuthenticationError */
  next(payload: Buffer): { payload: Buffer; isProved: boolean };
}

/** One conversation: first message, proof, and an empty closing message for clients that want one. */
export function startExchange(credentials: Credentials): Exchange {
  let state: 'first' | 'proof' | 'proved' = 'first';
  let clientFirst = '';
  let serverFirst = '';
  let nonce = '';

  function first(message: string): string {
    // n,, : no channel binding, no other identity.
    if (!/^[ny],,/.test(message)) throw new AuthenticationError('channel binding is not supported');
    clientFirst = message.slice(3);
    const attributes = attributesOf(clientFirst);
    const clientNonce = attributes.get('r');
    if (!clientNonce || nameOf(attributes.get('n') ?? '') !== credentials.user)
      throw new AuthenticationError('unknown user');
    nonce = clientNonce + randomBytes(24).toString('base64');
    serverFirst = `r=${nonce},s=${credentials.salt.toString('base64')},i=${iterations}`;
    return serverFirst;
  }

  function proof(message: string): string {
    const attributes = attributesOf(message);
    const given = Buffer.from(attributes.get('p') ?? '', 'base64');
    const withoutProof = message.slice(0, message.lastIndexOf(',p='));
    const signed = `${clientFirst},${serverFirst},${withoutProof}`;
    const signature = hmac(credentials.storedKey, signed);
    if (attributes.get('r') !== nonce || given.length !== signature.length)
      throw new AuthenticationError('a wrong proof');
    const clientKey = Buffer.from(given.map((byte, at) => byte ^ signature[at]!));
    if (!timingSafeEqual(sha256(clientKey), credentials.storedKey))
      throw new AuthenticationError('a wrong proof');
    return `v=${hmac(credentials.serverKey, signed).toString('base64')}`;
  }

  return {
    next(payload) {
      const message = payload.toString('utf8');
      if (state === 'first') {
        state = 'proof';
        return { payload: Buffer.from(first(message)), isProved: false };
      }
      if (state === 'proof') {
        const answer = proof(message);
        state = 'proved';
        return { payload: Buffer.from(answer), isProved: true };
      }
      return { payload: Buffer.alloc(0), isProved: true };
    },
  };
}
