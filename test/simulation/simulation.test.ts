import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { play } from './run.js';
import { schedules } from './schedule.js';

const runs = Number(process.env.SIMULATION_SCHEDULES ?? 2_000);

describe('simulation', () => {
  it('keeps the contract', async () => {
    const began = Date.now();
    let tasks = 0;
    const out = await fc.check(
      fc.asyncProperty(schedules, async (schedule) => {
        const outcome = await play(schedule);
        tasks += outcome.tasks;
        expect(outcome.violations).toEqual([]);
      }),
      { numRuns: runs, endOnFailure: false },
    );
    console.log(tasks, Date.now() - began);
    if (out.failed) {
      console.log(JSON.stringify(out.counterexample));
      const again = await play(out.counterexample![0], { traces: true });
      console.log(again.trace.join('\n'), again.violations);
    }
    expect(out.failed).toBe(false);
  });
});
