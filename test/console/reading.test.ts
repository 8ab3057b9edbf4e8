import { describe, expect, test } from 'vitest';
import { createReading } from '../../console/timeline/reading.js';
import type { TimelinePage } from '../../shared/api.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import { refusal } from './fixtures/server.js';
import { event } from './fixtures/world.js';

const note = (id: string, day: number, text = id): TimelineEvent =>
  event({
    id,
    kind: 'note',
    occurredAt: new Date(2026, 4, day, 12).toISOString(),
    body: { text, attachments: [], clientId: `client-${id}` },
  });
const merge = (id: string, day: number): TimelineEvent =>
  event({
    id,
    kind: 'contact_merged',
    occurredAt: new Date(2026, 4, day, 12).toISOString(),
    body: { mergeId: id, headId: 'c1', mergedId: 'c2', reason: '', preferences: {} },
  });
const page = (events: TimelineEvent[], cursors: Omit<TimelinePage, 'events'> = {}): TimelinePage => ({
  events,
  ...cursors,
});

/** Answers are given by hand, in any order. */
function asking() {
  const asked: { query: object; answer: (page: TimelinePage) => void; refuse: (error: Error) => void }[] = [];
  let changes = 0;
  const reading = createReading(
    {
      timeline: (_contactId, query) =>
        new Promise((answer, refuse) => {
          asked.push({ query, answer, refuse });
        }),
    },
    () => {
      changes += 1;
    },
  );
  return { reading, asked, changes: () => changes };
}
const ids = (events: readonly TimelineEvent[]) => events.map(({ id }) => id);
/** Until what was answered has been taken. */
const taken = () => new Promise((resolve) => setImmediate(resolve));

describe('reading a timeline', () => {
  test('goes on from where the last page ended, both ways, and stops at both ends', async () => {
    const { reading, asked } = asking();
    const begun = reading.begin('c1', 'all', new Date(2026, 4, 10).toISOString());
    asked[0]?.answer(page([note('b', 9)], { olderCursor: 'older' }));
    await taken();
    asked[1]?.answer(page([note('c', 11)], { newerCursor: 'newer' }));
    expect(await begun).toBe(true);
    expect(ids(reading.events)).toEqual(['c', 'b']);
    const older = reading.further('older');
    expect(asked[2]?.query).toMatchObject({ cursor: 'older', direction: 'older' });
    asked[2]?.answer(page([note('a', 8)]));
    expect(await older).toBe(true);
    expect(await reading.further('older'), 'there is no more').toBe(false);
    const newer = reading.further('newer');
    asked[3]?.answer(page([note('d', 12)]));
    await newer;
    expect(ids(reading.events)).toEqual(['d', 'c', 'b', 'a']);
    expect([reading.hasOlder, reading.hasNewer]).toEqual([false, false]);
  });

  test('drops the answer to a question that is no longer asked', async () => {
    const { reading, asked } = asking();
    const first = reading.begin('c1', 'all', null);
    const second = reading.begin('c1', 'phone', null);
    asked[1]?.answer(page([note('phone', 3)]));
    expect(await second).toBe(true);
    asked[0]?.answer(page([note('all', 3)]));
    expect(await first).toBe(false);
    expect([ids(reading.events), reading.filter]).toEqual([['phone'], 'phone']);
  });

  test('keeps what stands, and what it was read for, until the answer for another filter is there', async () => {
    const { reading, asked } = asking();
    const begun = reading.begin('c1', 'phone', null);
    asked[0]?.answer(page([note('phone', 3)]));
    await begun;
    void reading.begin('c1', 'all', null);
    expect([ids(reading.events), reading.filter]).toEqual([['phone'], 'phone']);
  });

  test('shows what is new beside what was read further back', async () => {
    const { reading, asked } = asking();
    const begun = reading.begin('c1', 'all', null);
    asked[0]?.answer(page([note('b', 9)], { olderCursor: 'older' }));
    await begun;
    const older = reading.further('older');
    asked[1]?.answer(page([note('a', 8)]));
    await older;
    const fresh = reading.refresh();
    asked[2]?.answer(page([note('c', 10), note('b', 9)], { olderCursor: 'older' }));
    await fresh;
    expect(ids(reading.events)).toEqual(['c', 'b', 'a']);
  });

  test('begins anew when a merge came, or something that stood there is gone', async () => {
    for (const newest of [
      [merge('m', 10), note('b', 9)],
      [note('c', 10), note('a', 7)],
    ]) {
      const { reading, asked } = asking();
      const begun = reading.begin('c1', 'all', null);
      asked[0]?.answer(page([note('b', 9), note('old', 2)]));
      await begun;
      const fresh = reading.refresh();
      asked[1]?.answer(page(newest, { olderCursor: 'older' }));
      await fresh;
      expect(ids(reading.events)).toEqual(ids(newest));
      expect(reading.hasOlder).toBe(true);
    }
  });

  test('leaves a piece of the past alone when something happens now', async () => {
    const { reading, asked } = asking();
    const begun = reading.begin('c1', 'all', new Date(2026, 4, 10).toISOString());
    asked[0]?.answer(page([note('b', 9)]));
    await taken();
    asked[1]?.answer(page([], { newerCursor: 'newer' }));
    await begun;
    await reading.refresh();
    expect(asked).toHaveLength(2);
  });

  test('says what failed, and asks again for the same', async () => {
    const { reading, asked, changes } = asking();
    const begun = reading.begin('c1', 'note', null);
    asked[0]?.refuse(refusal('store_unavailable'));
    expect(await begun).toBe(false);
    expect(reading.state).toMatchObject({ error: { code: 'store_unavailable' } });
    expect(changes()).toBe(1);
    const again = reading.refresh();
    expect(asked[1]?.query).toMatchObject({ kinds: 'note' });
    asked[1]?.answer(page([note('a', 1)]));
    await again;
    expect(reading.state).toBe('ready');
  });
});
