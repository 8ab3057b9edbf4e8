/**
 * The one catalogue of errors. A caller decides by `code`; an outbox or a job decides by `retry` alone:
 * `same` (send the very same again, later), `changed` (only after the sender changed something), `never`.
 * `message` is English for developers and logs; what people read is in the message catalogues, by code.
 * docs/errors.md explains each code and is held to this list by a test.
 */
export const errorCatalogue = {
  bad_request: { status: 400, retry: 'changed', message: 'The request does not have the expected shape.' },
  event_invalid: { status: 400, retry: 'changed', message: 'The event does not have the expected shape.' },
  message_empty: { status: 400, retry: 'changed', message: 'A message needs text or a file.' },
  message_too_long: {
    status: 413,
    retry: 'changed',
    message: 'The message is longer than a message may be.',
  },
  too_large: { status: 413, retry: 'changed', message: 'The request is larger than allowed.' },
  too_deep: { status: 400, retry: 'changed', message: 'The data is nested deeper than allowed.' },
  unsafe_key: { status: 400, retry: 'changed', message: 'The data holds a key that is not allowed.' },
  file_too_large: { status: 413, retry: 'changed', message: 'The file is larger than a file may be.' },
  upload_incomplete: {
    status: 400,
    retry: 'same',
    message: 'The upload ended before the file was complete.',
  },
  unauthorized: { status: 401, retry: 'changed', message: 'Sign in, or present a valid token.' },
  token_expired: { status: 401, retry: 'changed', message: 'The token has expired: ask for a new one.' },
  identity_token_invalid: { status: 401, retry: 'changed', message: 'The identity token was not accepted.' },
  credentials_wrong: {
    status: 401,
    retry: 'changed',
    message: 'The e-mail address or the password is wrong.',
  },
  forbidden: { status: 403, retry: 'never', message: 'You are not allowed to do this.' },
  origin_not_allowed: {
    status: 403,
    retry: 'never',
    message: "This site is not on the inbox's list of allowed origins.",
  },
  foreign_page: { status: 403, retry: 'never', message: "Only this server's own pages may ask for this." },
  blocked: { status: 403, retry: 'never', message: 'This conversation does not take messages.' },
  not_found: { status: 404, retry: 'never', message: 'There is nothing here under that name.' },
  inbox_not_found: { status: 404, retry: 'never', message: 'There is no such inbox.' },
  conversation_not_found: { status: 404, retry: 'never', message: 'There is no such conversation.' },
  contact_not_found: { status: 404, retry: 'never', message: 'There is no such contact.' },
  method_not_allowed: { status: 405, retry: 'never', message: 'This address does not take that method.' },
  conflict: {
    status: 409,
    retry: 'changed',
    message: 'Somebody changed this in the meantime: read it again.',
  },
  already_exists: { status: 409, retry: 'changed', message: 'This exists already.' },
  too_many_conversations: {
    status: 409,
    retry: 'changed',
    message: 'As many conversations are open as may be: go on in one of them.',
  },
  merge_refused: { status: 409, retry: 'changed', message: 'These contacts cannot be merged.' },
  link_used: {
    status: 410,
    retry: 'never',
    message: 'This link was used or has expired: ask for a new one.',
  },
  protocol_too_old: {
    status: 426,
    retry: 'never',
    message: 'This page is older than the server: load it again.',
  },
  rate_limited: {
    status: 429,
    retry: 'same',
    message: 'Too many requests: wait as long as `retryAfterMs` says.',
  },
  email_not_configured: {
    status: 409,
    retry: 'changed',
    message: 'Outgoing mail is not set up: set SMTP_URL.',
  },
  store_unavailable: { status: 503, retry: 'same', message: 'The store does not answer at the moment.' },
  store_full: {
    status: 507,
    retry: 'same',
    message: 'The disk is full: free some space; nothing acknowledged is lost.',
  },
  store_corrupt: {
    status: 500,
    retry: 'never',
    message: "The store's file is damaged: restore it from a backup.",
  },
  store_locked: { status: 500, retry: 'never', message: 'Another process has this data directory open.' },
  config_invalid: {
    status: 500,
    retry: 'changed',
    message: 'A configuration variable has a value that is not accepted.',
  },
  shutting_down: { status: 503, retry: 'same', message: 'The server is stopping: connect again.' },
  internal: {
    status: 500,
    retry: 'same',
    message: 'Something failed on the server. It has been logged under the request id.',
  },
} as const satisfies Record<string, { status: number; retry: Retry; message: string }>;

export type Retry = 'same' | 'changed' | 'never';
export type ErrorCode = keyof typeof errorCatalogue;

/** What an error looks like outside the process: in an HTTP body (`{error: …}`) and in a socket's acknowledgement. */
export interface ErrorReply {
  code: ErrorCode;
  retry: Retry;
  message: string;
  /** Facts that help the reader: the limit, the field, `retryAfterMs`. Never internals. */
  details?: Record<string, string | number | boolean>;
  requestId?: string;
}

/** The one error that operations throw on purpose. `details` reach the caller: put no internals there. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, string | number | boolean> | undefined;

  constructor(code: ErrorCode, details?: Record<string, string | number | boolean>, options?: ErrorOptions) {
    super(errorCatalogue[code].message, options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }

  get retry(): Retry {
    return errorCatalogue[this.code].retry;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  /** The reply a stranger may see. */
  toReply(requestId?: string): ErrorReply {
    return {
      code: this.code,
      retry: this.retry,
      message: this.message,
      ...(this.details && { details: this.details }),
      ...(requestId && { requestId }),
    };
  }
}

/** Any thrown value as the reply a stranger may see: what is not ours is `internal`. */
export function replyFor(error: unknown, requestId?: string): ErrorReply {
  return (error instanceof AppError ? error : new AppError('internal')).toReply(requestId);
}
