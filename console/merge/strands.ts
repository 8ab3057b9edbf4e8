import type { MergeSide } from '../../shared/api.js';

type Mark = MergeSide['marks'][number] & { x: number; y: number };
export interface Strands {
  left: Mark[];
  right: Mark[];
  joined: Mark[];
}

/** The two strands of a merge run into one; the marks stand on them, oldest first. */
const paths = {
  left: [151, 0, 151, 62, 560, 30, 744, 92],
  right: [436, 0, 436, 52, 640, 44, 744, 92],
} as const;

const most = 7;
const mostJoined = 9;

export function layOutStrands(left: MergeSide['marks'], right: MergeSide['marks']): Strands {
  const joined = [...left, ...right].sort((a, b) => (a.at < b.at ? -1 : 1));
  const shown = joined.slice(-mostJoined);
  return {
    left: along(left.slice(-most), paths.left, 0.16, 0.86),
    right: along(right.slice(-most), paths.right, 0.18, 0.86),
    joined: shown.map((mark, index) => ({ ...mark, x: 800 + index * 25, y: 100 })),
  };
}

function along(
  marks: MergeSide['marks'],
  [x0, y0, x1, y1, x2, y2, x3, y3]: readonly [number, number, number, number, number, number, number, number],
  from: number,
  to: number,
): Mark[] {
  return marks.map((mark, index) => {
    const u = marks.length === 1 ? (from + to) / 2 : from + ((to - from) * index) / (marks.length - 1);
    const v = 1 - u;
    const bezier = (a: number, b: number, c: number, d: number) =>
      v * v * v * a + 3 * v * v * u * b + 3 * v * u * u * c + u * u * u * d;
    return { ...mark, x: bezier(x0, x1, x2, x3), y: bezier(y0, y1, y2, y3) };
  });
}
