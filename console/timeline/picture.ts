import type { TimelinePicture } from '../../shared/api.js';

type Mark = TimelinePicture['marks'][number];
export type PictureStyle = 'pane' | 'strip' | 'wide';

/**
 * The year at a glance: a row a channel, a mark an event, twelve months of equal width. Pure geometry in pixels;
 * the element draws it and nothing else.
 */
export interface PictureLayout {
  width: number;
  height: number;
  left: number;
  rows: { channel: Mark['channel']; y: number }[];
  months: { x: number; width: number; first: Date; isCurrent: boolean }[];
  shapes: PictureShape[];
  window: { x: number; width: number } | null;
  nowX: number | null;
  bottom: number;
}
export interface PictureShape {
  channel: Mark['channel'];
  /** Hollow: from us. */
  out: boolean;
  x: number;
  y: number;
  /** A radius, a side, a height. */
  size: number;
  marks: Mark[];
}

const measures = {
  pane: { height: 65, rows: [10, 26, 42], bottom: 50, gatherPx: 4 },
  strip: { height: 56, rows: [8.5, 21.5, 34.5], bottom: 41, gatherPx: 4 },
  wide: { height: 95, rows: [15, 41, 67], bottom: 80, gatherPx: 7 },
} as const;
const left = 24;
const channels = ['chat', 'email', 'phone'] as const;

/** The first of each of twelve months, and the end of the last: up to `now`, or a calendar year. */
export function monthsUpTo(now: Date, year: number | null): { from: Date; to: Date } {
  return year === null
    ? {
        from: new Date(now.getFullYear(), now.getMonth() - 11, 1),
        to: new Date(now.getFullYear(), now.getMonth() + 1, 1),
      }
    : { from: new Date(year, 0, 1), to: new Date(year + 1, 0, 1) };
}

export function layOutPicture(
  marks: readonly Mark[],
  range: { from: Date; to: Date },
  options: {
    width: number;
    style: PictureStyle;
    now: Date;
    window: { from: string; to: string } | null;
  },
): PictureLayout {
  const measure = measures[options.style];
  const monthWidth = (options.width - left) / 12;
  const first = range.from;
  const x = (at: Date) => {
    const month = (at.getFullYear() - first.getFullYear()) * 12 + at.getMonth() - first.getMonth();
    const begin = new Date(at.getFullYear(), at.getMonth(), 1).getTime();
    const end = new Date(at.getFullYear(), at.getMonth() + 1, 1).getTime();
    return left + (month + (at.getTime() - begin) / (end - begin)) * monthWidth;
  };
  const clamp = (value: number) => Math.min(options.width, Math.max(left, value));
  const months = Array.from({ length: 12 }, (_, index) => {
    const monthFirst = new Date(first.getFullYear(), first.getMonth() + index, 1);
    return {
      x: left + index * monthWidth,
      width: monthWidth,
      first: monthFirst,
      isCurrent:
        monthFirst.getMonth() === options.now.getMonth() &&
        monthFirst.getFullYear() === options.now.getFullYear(),
    };
  });
  const inside = options.now >= range.from && options.now < range.to;
  let window: PictureLayout['window'] = null;
  if (options.window) {
    const to = clamp(x(new Date(options.window.to)) + 4);
    const from = clamp(x(new Date(options.window.from)) - 4);
    if (to > left && from < options.width)
      window = { x: Math.min(from, to - 8), width: Math.max(8, to - from) };
  }
  return {
    width: options.width,
    height: measure.height,
    left,
    bottom: measure.bottom,
    rows: channels.map((channel, index) => ({ channel, y: measure.rows[index] ?? 0 })),
    months,
    shapes: channels.flatMap((channel, index) => {
      const own = marks.filter((mark) => mark.channel === channel);
      const y = measure.rows[index] ?? 0;
      return options.style === 'wide'
        ? stack(own, x, y, inside ? x(options.now) : options.width)
        : gather(own, x, y, measure.gatherPx);
    }),
    window,
    nowX: inside ? clamp(x(options.now)) : null,
  };
}

/** Bar height is the length of a call. */
const barHeight = (mark: Mark, most: number) => 5 + Math.min(most, (mark.talkSeconds ?? 0) / 50);

/** In the pane: marks closer than the gap become one, whose area is their count. */
function gather(marks: readonly Mark[], x: (at: Date) => number, y: number, gap: number): PictureShape[] {
  const shapes: (PictureShape & { firstX: number })[] = [];
  for (const mark of inTime(marks)) {
    const at = x(new Date(mark.at));
    const last = shapes.at(-1);
    if (last && at - last.firstX < gap && mark.channel !== 'phone') last.marks.push(mark);
    else shapes.push({ channel: mark.channel, out: false, x: at, y, size: 0, marks: [mark], firstX: at });
  }
  return shapes.map(({ firstX: _, ...shape }) => {
    const more = Math.sqrt(shape.marks.length) - 1;
    const one = shape.marks[0];
    return {
      ...shape,
      out: shape.marks.every((mark) => mark.direction !== 'in'),
      size:
        shape.channel === 'chat'
          ? Math.min(6, 2.62 + 0.79 * more)
          : shape.channel === 'email'
            ? Math.min(11, 4.6 + 1.54 * more)
            : one
              ? barHeight(one, 5)
              : 5,
    };
  });
}

/** On the wide page: a mark an event, stacked by three round the baseline. */
function stack(marks: readonly Mark[], x: (at: Date) => number, y: number, end: number): PictureShape[] {
  const columnWidth = 7;
  const columns: { x: number; marks: Mark[] }[] = [];
  for (const mark of inTime(marks)) {
    const at = x(new Date(mark.at));
    const last = columns.at(-1);
    if (last && mark.channel !== 'phone' && at < last.x + columnWidth && last.marks.length < 3)
      last.marks.push(mark);
    else
      columns.push({
        x: last ? Math.max(at, last.x + (mark.channel === 'phone' ? 5 : columnWidth)) : at,
        marks: [mark],
      });
  }
  // A busy day needs more room than a day has: it takes it from the days before, never from those to come.
  let limit = end;
  for (const column of columns.toReversed()) {
    if (column.x <= limit) break;
    column.x = limit;
    limit -= columnWidth;
  }
  return columns.flatMap((column) =>
    column.marks.map((mark, index) => {
      const out = mark.direction !== 'in';
      return {
        channel: mark.channel,
        out,
        x: column.x,
        y: mark.channel === 'phone' ? y : y + (index - (column.marks.length - 1) / 2) * columnWidth,
        size:
          mark.channel === 'phone'
            ? barHeight(mark, 8)
            : mark.channel === 'chat'
              ? out
                ? 2.3
                : 3
              : out
                ? 4.2
                : 5.4,
        marks: [mark],
      };
    }),
  );
}

const inTime = (marks: readonly Mark[]) =>
  [...marks].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));

/** The time at a place of the picture: what a click on it means. */
export function timeAt(px: number, range: { from: Date }, width: number): Date {
  const position = Math.min(11.999, Math.max(0, ((px - left) / (width - left)) * 12));
  const month = Math.floor(position);
  const begin = new Date(range.from.getFullYear(), range.from.getMonth() + month, 1).getTime();
  const end = new Date(range.from.getFullYear(), range.from.getMonth() + month + 1, 1).getTime();
  return new Date(begin + (position - month) * (end - begin));
}

/** How many of each channel, and the busiest months: what a screen reader is told. */
export function summarise(marks: readonly Mark[]) {
  const count = { chat: 0, email: 0, phone: 0 };
  const months = new Map<number, number>();
  for (const mark of marks) {
    count[mark.channel] += 1;
    const month = new Date(mark.at).getMonth();
    months.set(month, (months.get(month) ?? 0) + 1);
  }
  const busiest = [...months].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return { ...count, busiest: busiest.map(([month]) => month).sort((a, b) => a - b) };
}
