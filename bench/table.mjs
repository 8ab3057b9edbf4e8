// The table of a run: each figure beside its baseline, and what is promised of it.

/** @type {{ what: string, figure: string, baseline: string, ratio: number | null, goal: string, met: boolean | null }[]} */
const rows = [];

/** `met: null` for a line that is there to be compared with. */
export function report(what, figure, baseline = '', ratio = null, goal = '', met = null) {
  rows.push({ what, figure, baseline, ratio, goal, met });
  const verdict = met === null ? '' : met ? 'met' : 'NOT MET';
  const shown = ratio === null ? '' : ratio.toFixed(3);
  console.log(
    `${what.padEnd(50)} ${figure.padEnd(20)} ${baseline.padEnd(28)} ${shown.padEnd(8)} ${goal.padEnd(18)} ${verdict}`,
  );
}

export const table = () => rows;
export const ms = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;
export const perSecond = (value) => `${value.toFixed(0)}/s`;
export const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
