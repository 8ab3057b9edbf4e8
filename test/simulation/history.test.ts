import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHistory, type Reading, readHistory } from './history/history.js';

/** Two messages of one sender, in the conversation c, as they stand in the end. */
const final = {
  o: 'final',
  c: 'c',
  v: [
    [1, 'e1', 'm1', 'message'],
    [2, 'e2', null, 'note'],
    [3, 'e3', 'm2', 'message'],
  ],
};
const sound: object[] = [
  { o: 'write', p: 'p', m: 'm1' },
  { o: 'write', p: 'p', m: 'm2' },
  { o: 'ack', p: 'p', m: 'm1', e: 'e1', s: 1, c: 'c' },
  { o: 'ack', p: 'p', m: 'm2', e: 'e3', s: 3, c: 'c' },
  { o: 'see', p: 'p/1', c: 'c', s: 1, e: 'e1' },
  { o: 'see', p: 'p/1', c: 'c', s: 3, e: 'e3' },
  final,
  { o: 'whole', p: 'p/1', c: 'c', s: 1, a: 'visitor' },
  { o: 'end' },
];
const without = (at: number): object[] => sound.filter((_, index) => index !== at);
const swapped = (at: number, line: object): object[] => sound.with(at, line);

type Kind = keyof Pick<Reading, 'lost' | 'doubled' | 'misordered' | 'invented'>;
const broken: [Kind, string, object[]][] = [
  ['lost', 'an acknowledged message stands nowhere', swapped(6, { ...final, v: final.v.slice(0, 2) })],
  ['lost', 'a reader who says it has all never saw one', without(5)],
  [
    'lost',
    'an agent who says so never saw the note',
    swapped(7, { o: 'whole', p: 'p/1', c: 'c', s: 1, a: 'agent' }),
  ],
  [
    'doubled',
    'a message stands twice',
    swapped(6, { ...final, v: [...final.v, [4, 'e4', 'm2', 'message']] }),
  ],
  ['doubled', 'a reader saw one twice', swapped(5, { o: 'see', p: 'p/1', c: 'c', s: 1, e: 'e1' })],
  [
    'misordered',
    'a sender’s later message stands first',
    [sound[1] ?? {}, sound[0] ?? {}, ...sound.slice(2)],
  ],
  [
    'misordered',
    'a message was acknowledged at another place',
    swapped(2, { o: 'ack', p: 'p', m: 'm1', e: 'e1', s: 2, c: 'c' }),
  ],
  [
    'misordered',
    'a reader saw one at another place',
    swapped(4, { o: 'see', p: 'p/1', c: 'c', s: 2, e: 'e1' }),
  ],
  ['invented', 'a reader saw what never was', swapped(4, { o: 'see', p: 'p/1', c: 'c', s: 1, e: 'e9' })],
  ['invented', 'a message stands that nobody wrote', without(0)],
];

describe('the reader of histories', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'threadline-histories-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function read(lines: readonly object[]): Promise<Reading> {
    const file = join(folder, 'history.jsonl');
    const history = openHistory(file);
    for (const line of lines) history.line(line);
    history.close();
    return readHistory(file);
  }

  it('has no complaint about a sound one', async () => {
    const { complaints, ...counts } = await read(sound);
    expect(complaints).toEqual([]);
    expect(counts).toMatchObject({ runs: 1, written: 2, acknowledged: 2, seen: 2, lost: 0, doubled: 0 });
  });

  it.each(broken)('counts as %s that %s', async (kind, _what, lines) => {
    const reading = await read(lines);
    expect(reading[kind], reading.complaints.join()).toBeGreaterThan(0);
  });
});
