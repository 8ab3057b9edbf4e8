import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ContentEntry, Entry, Fold } from '../../console/timeline/entry.js';
import { countsText, monthOf, monthsText, topicsOf } from '../../console/timeline/fold.js';
import { groupTimeline, isShown } from '../../console/timeline/group.js';
import { peaksOf } from '../../console/timeline/wave.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import { event, now as nowMs, timeline } from './fixtures/world.js';

const now = new Date(nowMs);
const none: ReadonlySet<string> = new Set();
const day = (month: number, date: number, year = 2026) => new Date(year, month - 1, date, 12).toISOString();

let serial = 0;
const nextId = (kind: string) => {
  serial += 1;
  return `${kind}-${String(serial).padStart(5, '0')}`;
};
const said = (occurredAt: string, conversationId: string, text: string): TimelineEvent =>
  event({
    id: nextId('said'),
    kind: 'message',
    channel: 'chat',
    direction: 'in',
    occurredAt,
    conversationId,
    body: { text, attachments: [], clientId: 'client-00001' },
  });
const letter = (occurredAt: string, conversationId: string, subject: string): TimelineEvent =>
  event({
    id: nextId('mail'),
    kind: 'email',
    channel: 'email',
    direction: 'in',
    occurredAt,
    conversationId,
    body: {
      messageId: `<${serial}@x.example>`,
      inReplyTo: [],
      references: [],
      from: { name: 'Daniel', address: 'daniel@okafor.example' },
      to: [],
      cc: [],
      subject,
      text: 'Text.',
      attachments: [],
    },
  });
/** Three conversations of one month: enough to fold. */
const busy = (month: number, year = 2026) => [
  letter(day(month, 3, year), `m${year}-${month}`, 'Re: Mudguards'),
  said(day(month, 9, year), `a${year}-${month}`, 'Which pressure for 28 mm? I ride on gravel.'),
  said(day(month, 20, year), `b${year}-${month}`, 'First service'),
];

const folds = (entries: readonly Entry[]): Fold[] => entries.filter((entry) => entry.type === 'fold');
const eventsOf = (entry: Entry | ContentEntry): string[] =>
  entry.type === 'fold'
    ? entry.entries.flatMap(eventsOf)
    : 'events' in entry
      ? entry.events.map((one) => one.id)
      : 'event' in entry
        ? [entry.event.id]
        : [];

describe('folded months', () => {
  test('are those of long ago in which there was much; each says how much of what, and about what', () => {
    const [fold, ...others] = folds(groupTimeline([...busy(5), ...busy(11)], now, none));
    expect(others).toEqual([]);
    expect(fold?.months).toEqual(['2026-05']);
    expect(fold && monthsText(fold)).toBe('May');
    expect(fold && countsText(fold)).toBe('2 chats, 1 e-mail');
    expect(fold && topicsOf(fold, () => '')).toEqual([
      'First service',
      'Which pressure for 28 mm',
      'Mudguards',
    ]);
  });

  test('stand together when they are next to each other, but never over the turn of a year', () => {
    const entries = groupTimeline(
      [...busy(6), ...busy(5), ...busy(4), ...busy(2), ...busy(1), ...busy(12, 2025)],
      now,
      none,
    );
    expect(folds(entries).map(monthsText)).toEqual(['Apr to Jun', 'Jan, Feb', 'Dec']);
    expect(entries.find(({ type }) => type === 'year')).toBeDefined();
  });

  test('take no month that is open, recent, or nearly empty, nor one in which a merge can be undone', () => {
    expect(folds(groupTimeline(busy(5), now, new Set(['2026-05'])))).toEqual([]);
    expect(folds(groupTimeline(busy(10), now, none))).toEqual([]);
    expect(folds(groupTimeline(busy(5).slice(1), now, none))).toEqual([]);
    const merge = event({
      kind: 'contact_merged',
      occurredAt: day(5, 15),
      body: { mergeId: 'm1', headId: 'c1', mergedId: 'c2', reason: '', preferences: {} },
    });
    expect(folds(groupTimeline([...busy(5), merge], now, none))).toEqual([]);
  });

  test('are no silence: one is told only before and after them', () => {
    const types = groupTimeline([...busy(11), ...busy(5)], now, none).map(({ type }) => type);
    expect(types.filter((type) => type === 'silence')).toHaveLength(1);
    expect(types.slice(-2)).toEqual(['silence', 'fold']);
  });

  test('hide nothing from the count: every event is shown or folded, exactly once, in order', () => {
    const all = [
      ...timeline.filter(isShown),
      ...[1, 2, 3, 4, 5, 6, 7, 8].flatMap((month) => [...busy(month), ...busy(month, 2024)]),
    ];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(all),
        fc.uniqueArray(fc.constantFrom<string>('2026-05', '2026-04', '2024-02')),
        (some, open) => {
          const entries = groupTimeline(some, now, new Set(open));
          expect(entries.flatMap(eventsOf).sort()).toEqual(some.map(({ id }) => id).sort());
          const times = entries.flatMap((entry) => ('at' in entry && entry.type !== 'day' ? [entry.at] : []));
          expect(times).toEqual([...times].sort().reverse());
          for (const fold of folds(entries)) {
            expect(fold.months.some((month) => open.includes(month))).toBe(false);
            expect(new Set(fold.entries.map(({ at }) => monthOf(at)))).toEqual(new Set(fold.months));
          }
          expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
        },
      ),
    );
  });
});

describe('the wave of a recording', () => {
  test('has the bars that are asked for, the loudest at full height', () => {
    const samples = Float32Array.from({ length: 8_000 }, (_, at) => (at < 4_000 ? 0.1 : 0.8));
    const peaks = peaksOf(samples, 64);
    expect(peaks).toHaveLength(64);
    expect(Math.max(...peaks)).toBe(1);
    expect(peaks[0]).toBeCloseTo(0.125);
  });

  test('is flat for silence and for nothing at all', () => {
    expect(new Set(peaksOf(new Float32Array(1_000), 64))).toEqual(new Set([0]));
    expect(peaksOf(new Float32Array(0), 64)).toEqual(Array.from({ length: 64 }, () => 0));
    expect(peaksOf(new Float32Array(3), 64)).toHaveLength(64);
  });
});
