import type { Doc, Value } from '../bson/types.js';
import type { Catalog, Collection } from '../disk/catalog.js';
import { type Entry, type Found, type Reader, readRecord, scanIndex, scanRecords } from '../disk/records.js';
import { choosePlan, type Plan } from '../query/plan.js';
import type { Collate } from '../values/compare.js';

/** What a reading looked at, for `explain`. */
export interface Counted {
  keysExamined: number;
  docsExamined: number;
  plan: Plan | null;
}

/** Several ordered ranges as one ordered stream: sorting a merged timeline costs no sort. */
function* merged(plan: Plan, index: Collection['indexes'][number], reader: Reader): Generator<Entry> {
  const streams = plan.ranges.map((range) => ({
    fixed: range.fixed,
    entries: scanIndex(index, range, plan.reverse, reader),
  }));
  const heads = streams.map(({ entries }) => entries.next());
  for (;;) {
    let best = -1;
    for (const [at, head] of heads.entries()) {
      if (head.done) continue;
      if (best < 0) {
        best = at;
        continue;
      }
      const leader = heads[best]!.value as Entry;
      const difference = Buffer.compare(
        head.value.key.subarray(streams[at]!.fixed),
        leader.key.subarray(streams[best]!.fixed),
      );
      if (plan.reverse ? difference > 0 : difference < 0) best = at;
    }
    if (best < 0) return;
    yield heads[best]!.value as Entry;
    heads[best] = streams[best]!.entries.next();
  }
}

function* inTurn(plan: Plan, index: Collection['indexes'][number], reader: Reader): Generator<Entry> {
  const ranges = plan.reverse ? [...plan.ranges].reverse() : plan.ranges;
  for (const range of ranges) yield* scanIndex(index, range, plan.reverse, reader);
}

export interface ScanQuery {
  filter: Doc;
  sort: Doc | undefined;
  hint: Value | undefined;
  collate: Collate | undefined;
}

/** Candidates for a filter: each document once, in the sort's order when `plan.sorted`. The caller checks the filter. */
export function scan(
  catalog: Catalog,
  collection: Collection,
  query: ScanQuery,
  reader: Reader,
): Counted & { found: Generator<Found> } {
  const plan = choosePlan(collection.indexes, query);
  const counted: Counted = { keysExamined: 0, docsExamined: 0, plan };
  function* read(): Generator<Found> {
    if (!plan) {
      for (const found of scanRecords(catalog, collection, reader, isBackward(query))) {
        counted.docsExamined += 1;
        yield found;
      }
      return;
    }
    const index = collection.indexes.find(({ name }) => name === plan.index.name)!;
    const seen = index.multikey || plan.ranges.length > 1 ? new Set<number>() : null;
    const entries = plan.merge ? merged(plan, index, reader) : inTurn(plan, index, reader);
    for (const { record } of entries) {
      counted.keysExamined += 1;
      if (seen?.has(record)) continue;
      seen?.add(record);
      const found = readRecord(catalog, collection, record, reader.snapshot);
      if (!found) continue;
      counted.docsExamined += 1;
      yield found;
    }
  }
  return Object.assign(counted, { found: read() });
}

/** `$natural: -1`, as a sort or as a hint. */
export function isBackward({ sort, hint }: Partial<Pick<ScanQuery, 'sort' | 'hint'>>): boolean {
  const natural = (hint instanceof Map ? hint.get('$natural') : undefined) ?? sort?.get('$natural');
  return natural !== undefined && Number(String(natural)) < 0;
}
