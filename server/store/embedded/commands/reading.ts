import { Timestamp } from 'bson';
import { encode } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Collection } from '../disk/catalog.js';
import type { Found } from '../disk/records.js';
import * as read from '../engine/command.js';
import { type Context, collateOf, readView, variablesOf } from '../engine/context.js';
import { lazySource, type Source } from '../engine/cursors.js';
import { expressionFor } from '../engine/expressions.js';
import type { Query, View } from '../engine/view.js';
import { compileProjection } from '../query/project.js';

/** What commands that read have in common. */

/** Where the rows of a reading come from: a transaction's, a snapshot's, or what is committed at each batch. */
export function sourceOf(context: Context, rows: (view: View) => Iterator<Buffer | null>, limit = 0): Source {
  const { transaction, at, database } = context;
  if (transaction || at) {
    const iterator = rows(readView(context, { snapshot: null }));
    return {
      next() {
        const next = iterator.next();
        return next.done ? undefined : next.value;
      },
    };
  }
  return lazySource(
    (reader) => rows(readView(context, reader)),
    () => database.snapshot(),
    limit,
  );
}

/** What a cursor remembers of where it was opened. */
export const ownerOf = (context: Context) => ({
  deadline: context.deadline,
  session: context.session?.key ?? null,
  transaction: context.transaction ? context.number : null,
});

/** The time of a snapshot that was read at, as `cursor` or the answer itself shows it. */
export const timeField = ({ at }: Context) => (at ? { atClusterTime: new Timestamp(at.time) } : {});

export function queryOf(
  command: Doc,
  collection: Collection | undefined,
  context: Context,
  filterField = 'filter',
): Query {
  return {
    filter: read.doc(command, filterField),
    sort: read.optionalDoc(command, 'sort'),
    skip: read.count(command, 'skip', 0),
    limit: Math.abs(read.number(command, 'limit', 0)),
    hint: hintOf(command),
    collate: collateOf(command, collection),
    variables: variablesOf(command, context),
    deadline: context.deadline,
  };
}

/** An empty hint is none. */
export function hintOf(command: Doc): Value | undefined {
  const hint = command.get('hint');
  return hint instanceof Map && hint.size === 0 ? undefined : hint;
}

export function* rowsOf(
  found: Iterable<Found | null>,
  project: ((doc: Doc) => Doc) | null,
): Generator<Buffer | null> {
  for (const one of found) yield one === null ? null : project ? encode(project(one.doc)) : one.raw;
}

export function projectionOf(command: Doc, query: Query, field = 'projection'): ((doc: Doc) => Doc) | null {
  const spec = read.optionalDoc(command, field);
  if (!spec || spec.size === 0) return null;
  return compileProjection(spec, {
    filter: query.filter,
    collate: query.collate,
    expression: expressionFor(query.variables, query.collate),
  });
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A reading for one answer: what is committed when it begins, giving way now and then. */
export async function* each(
  context: Context,
  collection: Collection | undefined,
  query: Query,
): AsyncGenerator<Found> {
  if (!collection) return;
  const snapshot = context.transaction || context.at ? null : context.database.snapshot();
  try {
    for (const one of readView(context, { snapshot }).find(collection, query)) {
      if (one === null) await turn();
      else yield one;
    }
  } finally {
    snapshot?.done();
  }
}
