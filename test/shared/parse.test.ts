import fc from 'fast-check';
import type * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as api from '../../shared/api.js';
import { AppError } from '../../shared/errors.js';
import { eventKinds } from '../../shared/events/kinds.js';
import { parse } from '../../shared/parse.js';
import * as protocol from '../../shared/protocol.js';

/** Every schema of what comes from outside, by its name. */
const schemas = new Map<string, v.GenericSchema>([
  ...Object.entries({ ...api, ...protocol }).flatMap(([name, value]): [string, v.GenericSchema][] =>
    isSchema(value) ? [[name, value]] : [],
  ),
  ...Object.entries(eventKinds).map(([kind, { body }]): [string, v.GenericSchema] => [kind, body]),
]);
function isSchema(value: unknown): value is v.GenericSchema {
  return typeof value === 'object' && value !== null && '~standard' in value;
}

function refusalOf(schema: v.GenericSchema, value: unknown): Record<string, unknown> | null {
  try {
    parse(schema, value);
    return null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, ...error.details };
  }
}

describe('what does not fit', () => {
  it('is told in words of our own, which repeat nothing that was sent, whatever was sent to whatever', () => {
    expect(schemas.size).toBeGreaterThan(40);
    const canary = 'hunter2-canary';
    const leaf = fc.constantFrom<unknown>(canary, `${canary}@x`, 4711, -1, 1.5, true, null, [canary], {}, '');
    const keys = fc.constantFrom(
      ...new Set([...schemas.values()].flatMap((schema) => Object.keys(entriesOf(schema)))),
    );
    const value = fc.oneof(leaf, fc.dictionary(keys, fc.oneof(leaf, fc.dictionary(keys, leaf))));
    fc.assert(
      fc.property(fc.constantFrom(...schemas), value, ([, schema], given) => {
        const refusal = refusalOf(schema, given);
        if (!refusal) return;
        expect(refusal).toEqual({
          code: 'bad_request',
          field: expect.any(String),
          problem: expect.any(String),
        });
        expect(refusal.problem).toMatch(/^[A-Z][^"{}]*\.$/);
        expect(JSON.stringify(refusal)).not.toMatch(/canary|4711|Invalid|[Rr]eceived|Expected/);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [api.SignIn, { email: 'a@b.example' }, 'password', 'Missing.'],
    [api.SignIn, { email: 'a@b.example', password: 4711 }, 'password', 'Not a text.'],
    [api.SignIn, { email: 'nobody', password: 'x' }, 'email', 'Not an e-mail address.'],
    [api.SignIn, { email: 'a@b.example', password: 'x', role: 'owner' }, 'role', 'Not known here.'],
    [api.Invite, { email: 'a@b.example', role: 'owner' }, 'role', 'None of the values that are taken.'],
    [api.ChangeContact, { fields: { name: 7 } }, 'fields.name', expect.any(String)],
    [
      api.InboxSettings,
      { quickReplies: ['a', 'b', 'c', 'd', 'e', 'f'] },
      'quickReplies',
      'At most 5 entries.',
    ],
    [api.InboxSettings, { allowedOrigins: ['https://a.example/x'] }, 'allowedOrigins.0', 'Not an origin.'],
    [api.AskPasswordReset, 'text', '', 'Not an object.'],
    [protocol.MarkRead, { conversationId: 'x', seq: 1.5 }, 'seq', 'Not a whole number.'],
    [protocol.MarkRead, { conversationId: 'x', seq: -1 }, 'seq', 'At least 0.'],
  ] as [v.GenericSchema, unknown, string, unknown][])(
    'names field and fault (%#)',
    (schema, given, field, problem) => {
      expect(refusalOf(schema, given)).toEqual({ code: 'bad_request', field, problem });
    },
  );

  it('names a field that is longer than any name no further than that', () => {
    const refusal = refusalOf(api.SignIn, { email: 'a@b.example', password: 'x', ['k'.repeat(5_000)]: 1 });
    expect(String(refusal?.field)).toHaveLength(200);
  });
});

/** The fields of an object's schema, so that what is tried comes near to what is taken. */
function entriesOf(schema: v.GenericSchema): object {
  return 'entries' in schema && typeof schema.entries === 'object' ? (schema.entries ?? {}) : {};
}
