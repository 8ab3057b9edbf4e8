import { location } from '../errors.js';

const plain = /^[A-Za-z0-9_\u0080-\u{10ffff}]$/u;

function assertCharacters(name: string, code: number): void {
  for (const character of [...name].slice(1))
    if (!plain.test(character))
      throw location(code, `'${name}' contains an invalid character for a variable name: '${character}'`);
}

/** @throws StoreError when no variable can have the name, whoever binds it */
export function assertReadable(name: string): void {
  if (name === '') throw location(16869, 'empty variable names are not allowed');
  if (!/^[A-Za-z\u0080-\u{10ffff}]/u.test(name))
    throw location(16870, `'${name}' starts with an invalid character for a variable name`);
  assertCharacters(name, 16871);
}

/** @throws StoreError when an expression may not bind the name. Capitals are the system's, but CURRENT may be bound anew. */
export function assertBindable(name: string): void {
  if (name === '') throw location(16866, 'empty variable names are not allowed');
  if (name !== 'CURRENT' && !/^[a-z\u0080-\u{10ffff}]/u.test(name))
    throw location(16867, `'${name}' starts with an invalid character for a user variable name`);
  assertCharacters(name, 16868);
}
