import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { type Change, changesBetween, type Part } from './difference.js';
import { isIndex } from './paths.js';

/** What changed in a document, as change streams tell it: by dotted paths. */
export interface Description {
  readonly updatedFields: Doc;
  readonly removedFields: string[];
  /** `{field, newSize}` of each array that lost its end. */
  readonly truncatedArrays: Doc[];
  /** The parts of those paths that can be read in two ways: fields as texts, elements as numbers. */
  readonly disambiguatedPaths: Doc;
}

/**
 * @param touched the paths that the update's operators changed; without any the two documents are compared, as MongoDB
 *   does after an update by pipeline
 */
export function describe(before: Doc, after: Doc, touched: readonly (readonly string[])[] = []): Description {
  const description: Description = {
    updatedFields: new Map(),
    removedFields: [],
    truncatedArrays: [],
    disambiguatedPaths: new Map(),
  };
  const changes =
    touched.length > 0 ? touched.map((path) => changeAt(path, after)) : changesBetween(before, after);
  for (const change of changes) tell(description, change);
  return description;
}

function tell(description: Description, change: Change): void {
  const name = change.path.join('.');
  if (change.kind === 'set') description.updatedFields.set(name, change.value);
  else if (change.kind === 'remove') description.removedFields.push(name);
  else
    description.truncatedArrays.push(
      new Map<string, Value>([
        ['field', name],
        ['newSize', new Int32(change.length)],
      ]),
    );
  if (isAmbiguous(change.path))
    description.disambiguatedPaths.set(
      name,
      change.path.map((part) => (typeof part === 'number' ? new Int32(part) : part)),
    );
}

/** A field whose name has a dot reads like two, one whose name is a number like an element; at the top there are none. */
const isAmbiguous = (path: readonly Part[]): boolean =>
  path.some((part, at) => typeof part === 'string' && (part.includes('.') || (at > 0 && isIndex(part))));

/** What stands at a path now; what does not was removed. */
function changeAt(names: readonly string[], doc: Doc): Change {
  const path: Part[] = [];
  let value: Value | undefined = doc;
  for (const name of names) {
    if (Array.isArray(value)) {
      path.push(Number(name));
      value = value[Number(name)];
    } else {
      path.push(name);
      value = value instanceof Map ? value.get(name) : undefined;
    }
  }
  return value === undefined ? { kind: 'remove', path } : { kind: 'set', path, value };
}
