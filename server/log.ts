import pino from 'pino';

const messageLength = 500;
const causesAtMost = 4;

/**
 * An error as it may stand in a log: what kind it is, its code, its words, where it came from. Nothing else that hangs on
 * it: a driver's errors carry the documents that were to be written, and those hold what people wrote. Words that repeat
 * a value (which key was taken, which JSON could not be read) are cut where the value begins.
 */
function describeError(thrown: unknown, depth = 0): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  const { code, codeName } = thrown as { code?: unknown; codeName?: unknown };
  return {
    type: thrown.name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(typeof codeName === 'string' && { codeName }),
    message: thrown.message.replace(/\s*(?:dup key:|["'`]).*/s, ' …').slice(0, messageLength),
    stack: (thrown.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)),
    ...(thrown.cause !== undefined &&
      depth < causesAtMost && { cause: describeError(thrown.cause, depth + 1) }),
  };
}

/**
 * The one logger, as lines of JSON on standard error: standard output is for the person who started the process.
 * No text of a message, no token and no address of a person is ever handed to it; `redact` is the second net.
 */
export const log = pino(
  {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: (thrown: unknown) => describeError(thrown) },
    redact: {
      paths: [
        '*.token',
        '*.accessToken',
        '*.identityToken',
        '*.password',
        '*.secret',
        '*.authorization',
        '*.cookie',
        'req.headers',
      ],
      censor: '***',
    },
  },
  pino.destination({ dest: 2, sync: false }),
);
