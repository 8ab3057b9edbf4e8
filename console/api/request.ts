import type { SessionAnswer } from '../../shared/api.js';
import { type ErrorCode, type ErrorReply, errorCatalogue } from '../../shared/errors.js';

/** What a request is refused with. `reply` is the server's own, or one that says that it could not be reached. */
export class RequestError extends Error {
  readonly reply: ErrorReply;
  /** The request never reached the server, or its answer never came back. */
  readonly unreachable: boolean;

  constructor(reply: ErrorReply, unreachable = false) {
    super(reply.message);
    this.name = 'RequestError';
    this.reply = reply;
    this.unreachable = unreachable;
  }
}

/** Any thrown value as a reply that can be shown. */
export function replyOf(error: unknown): ErrorReply {
  if (error instanceof RequestError) return error.reply;
  console.error(error);
  return { code: 'internal', retry: 'same', message: errorCatalogue.internal.message };
}

interface SendOptions {
  body?: unknown;
  /** Raw bytes instead of JSON. */
  raw?: Blob;
  headers?: Record<string, string>;
  /** `session`: asks with the cookie alone. */
  as?: 'agent' | 'session';
  signal?: AbortSignal;
}

/** The one way to the server over HTTP. Everything above it can be tested against an object of this shape. */
export interface Transport {
  /** @throws RequestError */
  json(method: string, path: string, options?: SendOptions): Promise<unknown>;
  /** @throws RequestError */
  blob(path: string): Promise<Blob>;
  /** A token that is still valid for a while; asks for a new one when it is not. @throws RequestError */
  accessToken(): Promise<string>;
  /** Takes over what a sign-in answered; null forgets it. */
  take(session: SessionAnswer | null): void;
  /** Asks for a session with the cookie alone. Asked twice at once it asks the server once. @throws RequestError */
  refresh(): Promise<SessionAnswer>;
}

const unreachableReply: ErrorReply = {
  code: 'store_unavailable',
  retry: 'same',
  message: 'The server cannot be reached.',
};

interface TransportOptions {
  fetch: typeof globalThis.fetch;
  /** Milliseconds, for the token's age. */
  now: () => number;
  onSignedOut: () => void;
  /** Serialises tabs: the refresh cookie rotates, and two tabs that show the same one look like a thief. */
  exclusively?: <T>(work: () => Promise<T>) => Promise<T>;
}

export function createTransport(options: TransportOptions): Transport {
  const exclusively = options.exclusively ?? ((work) => work());
  let token: { value: string; until: number } | null = null;
  let refreshing: Promise<SessionAnswer> | null = null;

  async function send(
    method: string,
    path: string,
    init: SendOptions,
    bearer: string | null,
  ): Promise<Response> {
    try {
      return await options.fetch(path, {
        method,
        credentials: 'same-origin',
        headers: {
          accept: 'application/json',
          ...(init.body !== undefined && { 'content-type': 'application/json' }),
          ...(bearer && { authorization: `Bearer ${bearer}` }),
          ...init.headers,
        },
        ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
        ...(init.raw && { body: init.raw }),
        ...(init.signal && { signal: init.signal }),
      });
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
      throw new RequestError(unreachableReply, true);
    }
  }

  async function checked(response: Response): Promise<Response> {
    if (response.ok) return response;
    throw new RequestError(await readError(response), response.status === 502 || response.status === 504);
  }

  const transport: Transport = {
    async json(method, path, init = {}) {
      const response =
        init.as === 'session'
          ? await send(method, path, init, null)
          : await withToken((bearer) => send(method, path, init, bearer));
      await checked(response);
      if (response.status === 204) return {};
      const text = await response.text();
      return text === '' ? {} : JSON.parse(text);
    },
    async blob(path) {
      return (await checked(await withToken((bearer) => send('GET', path, {}, bearer)))).blob();
    },
    async accessToken() {
      // Half a minute before its end it counts as ended: a request takes time too.
      if (token && token.until - 30_000 > options.now()) return token.value;
      return (await transport.refresh()).accessToken;
    },
    take(session) {
      token = session && {
        value: session.accessToken,
        until: options.now() + session.expiresInSeconds * 1_000,
      };
    },
    refresh() {
      refreshing ??= exclusively(async () => {
        const response = await checked(await send('POST', '/api/sessions/refresh', {}, null));
        const session: SessionAnswer = await response.json();
        transport.take(session);
        return session;
      }).finally(() => {
        refreshing = null;
      });
      return refreshing;
    },
  };

  /** Sends with a valid token; a token refused all the same (revoked, clocks apart) is renewed once. */
  async function withToken(sendWith: (bearer: string) => Promise<Response>): Promise<Response> {
    try {
      const response = await sendWith(await transport.accessToken());
      if (response.status !== 401) return response;
      transport.take(null);
      return await sendWith(await transport.accessToken());
    } catch (error) {
      if (error instanceof RequestError && !error.unreachable && isSignedOut(error.reply.code)) {
        transport.take(null);
        options.onSignedOut();
      }
      throw error;
    }
  }

  return transport;
}

const isSignedOut = (code: ErrorCode) => code === 'unauthorized' || code === 'token_expired';

async function readError(response: Response): Promise<ErrorReply> {
  const fallback: ErrorReply = {
    code: response.status === 403 ? 'forbidden' : response.status === 404 ? 'not_found' : 'internal',
    retry: response.status >= 500 ? 'same' : 'never',
    message: `The server answered ${response.status}.`,
  };
  try {
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null || !('error' in body)) return fallback;
    const { error } = body;
    return isErrorReply(error) ? error : fallback;
  } catch {
    // A proxy's page instead of our answer.
    return fallback;
  }
}

/** Whether something is a reply of this release: an unknown code is not. */
export function isErrorReply(value: unknown): value is ErrorReply {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    value.code in errorCatalogue
  );
}
