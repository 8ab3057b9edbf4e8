// `npm run bench` (`-- throughput delivery` for parts): every figure beside its baseline from the same run. See README.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crowd } from './crowd.mjs';
import { delivery, fanOut, throughRedis } from './delivery.mjs';
import { growth } from './growth.mjs';
import { benchStore } from './store.mjs';
import { report, table } from './table.mjs';
import { throughput } from './throughput.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const sizes = {
  seconds: number('BENCH_SECONDS', 8),
  rounds: number('BENCH_ROUNDS', 3),
  warmUp: number('BENCH_WARM_UP', 30_000),
  agents: number('BENCH_AGENTS', 1_000),
  visitors: number('BENCH_VISITORS', 10_000),
  events: number('BENCH_EVENTS', 1_000_000),
};

const parts = {
  throughput,
  delivery,
  redis: throughRedis,
  'fan-out': fanOut,
  crowd,
  growth,
  store: () => benchStore(report),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((part) => part !== 'product' && !Object.hasOwn(parts, part));
if (unknown.length > 0) {
  console.error(
    `No part is called ${unknown.join(', ')}. There are: product, ${Object.keys(parts).join(', ')}.`,
  );
  process.exit(2);
}
const isWanted = (part) =>
  wanted.length === 0 || wanted.includes(part) || (wanted.includes('product') && part !== 'store');

console.log(`${cpus().length} cores, ${cpus()[0]?.model}, Node ${process.version}\n`);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here, encoding: 'utf8' }).trim();
const at = new Date().toISOString();
const machine = { cores: cpus().length, model: cpus()[0]?.model, node: process.version };
const file = join(here, 'results', `${at.replace(/[:.]/g, '-')}.json`);
mkdirSync(dirname(file), { recursive: true });
for (const [name, run] of Object.entries(parts)) {
  if (!isWanted(name)) continue;
  await run(sizes);
  // After each part, with how busy the machine was: a run that is ended early has shown what it has shown.
  const result = { at, commit, machine, load: loadavg(), sizes, table: table() };
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}
