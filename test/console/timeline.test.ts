import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ContentEntry } from '../../console/timeline/entry.js';
import { groupTimeline, isShown, mergeEvents } from '../../console/timeline/group.js';
import { layOutPicture, monthsUpTo, summarise, timeAt } from '../../console/timeline/picture.js';
import { event, now as nowMs, timeline, yearPicture } from './fixtures/world.js';

const now = new Date(nowMs);
const typesOf = (entries: ReturnType<typeof groupTimeline>) => entries.map((entry) => entry.type);

describe('the one timeline', () => {
  const entries = groupTimeline(timeline, now);

  test('stands with today on top, anchors between days, and a year anchor', () => {
    expect(typesOf(entries).slice(0, 3)).toEqual(['day', 'chat', 'note']);
    expect(
      entries.filter((entry) => entry.type === 'year').map((entry) => entry.type === 'year' && entry.year),
    ).toEqual([2025]);
  });

  test('gathers a day of one conversation in one entry, with what came between beside it', () => {
    const chat = entries.find((entry) => entry.type === 'chat');
    expect(chat?.type === 'chat' && chat.events.length).toBe(5);
  });

  test('folds a thread of e-mails into one entry at the place of the newest', () => {
    const thread = entries.find((entry) => entry.type === 'emails');
    expect(thread?.type === 'emails' && thread.events.length).toBe(6);
    expect(thread?.type === 'emails' && thread.events[0]?.body.text).toContain('Corrected invoice');
  });

  test('says the date instead of the time where a day has only a change', () => {
    const merge = entries.find((entry) => entry.type === 'merge');
    expect(merge?.type === 'merge' && merge.saysDate).toBe(true);
  });

  test('shows a silence of more than thirty days, and none of less', () => {
    const silences = entries.filter((entry) => entry.type === 'silence');
    expect(silences.length).toBeGreaterThanOrEqual(2);
    for (const silence of silences) expect(silence.type === 'silence' && silence.days).toBeGreaterThan(30);
  });

  test('leaves bookkeeping out', () => {
    expect(isShown(event({ kind: 'handling', occurredAt: now.toISOString(), body: { seconds: 3 } }))).toBe(
      false,
    );
    expect(
      isShown(
        event({
          kind: 'email_delivery',
          occurredAt: now.toISOString(),
          body: { eventId: 'x', messageId: '', state: 'sent', attempts: 1 },
        }),
      ),
    ).toBe(false);
    expect(
      isShown(
        event({
          kind: 'email_delivery',
          occurredAt: now.toISOString(),
          body: { eventId: 'x', messageId: '', state: 'failed', attempts: 3 },
        }),
      ),
    ).toBe(true);
  });

  test('shows every event exactly once, in whatever order it came', () => {
    const shown = timeline.filter(isShown);
    fc.assert(
      fc.property(fc.shuffledSubarray(shown, { minLength: 1 }), (some) => {
        const drawn = groupTimeline(some, now).flatMap((entry) =>
          'events' in entry ? entry.events.map((one) => one.id) : 'event' in entry ? [entry.event.id] : [],
        );
        expect([...drawn].sort()).toEqual(some.map((one) => one.id).sort());
      }),
    );
  });

  test('never goes back up in time from entry to entry', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(timeline), (some) => {
        const times = groupTimeline(some, now).flatMap((entry) =>
          'at' in entry && entry.type !== 'day' ? [(entry as ContentEntry).at] : [],
        );
        expect(times).toEqual([...times].sort().reverse());
      }),
    );
  });

  test('merging pages in any order gives the same timeline, and the same list when nothing is new', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(timeline), fc.shuffledSubarray(timeline), (a, b) => {
        expect(mergeEvents(mergeEvents([], a), b)).toEqual(mergeEvents(mergeEvents([], b), a));
        const all = mergeEvents(mergeEvents([], a), b);
        expect(mergeEvents(all, a)).toBe(all);
      }),
    );
  });
});

describe('the year picture', () => {
  const range = monthsUpTo(now, null);
  const lay = (style: 'pane' | 'wide') =>
    layOutPicture(yearPicture.marks, range, { width: 384, style, now, window: null });

  test('has twelve months, the current one last', () => {
    const { months } = lay('pane');
    expect(months).toHaveLength(12);
    expect(months[11]?.isCurrent).toBe(true);
    expect(months[0]?.first.getMonth()).toBe(11);
  });

  test('draws every mark exactly once, gathered in the pane, one each on the wide page', () => {
    for (const style of ['pane', 'wide'] as const) {
      const ids = lay(style).shapes.flatMap((shape) => shape.marks.map((mark) => mark.id));
      expect(ids.sort()).toEqual(yearPicture.marks.map((mark) => mark.id).sort());
    }
    expect(lay('wide').shapes).toHaveLength(yearPicture.marks.length);
    expect(lay('pane').shapes.length).toBeLessThan(yearPicture.marks.length);
  });

  test('gives a busy day room from the days before, never from those to come', () => {
    const marks = Array.from({ length: 12 }, (_, index) => ({
      id: `m${index}`,
      at: new Date(now.getTime() - index * 60_000).toISOString(),
      channel: 'chat' as const,
      direction: 'in' as const,
    }));
    const { shapes, nowX } = layOutPicture(marks, range, { width: 900, style: 'wide', now, window: null });
    expect(shapes).toHaveLength(12);
    expect(new Set(shapes.map(({ x, y }) => `${x} ${y}`)).size, 'none hides another').toBe(12);
    for (const { x } of shapes) expect(x).toBeLessThanOrEqual((nowX ?? 0) + 0.001);
  });

  test('is hollow only where everything came from us', () => {
    for (const shape of lay('pane').shapes)
      expect(shape.out).toBe(shape.marks.every((mark) => mark.direction !== 'in'));
  });

  test('a click means the time that is drawn there', () => {
    fc.assert(
      fc.property(fc.date({ min: range.from, max: now, noInvalidDate: true }), (date) => {
        const [shape] = layOutPicture(
          [{ id: 'x', at: date.toISOString(), channel: 'chat', direction: 'in' }],
          range,
          { width: 384, style: 'pane', now, window: null },
        ).shapes;
        expect(Math.abs(timeAt(shape?.x ?? 0, range, 384).getTime() - date.getTime())).toBeLessThan(
          3_600_000 * 2,
        );
      }),
    );
  });

  test('sums up for those who do not see it', () => {
    expect(summarise(yearPicture.marks)).toMatchObject({ chat: 15, phone: 4 });
  });
});
