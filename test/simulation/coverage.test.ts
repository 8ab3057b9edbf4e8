import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { branchesTaken, branchesUntouched, type FileBranches } from './branches.js';
import { buildCampaign, runCampaign } from './build.js';

/**
 * What the simulation alone runs of the shipped code, branch by branch. It counts every file of the three folders but the
 * real sides of their ports, which hold no rule: both sides of each port pass one contract test.
 */
const root = join(import.meta.dirname, '../..');
const folders = ['shared/delivery', 'server/timeline', 'server/jobs'];
const leftOut: Record<string, string> = {
  'server/timeline/store.ts': 'the mongoose side of the door’s port: store.contract.test.ts',
  'server/timeline/sources.ts': 'the mongoose side of what is read through: sources.contract.test.ts',
  'server/timeline/remake-store.ts': 'the mongoose side of making again: remake.contract.test.ts',
  'server/timeline/model.ts': 'mongoose schemas of the rows',
  'server/timeline/system.ts': 'the machine’s clock, chance and turns',
  'server/jobs/store.ts': 'the mongoose side of the jobs’ port: jobs/store.contract.test.ts',
  'server/jobs/leases.ts': 'the mongoose side of leases: jobs/store.contract.test.ts',
  'server/jobs/model.ts': 'mongoose schemas of the rows',
  'server/jobs/bull.ts': 'the queue’s side in Redis: bull.test.ts',
  'server/jobs/system.ts': 'the machine’s clock, chance and timers',
};
const wanted = 0.95;
const schedules = 400;

const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
);
const counted = mkdtempSync(join(tmpdir(), 'threadline-branches-'));
let found: FileBranches[] = [];

describe('the simulation', () => {
  it('leaves out nothing but the real sides of ports that are there', () => {
    expect(Object.keys(leftOut).filter((file) => !files.includes(file))).toEqual([]);
  });

  it(`takes at least ${wanted * 100} % of the branches that it stands for`, async () => {
    const { program } = await buildCampaign('counted');
    const options = ['--runs', String(schedules), '--seed', '1'];
    const { counterexample } = await runCampaign(program, options, { NODE_V8_COVERAGE: counted });
    expect(counterexample).toBeNull();
    const taken = await branchesTaken(program, counted);
    found = await Promise.all(
      files
        .filter((file) => !(file in leftOut))
        .map(async (file) => taken.find((one) => one.file === file) ?? branchesUntouched(file)),
    );
    expect(share(found), 'of all branches').toBeGreaterThanOrEqual(wanted);
  });

  afterAll(() => {
    rmSync(counted, { recursive: true, force: true });
    const lines = found
      .toSorted((a, b) => share([a]) - share([b]) || b.total - a.total)
      .map(({ file, taken, total, missed }) => {
        const rest = missed.length > 0 ? `  not: ${missed.join(', ')}` : '';
        return `  ${file.padEnd(32)} ${String(taken).padStart(4)} of ${String(total).padStart(3)}${rest}`;
      });
    process.stdout.write(
      `branches taken by ${schedules} schedules alone: ${(share(found) * 100).toFixed(1)} %\n${lines.join('\n')}\n` +
        `left out:\n${Object.entries(leftOut)
          .map(([file, why]) => `  ${file}: ${why}\n`)
          .join('')}`,
    );
  });
});

function share(list: readonly FileBranches[]): number {
  const total = list.reduce((sum, one) => sum + one.total, 0);
  return total === 0 ? 1 : list.reduce((sum, one) => sum + one.taken, 0) / total;
}
