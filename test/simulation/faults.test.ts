import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCampaign, buildWithFault, runCampaign } from './build.js';

/**
 * A simulation that finds nothing proves nothing unless it would have found something. Each patch plants one fault in a
 * copy of the shipped sources, and the simulation has to see it.
 */
const folder = join(import.meta.dirname, 'faults');
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.patch'))
  .map((name) => basename(name, '.patch'));

/** The most schedules that a fault may need. */
const within = 3_000;

const found: { name: string; runs: number; rule: string }[] = [];
let inputs: string[] = [];

describe('planted faults', () => {
  beforeAll(async () => {
    ({ inputs } = await buildCampaign('sound'));
  });

  it.concurrent.each(names)('%s is seen', async (name) => {
    const directory = mkdtempSync(join(tmpdir(), 'threadline-fault-'));
    const program = await buildWithFault(join(folder, `${name}.patch`), name, inputs, directory);
    const { violations, runs } = await runCampaign(program, [
      '--runs',
      String(within),
      '--seed',
      '20',
      '--first',
    ]);
    expect(violations, `${name} was not seen in ${runs} schedules`).not.toEqual([]);
    found.push({ name, runs, rule: violations[0]?.split(':')[0] ?? '' });
  });

  afterAll(() => {
    const lines = found
      .toSorted((a, b) => a.runs - b.runs)
      .map(
        ({ name, runs, rule }) =>
          `  ${name.padEnd(34)} in ${String(runs).padStart(5)} schedules, by "${rule}"`,
      );
    process.stdout.write(`planted faults: ${found.length} of ${names.length} found\n${lines.join('\n')}\n`);
  });
});
