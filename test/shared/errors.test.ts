import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError, errorCatalogue, replyFor } from '../../shared/errors.js';

const documented = new Map(
  [
    ...readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').matchAll(
      /^\| `(\w+)` \| (\d+) \| (\w+) \|/gm,
    ),
  ].map(([, code, status, retry]) => [code, { status: Number(status), retry }]),
);

describe('the error catalogue', () => {
  it('is documented, code by code, and documents nothing else', () => {
    const catalogue = Object.entries(errorCatalogue).map(([code, { status, retry }]) => [
      code,
      { status, retry },
    ]);
    expect([...documented].sort()).toEqual(catalogue.sort());
  });

  it('tells a stranger nothing of an error that is not its own', () => {
    const reply = replyFor(new TypeError('secret path /etc/passwd'), 'request-1');
    expect(reply.code).toBe('internal');
    expect(JSON.stringify(reply)).not.toContain('passwd');
    expect(reply.requestId).toBe('request-1');
  });

  it('gives details of what it refused', () => {
    expect(new AppError('message_too_long', { limit: 8_000 }).toReply()).toMatchObject({
      code: 'message_too_long',
      retry: 'changed',
      details: { limit: 8_000 },
    });
  });
});
