import type { Doc } from '../../../server/store/embedded/bson/types.js';
import { keysOf } from '../../../server/store/embedded/index/keys.js';
import { compileFilter } from '../../../server/store/embedded/query/match.js';
import type { Plan, PlannedIndex } from '../../../server/store/embedded/query/plan.js';
import { collationFrom } from '../../../server/store/embedded/values/collation.js';
import { pathOf, valuesAt } from '../../../server/store/embedded/values/path.js';
import { doc } from '../documents.js';

interface Entry {
  key: Buffer;
  doc: Doc;
}
interface Filled extends PlannedIndex {
  entries: Entry[];
}

interface Options {
  sparse?: boolean;
  unique?: boolean;
  hidden?: boolean;
  partial?: object;
  collation?: object;
}

/** An index in memory, of keys as the store writes them. */
export function indexOn(key: object, docs: readonly Doc[], options: Options = {}): Filled {
  const fields = Object.entries(key).map(([name, direction]) => ({
    name,
    path: name.split('.'),
    direction: direction as 1 | -1,
  }));
  const paths = fields.map(({ name }) => pathOf(name));
  const collate = collationFrom(options.collation && doc(options.collation));
  const partial = options.partial && doc(options.partial);
  const admits = compileFilter(partial ?? new Map(), { collate });
  const entries: Entry[] = [];
  let multikey = false;
  for (const one of docs) {
    if (!admits(one)) continue;
    if (options.sparse && !paths.some((path) => valuesAt(one, path).some((value) => value !== undefined)))
      continue;
    const { keys, isScattered } = keysOf({ fields, paths, collate }, one);
    multikey ||= isScattered;
    for (const bytes of keys) entries.push({ key: bytes, doc: one });
  }
  entries.sort((left, right) => Buffer.compare(left.key, right.key));
  return {
    name: Object.entries(key).flat().join('_'),
    key: doc(key),
    fields,
    unique: options.unique === true,
    sparse: options.sparse === true,
    partial,
    collate,
    hidden: options.hidden === true,
    multikey,
    entries,
  };
}

/** What a plan reads, as the store reads it. */
export function read(plan: Plan): Doc[] {
  const { entries } = plan.index as Filled;
  const streams = plan.ranges.map(({ start, end, fixed }) => {
    const found = entries.filter(
      ({ key }) => Buffer.compare(key, start) >= 0 && (end === null || Buffer.compare(key, end) < 0),
    );
    return (plan.reverse ? found.reverse() : found).map((entry) => ({
      ...entry,
      rest: entry.key.subarray(fixed),
    }));
  });
  if (plan.reverse) streams.reverse();
  const all = streams.flat();
  const ordered = plan.merge
    ? all.sort((left, right) => Buffer.compare(left.rest, right.rest) * (plan.reverse ? -1 : 1))
    : all;
  return [...new Set(ordered.map((entry) => entry.doc))];
}
