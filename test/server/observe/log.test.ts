import mongoose from 'mongoose';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { log } from '../../../server/log.js';
import { correlationOf } from '../../../server/observe/correlation.js';
import { AppError } from '../../../shared/errors.js';

/** What a line would hold, by the very serializers and redaction of the one logger. */
function written(fields: object): string {
  const serializers = (log as unknown as Record<symbol, Record<string, (value: unknown) => unknown>>)[
    pino.symbols.serializersSym
  ];
  return JSON.stringify(
    Object.entries(fields).map(([name, value]) => [name, serializers?.[name]?.(value) ?? value]),
  );
}

describe('an error in the log', () => {
  it('says what it is and where it came from, through its causes', () => {
    const error = new AppError('internal', undefined, { cause: new RangeError('Offset is out of bounds') });
    const text = written({ err: error });
    expect(text).toContain('AppError');
    expect(text).toContain('"code":"internal"');
    expect(text).toContain('RangeError');
    expect(text).toContain('Offset is out of bounds');
    expect(text).toContain('log.test.ts');
  });

  it('repeats nothing of what was to be written', () => {
    const canary = 'canary-of-a-visitor';
    const bulk = Object.assign(new mongoose.mongo.MongoServerError({ code: 11_000 }), {
      message: `E11000 duplicate key error collection: t.identities index: x dup key: { value: "${canary}" }`,
      writeErrors: [{ err: { op: { body: { text: canary } } } }],
      keyValue: { value: canary },
    });
    let json: unknown;
    try {
      JSON.parse(`${canary} {`);
    } catch (error) {
      json = error;
    }
    for (const err of [
      bulk,
      json,
      new Error('outer', { cause: bulk }),
      new TypeError(`Cast to string failed for value "{ text: '${canary}' }" at path "text"`),
      { message: canary },
      canary,
    ]) {
      expect(written({ err })).not.toContain(canary);
    }
    expect(written({ err: bulk })).toContain('11000');
  });
});

describe('a correlation id', () => {
  it('is the client’s own name for what it sent, where that is one', () => {
    expect(correlationOf({ clientId: 'client-000001', text: 'x' })).toBe('client-000001');
    for (const body of [
      undefined,
      null,
      'client-000001',
      {},
      { clientId: 7 },
      { clientId: 'short' },
      { clientId: 'with a\nline break' },
      { clientId: 'x'.repeat(65) },
    ]) {
      expect(correlationOf(body)).toBeUndefined();
    }
  });
});
