import pino from 'pino';

/**
 * The one logger, as lines of JSON on standard error: standard output is for the person who started the process.
 * No text of a message, no token and no address of a person is ever handed to it; `redact` is the second net.
 */
export const log = pino(
  {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
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
