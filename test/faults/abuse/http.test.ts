import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { post } from '../../server/http/app.js';
import { type Attacked, isLong, startAttacked, whileOthersTalk } from './attacked.js';

/** What strangers send over HTTP to a real process, while others go on talking. */
let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
  await whileOthersTalk(attacked, async () => undefined);
});
afterAll(async () => {
  expect(attacked.server.output()).not.toMatch(/uncaught|unhandled|request failed/i);
  await attacked.remove();
});

const roomForMemory = 50 * 1024 * 1024;
const megabyte = 1024 * 1024;

const bombs: [string, () => { body: Buffer; encoding?: string }][] = [
  ['10 MB', () => ({ body: Buffer.alloc(10 * megabyte, 0x61) })],
  ['10 MB of JSON', () => ({ body: Buffer.from(JSON.stringify({ email: 'x'.repeat(10 * megabyte) })) })],
  ['a depth of 50,000', () => ({ body: Buffer.from(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) })],
  ['objects as deep', () => ({ body: Buffer.from(`${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`) })],
  [
    'a million keys',
    () => ({ body: Buffer.from(`{${Array.from({ length: 1_000_000 }, (_, n) => `"${n}":1`).join()}}`) }),
  ],
  [
    'as many keys as a body holds',
    () => ({ body: Buffer.from(`{${Array.from({ length: 20_000 }, (_, n) => `"${n}":1`).join()}}`) }),
  ],
  ['1e400', () => ({ body: Buffer.from('{"email":1e400,"password":"x"}') })],
  ['lone surrogates', () => ({ body: Buffer.from('{"email":"\\ud800@x.example","password":"\\udfff"}') })],
  ['bytes that are no UTF-8', () => ({ body: Buffer.from([0x22, 0xff, 0xfe, 0xc0, 0x80, 0x22]) })],
  ['gzip of 64 MB', () => ({ body: gzipSync(Buffer.alloc(64 * megabyte)), encoding: 'gzip' })],
  ['brotli of 64 MB', () => ({ body: brotliCompressSync(Buffer.alloc(64 * megabyte)), encoding: 'br' })],
];

describe('A14: bodies made to burst', () => {
  it('are refused in words, cost no memory, and nobody else feels them', { timeout: 120_000 }, async () => {
    const { at } = attacked;
    const made = bombs.map(([name, make]) => ({ name, ...make() }));
    const paths = ['/api/sessions', '/v1/visitor/session', '/api/password-resets'];
    await whileOthersTalk(attacked, async () => {
      const before = attacked.memoryBytes();
      let highest = before;
      const look = setInterval(() => {
        highest = Math.max(highest, attacked.memoryBytes());
      }, 20);
      for (let round = 0; round < (isLong ? 50 : 2); round += 1) {
        for (const { name, body, encoding } of made) {
          const answers = await Promise.all(
            paths.map(async (path) => {
              const answer = await fetch(`${at.url}${path}`, {
                method: 'POST',
                headers: {
                  'content-type': 'application/json',
                  ...(encoding !== undefined && { 'content-encoding': encoding }),
                },
                body: new Uint8Array(body),
                // A server that refuses a long body before it was sent may end the connection before it is read.
              }).catch((error: unknown) => error);
              if (!(answer instanceof Response)) return 'cut';
              const { error } = (await answer.json()) as { error?: { code: string; message: string } };
              expect([name, error?.code]).toEqual([name, expect.any(String)]);
              expect(error?.message).not.toMatch(/JSON|position|token/);
              return answer.status;
            }),
          );
          for (const status of answers)
            expect([name, status]).toEqual([name, expect.toBeOneOf([400, 413, 'cut'])]);
        }
      }
      clearInterval(look);
      expect(highest - before).toBeLessThan(roomForMemory);
    });
    expect((await post(at, '/api/sessions', { email: 'nobody@x.example', password: 'x' })).status).toBe(401);
  });
});
