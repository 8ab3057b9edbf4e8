import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { play } from './run.js';
import { type Schedule, schedules } from './schedule.js';

/**
 * A process of its own that plays many schedules and says on its standard output what it found, as one JSON object.
 *   --runs N --seed N     how many, from which seed of fast-check
 *   --first               ends at the first violation, unshrunk
 *   --history FILE        appends what was done and seen in each run, for the independent reader
 */
export interface Campaign {
  runs: number;
  violations: string[];
  /** The shrunk schedule, and what happened in it. */
  counterexample: Schedule | null;
  trace: string[];
  hits: Record<string, number>;
  virtualMs: number;
  tasks: number;
  acknowledged: number;
}

class Violated extends Error {}

async function campaign(
  runs: number,
  seed: number,
  isFirst: boolean,
  history: string | undefined,
): Promise<Campaign> {
  // Listeners that fail are shown so; here they are meant to.
  process.removeAllListeners('warning');
  // An error's stack is half of its cost, and nobody reads those that a run provokes.
  Error.stackTraceLimit = 0;
  const total: Campaign = {
    runs: 0,
    violations: [],
    counterexample: null,
    trace: [],
    hits: {},
    virtualMs: 0,
    tasks: 0,
    acknowledged: 0,
  };
  const property = fc.asyncProperty(schedules, async (schedule) => {
    const outcome = await play(schedule);
    total.runs += 1;
    total.virtualMs += outcome.elapsedMs;
    total.tasks += outcome.tasks;
    total.acknowledged += outcome.acknowledged;
    for (const [name, count] of outcome.hits) total.hits[name] = (total.hits[name] ?? 0) + count;
    if (outcome.violations.length > 0) throw new Violated(outcome.violations[0]);
    if (history !== undefined) appendFileSync(history, `${outcome.history.join('\n')}\n{"o":"end"}\n`);
  });
  const result = await fc.check(property, { numRuns: runs, seed, endOnFailure: isFirst });
  if (result.failed && result.counterexample) {
    const [schedule] = result.counterexample;
    const again = await play(schedule, { traces: true });
    total.counterexample = schedule;
    total.violations = again.violations;
    total.trace = again.trace;
  }
  return total;
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    seed: { type: 'string' },
    history: { type: 'string' },
    first: { type: 'boolean', default: false },
  },
});
process.stdout.write(
  JSON.stringify(await campaign(Number(values.runs), Number(values.seed), values.first, values.history)),
);
