import { type CsvRecord, readCsv } from './csv.js';
import { type CsvLayout, csvLegs, layoutOf } from './csv-layouts.js';
import { jsonLeg, xmlLeg } from './freeswitch.js';
import type { ReadLeg } from './leg.js';
import { cdrElements, type Document, decode, jsonObjects, linesOf } from './split.js';
import type { Zone } from './zone.js';

/** How many records are looked at before it is decided what kind of log this is. */
const recordsLookedAt = 50;

/**
 * Reads a call log, whatever it is called: Asterisk's and FreeSWITCH's CSV files in their layouts, with and without a
 * header, and FreeSWITCH's JSON and XML documents, one or many in a file. Told by content. What cannot be read is named
 * and passed over.
 */
export async function* readCallLog(bytes: AsyncIterable<Uint8Array>, zone: Zone): AsyncGenerator<ReadLeg> {
  const texts = decode(bytes);
  const { first, all } = await peek(texts);
  if (first === '{' || first === '[') yield* documents(jsonObjects(all), zone, jsonLeg);
  else if (first === '<') yield* documents(cdrElements(all), zone, xmlLeg);
  else yield* csvRecords(readCsv(linesOf(all)), zone);
}

/** The first character that is no space, and everything from the beginning. */
async function peek(texts: AsyncGenerator<string>): Promise<{ first: string; all: AsyncGenerator<string> }> {
  const seen: string[] = [];
  let first = '';
  while (first === '') {
    const step = await texts.next();
    if (step.done) break;
    seen.push(step.value);
    first = /[^\s\ufeff]/.exec(step.value)?.[0] ?? '';
  }
  async function* all(): AsyncGenerator<string> {
    yield* seen;
    yield* texts;
  }
  return { first, all: all() };
}

async function* documents(
  found: AsyncIterable<Document>,
  zone: Zone,
  read: (text: string, place: string, zone: Zone) => ReadLeg,
): AsyncGenerator<ReadLeg> {
  let number = 0;
  for await (const document of found) {
    number += 1;
    const place = `document ${number}`;
    if ('problem' in document) yield { broken: { place, problem: document.problem } };
    else yield read(document.text, place, zone);
  }
  if (number === 0) yield { broken: { place: 'document 1', problem: 'no complete record' } };
}

async function* csvRecords(records: AsyncGenerator<CsvRecord>, zone: Zone): AsyncGenerator<ReadLeg> {
  const start: CsvRecord[] = [];
  while (start.length < recordsLookedAt) {
    const step = await records.next();
    if (step.done) break;
    start.push(step.value);
  }
  const layout = commonLayout(start);
  if (!layout) {
    if (start.length > 0) yield unknownLog(start[0]?.line ?? 1);
    return;
  }
  const read = csvLegs(layout, zone);
  let isHeaderAhead = layout.hasHeader;
  for await (const record of chain(start, records)) {
    if ('problem' in record) {
      yield { broken: { place: `line ${record.line}`, problem: record.problem } };
    } else if (isHeaderAhead && layoutOf(record.cells)?.hasHeader) {
      isHeaderAhead = false;
    } else {
      yield read(record.cells, record.line);
    }
  }
}

const unknownLog = (line: number): ReadLeg => ({
  broken: {
    place: `line ${line}`,
    problem: 'not a call log that is known here: Asterisk CSV, FreeSWITCH CSV, JSON or XML',
  },
});

async function* chain(
  start: readonly CsvRecord[],
  rest: AsyncIterable<CsvRecord>,
): AsyncGenerator<CsvRecord> {
  yield* start;
  yield* rest;
}

/** What most of the first records are, with exactly their number of columns: a log does not change in the middle. */
function commonLayout(records: readonly CsvRecord[]): CsvLayout | null {
  const votes = new Map<string, { layout: CsvLayout; count: number }>();
  for (const record of records) {
    if ('problem' in record) continue;
    const layout = layoutOf(record.cells);
    if (!layout) continue;
    if (layout.hasHeader) return layout;
    const key = `${layout.name} ${record.cells.length}`;
    const vote = votes.get(key) ?? {
      layout: { ...layout, columns: layout.columns.slice(0, record.cells.length), optional: 0 },
      count: 0,
    };
    votes.set(key, { ...vote, count: vote.count + 1 });
  }
  return [...votes.values()].sort((a, b) => b.count - a.count)[0]?.layout ?? null;
}
