import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChaosOutcome, chaos } from './chaos.js';

/**
 * Pieces of a few kills each, every one over processes and data of its own. With `FAULT_FOLDER` what was done is kept
 * there, so that a run that was broken off goes on where it was: the full form has 1,000 kills and 1,000,000 messages.
 */
const { env } = process;
const pieces = Number(env.FAULT_PIECES ?? 1);
const kills = Number(env.FAULT_KILLS ?? 6);
const messages = Number(env.FAULT_MESSAGES ?? 300);
const visitors = Number(env.FAULT_VISITORS ?? 20);
const firstSeed = Number(env.FAULT_SEED ?? 1);
const seeds = Array.from({ length: pieces }, (_, at) => firstSeed + at);

type Done = Pick<ChaosOutcome, 'faults' | 'recoveryMs' | 'letters'> & { reading: Record<string, number> };
let folder = '';
let done: Record<string, Done> = {};

const stateFile = () => join(folder, 'state.json');
const share = (sorted: readonly number[], part: number): string =>
  ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) / 1_000).toFixed(1);
const sum = (list: readonly Record<string, number>[]): Record<string, number> => {
  const total: Record<string, number> = {};
  for (const one of list) for (const [name, n] of Object.entries(one)) total[name] = (total[name] ?? 0) + n;
  return total;
};

describe('real processes, killed, cut off and set to other times', () => {
  beforeAll(() => {
    if (!existsSync(join(import.meta.dirname, '../../dist/server/cli/main.js'))) {
      throw new Error('the server is not built: npm run build');
    }
    folder = env.FAULT_FOLDER ?? mkdtempSync(join(tmpdir(), 'threadline-chaos-'));
    mkdirSync(folder, { recursive: true });
    if (existsSync(stateFile())) done = JSON.parse(readFileSync(stateFile(), 'utf8'));
  });

  it.each(seeds)(
    'lose, double and misorder nothing, from seed %i',
    {
      timeout: 300_000 + kills * 120_000,
    },
    async (seed) => {
      if (done[seed]) return;
      const outcome = await chaos({ seed, rounds: kills, messages, visitors, agents: 3, folder });
      const { complaints, ...reading } = outcome.reading;
      expect(complaints).toEqual([]);
      expect(outcome.complaints).toEqual([]);
      expect(outcome.letters.left).toBe(outcome.letters.written);
      expect(reading.acknowledged).toBeGreaterThan(kills * messages * 0.9);
      done[seed] = {
        reading,
        faults: outcome.faults,
        recoveryMs: outcome.recoveryMs,
        letters: outcome.letters,
      };
      writeFileSync(`${stateFile()}.new`, JSON.stringify(done));
      renameSync(`${stateFile()}.new`, stateFile());
      rmSync(join(folder, `history-${seed}.jsonl`));
    },
  );

  afterAll(() => {
    const all = Object.values(done);
    const reading = sum(all.map((one) => one.reading));
    const faults = sum(all.map((one) => one.faults));
    const letters = sum(all.map((one) => one.letters));
    const recovery = all.flatMap(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
    const killed = Object.entries(faults).filter(([name]) => name.startsWith('kill'));
    const others = Object.entries(faults).filter(([name]) => !name.startsWith('kill'));
    const list = (entries: [string, number][]) => entries.map(([name, n]) => `${n} ${name}`).join(', ');
    process.stdout.write(
      `real faults: ${reading.acknowledged ?? 0} acknowledged of ${reading.written ?? 0} written, ` +
        `seen ${reading.seen ?? 0} times; ${list(killed)}; ${list(others)}\n` +
        `lost ${reading.lost ?? 0}, doubled ${reading.doubled ?? 0}, misordered ${reading.misordered ?? 0}, ` +
        `invented ${reading.invented ?? 0}, by a reader that shares no code with the product; ` +
        `of ${letters.written ?? 0} letters left ${letters.left ?? 0}, ${letters.again ?? 0} once more under their id\n` +
        `from a kill until a client was acknowledged again: p50 ${share(recovery, 0.5)} s, p99 ${share(recovery, 0.99)} s\n`,
    );
    if (env.FAULT_FOLDER === undefined) rmSync(folder, { recursive: true, force: true });
  });
});
