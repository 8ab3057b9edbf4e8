import type { Doc, Value } from '../bson/types.js';
import { nowhere, outside, type Path, reach } from '../values/path.js';

/** What filters are compiled to, and how parts of them are put together. */

export type Matcher = (doc: Doc) => boolean;
export type Test = (value: Value | undefined) => boolean;

export interface Condition {
  readonly matches: Matcher;
  /** The place in the outermost array whose element fulfilled it; `outside` of arrays, `nowhere` when nothing did. */
  readonly locate: (doc: Doc) => number;
}

/** What is asked of a field, before it is known of which. */
export interface Predicate {
  /** Of one value, arrays taken as they are: what `$elemMatch` asks of an element. */
  readonly alone: Test;
  readonly on: (path: Path) => Condition;
}

/** Holds when a value that is reached passes, or an element of an array that is reached. */
export const searching = (test: Test): Predicate => ({
  alone: test,
  on: (path) => ({
    matches:
      path.steps.length === 1 ? inField(path.name, test) : (doc) => reach(doc, path, false, test) !== nowhere,
    locate: (doc) => reach(doc, path, false, test),
  }),
});

function inField(name: string, test: Test): Matcher {
  return (doc) => {
    const value = doc.get(name);
    if (!Array.isArray(value)) return test(value);
    for (let at = 0; at < value.length; at += 1) if (test(value[at])) return true;
    return test(value);
  };
}

/** Holds when an array that is reached has what is looked for. @param find the place in it, or -1 */
export function withinArray(find: (array: Value[]) => number): Predicate {
  const alone: Test = (value) => Array.isArray(value) && find(value) >= 0;
  return {
    alone,
    on: (path) => ({
      matches: (doc) => reach(doc, path, true, alone) !== nowhere,
      locate: (doc) => {
        let inner = outside;
        const outer = reach(doc, path, true, (value) => {
          if (!Array.isArray(value)) return false;
          inner = find(value);
          return inner >= 0;
        });
        return outer === outside ? inner : outer;
      },
    }),
  };
}

/** Holds of whole arrays: nothing in them is what fulfils it. */
export const ofArrays = (test: (array: Value[]) => boolean): Predicate => {
  const alone: Test = (value) => Array.isArray(value) && test(value);
  return {
    alone,
    on: (path) => ({
      matches: (doc) => reach(doc, path, true, alone) !== nowhere,
      locate: (doc) => reach(doc, path, true, alone),
    }),
  };
};

/** What does not hold has no place where it does not. */
export const none = (parts: readonly Condition[]): Condition => {
  const matches: Matcher = (doc) => {
    for (const part of parts) if (part.matches(doc)) return false;
    return true;
  };
  return { matches, locate: (doc) => (matches(doc) ? outside : nowhere) };
};

export const negated = (inner: Predicate): Predicate => ({
  alone: (value) => !inner.alone(value),
  on: (path) => {
    const { matches } = inner.on(path);
    return { matches: (doc) => !matches(doc), locate: (doc) => (matches(doc) ? nowhere : outside) };
  },
});

/** All at once. The last place that one of them names is the place. */
export function every(parts: readonly Condition[]): Condition {
  if (parts.length === 1) return parts[0]!;
  return {
    matches: everyOf(parts.map((part) => part.matches)),
    locate: (doc) => {
      let place = outside;
      for (const part of parts) {
        const found = part.locate(doc);
        if (found === nowhere) return nowhere;
        if (found !== outside) place = found;
      }
      return place;
    },
  };
}

function everyOf(parts: readonly Matcher[]): Matcher {
  const [first, second] = parts;
  if (!first) return () => true;
  if (second && parts.length === 2) return (doc) => first(doc) && second(doc);
  return (doc) => {
    for (const part of parts) if (!part(doc)) return false;
    return true;
  };
}

/** One of them at least. The first that holds names the place. */
export const some = (parts: readonly Condition[]): Condition => ({
  matches: (doc) => {
    for (const part of parts) if (part.matches(doc)) return true;
    return false;
  },
  locate: (doc) => {
    for (const part of parts) {
      const found = part.locate(doc);
      if (found !== nowhere) return found;
    }
    return nowhere;
  },
});

export function allOf(parts: readonly Predicate[]): Predicate {
  if (parts.length === 1) return parts[0]!;
  return {
    alone: (value) => parts.every((part) => part.alone(value)),
    on: (path) => every(parts.map((part) => part.on(path))),
  };
}

/** What asks nothing, and what nothing fulfils. */
export const always: Predicate = {
  alone: () => true,
  on: () => ({ matches: () => true, locate: () => outside }),
};
export const never: Predicate = {
  alone: () => false,
  on: () => ({ matches: () => false, locate: () => nowhere }),
};
