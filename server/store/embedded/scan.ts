import { choosePlan, type Plan, type Range } from './plan.js';
import type { Collection, Reader, Storage } from './storage.js';
import type { Doc } from './values.js';

export interface Found {
  record: number;
  raw: Buffer;
  doc: Doc;
}

export interface Counted {
  keysExamined: number;
  docsExamined: number;
  plan: Plan | null;
}

/** Several ordered ranges as one ordered stream: what sorting a merged timeline costs no sort for. */
function* merged(
  storage: Storage,
  ranges: Range[],
  reverse: boolean,
  reader: Reader,
): Generator<{ key: Buffer; record: number }> {
  const streams = ranges.map((range) => ({
    fixed: range.fixed,
    keys: storage.scanKeys(range.start, range.end, reverse, reader),
  }));
  const heads = streams.map(({ keys }) => keys.next());
  for (;;) {
    let best = -1;
    for (const [at, head] of heads.entries()) {
      if (head.done) continue;
      if (best < 0) best = at;
      else {
        const leader = heads[best]!.value as { key: Buffer };
        const difference = Buffer.compare(
          head.value.key.subarray(streams[at]!.fixed),
          leader.key.subarray(streams[best]!.fixed),
        );
        if (reverse ? difference > 0 : difference < 0) best = at;
      }
    }
    if (best < 0) return;
    yield heads[best]!.value as { key: Buffer; record: number };
    heads[best] = streams[best]!.keys.next();
  }
}

function* inTurn(storage: Storage, plan: Plan, reader: Reader): Generator<{ key: Buffer; record: number }> {
  for (const { start, end } of plan.ranges) yield* storage.scanKeys(start, end, plan.reverse, reader);
}

/** Candidates for a filter: each document once, in the sort's order when `plan.sorted`. The caller checks the filter. */
export function scan(
  storage: Storage,
  collection: Collection,
  filter: Doc,
  sort: Doc | undefined,
  hint: unknown,
  reader: Reader,
): Counted & { found: Generator<Found> } {
  const plan = choosePlan(collection.indexes, filter, sort, hint);
  const counted: Counted = { keysExamined: 0, docsExamined: 0, plan };
  function* read(): Generator<Found> {
    if (!plan) {
      for (const found of storage.scanAll(collection, reader)) {
        counted.docsExamined += 1;
        yield found;
      }
      return;
    }
    const seen = plan.index.multikey || plan.ranges.length > 1 ? new Set<number>() : null;
    const keys =
      plan.sorted && plan.ranges.length > 1
        ? merged(storage, plan.ranges, plan.reverse, reader)
        : inTurn(storage, plan, reader);
    for (const { record } of keys) {
      counted.keysExamined += 1;
      if (seen?.has(record)) continue;
      seen?.add(record);
      const found = storage.read(collection, record, reader);
      if (!found) continue;
      counted.docsExamined += 1;
      yield { record, ...found };
    }
  }
  return Object.assign(counted, { found: read() });
}
