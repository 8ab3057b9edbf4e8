import type { Doc, Value } from '../bson/types.js';
import { dollarPrefixed, StoreError } from '../errors.js';
import { typeName } from '../values/compare.js';

/**
 * Names with dots and dollars are stored as they are, but an update puts no `$` at the top of a document that is there:
 * it would look like an operator. The parts of an old database reference are let through, in their order.
 *
 * @throws StoreError `DollarPrefixedFieldName` (52), `InvalidDBRef` (55)
 */
export function checkTopName(doc: Doc, name: string): void {
  if (!name.startsWith('$')) return;
  const names = [...doc.keys()];
  const at = names.indexOf(name);
  if (name === '$ref') {
    checkText(name, doc.get(name));
    if (names[at + 1] !== '$id') throw notReference('The DBRef $ref field must be followed by a $id field');
  } else if (name === '$id') {
    if (names[at - 1] !== '$ref')
      throw notReference('Found $id field without a $ref before it, which is invalid.');
  } else if (name === '$db') {
    checkText(name, doc.get(name));
    if (names[at - 1] !== '$id')
      throw notReference('Found $db field without a $id before it, which is invalid.');
  } else
    throw dollarPrefixed(
      `The dollar ($) prefixed field '${name}' in '${name}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
    );
}

function checkText(name: string, value: Value | undefined): void {
  if (typeof value !== 'string')
    throw notReference(`The DBRef ${name} field must be a String, not a ${typeName(value)}`);
}

const notReference = (message: string) => new StoreError(55, 'InvalidDBRef', message);
