import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCampaign, runCampaign } from './build.js';
import type { Campaign } from './campaign.js';
import { readHistory } from './history/history.js';
import { play } from './run.js';
import type { Schedule } from './schedule.js';

/**
 * The engine, the door and the job runner as shipped, over a clock, a network and a store that follow a seed.
 * `SIMULATION_SCHEDULES` schedules, in pieces that can be played one by one; the full form has 100,000.
 * A schedule that was seen to fail is kept by name in seeds/ and played first. `SIMULATION_SEED` begins elsewhere.
 */
const schedules = Number(process.env.SIMULATION_SCHEDULES ?? 2_000);
const firstSeed = Number(process.env.SIMULATION_SEED ?? 1);
const piece = Math.min(1_000, schedules);
const seeds = Array.from({ length: Math.ceil(schedules / piece) }, (_, at) => firstSeed + at);

const kept = join(import.meta.dirname, 'seeds');
// A folder is not kept while it is empty.
const names = existsSync(kept) ? readdirSync(kept).filter((name) => name.endsWith('.json')) : [];

const total = { runs: 0, tasks: 0, virtualMs: 0, acknowledged: 0 };
const hits: Record<string, number> = {};
const read = { runs: 0, seen: 0, lost: 0, doubled: 0, misordered: 0, invented: 0 };
let program = '';
let directory = '';

/** Rare states that the schedules have to reach, or they prove less than they say. */
const mustBeReached = [
  'page gone',
  'half-open',
  'partition',
  'answer lost',
  'frame lost',
  'frame doubled',
  'slow reader',
  'server crash',
  'server restart',
  'server paused',
  'clock set',
  'store away',
  'commit unanswered',
  'crash at commit',
  'crash at committed',
  'conflict at commit',
  'duplicate at commit',
  'refused: rate_limited',
  'refused: message_empty',
  'hint lost on the bus',
  'job taken over from the dead',
  'job taken over from a living holder',
  'job fenced out',
  'letter sent again under its id',
  'retry',
  'discard',
  'signed out',
  'handed over to another tab',
  'told twice',
  'erased',
  'import undone',
  'archive read',
  'contacts merged',
  'stranger kept out',
  'decided too late',
  'dead letter retried',
  'job that kills its process',
  'rebuilt while all went on',
  'timeline read in peace',
  'picture drawn in peace',
  'read lags behind',
  'listener fails',
];

async function addReading(file: string): Promise<void> {
  const { complaints, ...totals } = await readHistory(file);
  expect(complaints).toEqual([]);
  for (const name of Object.keys(read) as (keyof typeof read)[]) read[name] += totals[name];
}

function count(campaign: Campaign): void {
  total.runs += campaign.runs;
  total.tasks += campaign.tasks;
  total.virtualMs += campaign.virtualMs;
  total.acknowledged += campaign.acknowledged;
  for (const [name, times] of Object.entries(campaign.hits)) hits[name] = (hits[name] ?? 0) + times;
}

/** What whoever looks into it needs: the schedule, to be kept in seeds/, and what happened in it. */
const explain = ({ violations, counterexample, trace }: Campaign): string =>
  `${violations.join('\n')}\n\n${trace.join('\n')}\n\nKeep it as test/simulation/seeds/NAME.json:\n${JSON.stringify(counterexample)}\n`;

describe('simulation', () => {
  beforeAll(async () => {
    ({ program } = await buildCampaign('shipped'));
    directory = mkdtempSync(join(tmpdir(), 'threadline-history-'));
  });

  it.each(names)('still keeps the contract in %s', async (name) => {
    const schedule: Schedule = JSON.parse(readFileSync(join(kept, name), 'utf8'));
    const { violations, trace } = await play(schedule, { traces: true });
    expect(violations, trace.join('\n')).toEqual([]);
  });

  it('plays a schedule again as it was', async () => {
    const options = ['--runs', '20', '--seed', String(firstSeed)];
    const [one, other] = [await runCampaign(program, options), await runCampaign(program, options)];
    expect(other).toEqual(one);
  });

  it.each(seeds)('keeps the contract through any faults, and heals, from seed %i', async (seed) => {
    const history = join(directory, `${seed}.jsonl`);
    const options = ['--runs', String(piece), '--seed', String(seed), '--history', history];
    const campaign = await runCampaign(program, options);
    count(campaign);
    expect(campaign.counterexample, explain(campaign)).toBeNull();
    await addReading(history);
    rmSync(history);
  });

  it.runIf(schedules >= 2_000)('reached what is rare', () => {
    expect(mustBeReached.filter((name) => !hits[name])).toEqual([]);
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    const faults = Object.values(hits).reduce((sum, times) => sum + times, 0);
    const { runs, tasks, virtualMs, acknowledged } = total;
    process.stdout.write(
      `simulation: ${runs} schedules, ${(virtualMs / 3_600_000).toFixed(0)} virtual hours, ${tasks} tasks, ` +
        `${faults} faults and rare states of ${Object.keys(hits).length} kinds, ${acknowledged} acknowledgements\n` +
        `history, read by another program: ${read.runs} runs, ${read.seen} events seen, ` +
        `lost ${read.lost}, doubled ${read.doubled}, misordered ${read.misordered}, invented ${read.invented}\n`,
    );
  });
});
