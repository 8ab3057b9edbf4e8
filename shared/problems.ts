import type * as v from 'valibot';

/**
 * What does not fit, in words of our own: what the validator says by itself would change with its version, and repeats
 * what the sender sent, a password among it.
 */

const ofSchemas: Readonly<Record<string, string>> = {
  string: 'Not a text.',
  number: 'Not a number.',
  boolean: 'Neither true nor false.',
  date: 'Not a time.',
  array: 'Not a list.',
  tuple: 'Not a list.',
  object: 'Not an object.',
  strict_object: 'Not an object.',
  record: 'Not an object.',
  picklist: 'None of the values that are taken.',
  literal: 'Not the value that is taken.',
  union: 'None of the shapes that are taken.',
  variant: 'None of the shapes that are taken.',
};

const ofChecks: Readonly<Record<string, (requirement: unknown, input: unknown) => string>> = {
  min_length: (least, input) => `At least ${least} ${unitOf(input)}.`,
  max_length: (most, input) => `At most ${most} ${unitOf(input)}.`,
  max_bytes: (most) => `At most ${most} bytes.`,
  min_value: (least) => `At least ${least}.`,
  max_value: (most) => `At most ${most}.`,
  integer: () => 'Not a whole number.',
  safe_integer: () => 'Not a whole number that can be told exactly.',
  regex: () => 'Not of the form that is expected.',
};

const unitOf = (input: unknown): string => (Array.isArray(input) ? 'entries' : 'characters');

/** Said where the schema itself says nothing better. Never holds what was sent. */
export function problemOf(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== 'schema') {
    return ofChecks[issue.type]?.(issue.requirement, issue.input) ?? 'Not accepted.';
  }
  // A strict object reports a field that it does not know as one that should never be there.
  if (issue.expected === 'never') return 'Not known here.';
  if (issue.input === undefined) return 'Missing.';
  return ofSchemas[issue.type] ?? 'Not accepted.';
}
