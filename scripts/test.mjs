// Runs every part of the tests and closes with one line over all of them: `N passed, N failed, N skipped`.
// A part that fails does not stop the others; it fails the command.
//   --only NAME[,NAME]   just these parts        --long   the full forms of the heavy proofs
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const artifacts = join(root, 'test', '.artifacts');
const { values } = parseArgs({
  options: { only: { type: 'string' }, long: { type: 'boolean', default: false } },
});

const bin = (name) => join(root, 'node_modules', '.bin', name);

/** A check passes or fails as one; a suite counts its tests in the report it writes. */
const parts = [
  { name: 'format and lint', group: 'checks', command: [bin('biome'), 'ci', '--colors=off', '.'] },
  { name: 'types', group: 'checks', command: [bin('tsc'), '-p', '.'] },
  { name: 'unused code', group: 'checks', command: [bin('knip'), '--no-progress'] },
  { name: 'licences', group: 'checks', command: [process.execPath, 'scripts/check-licences.mjs'] },
  { name: 'server and shared', group: 'unit', command: vitest('unit'), report: 'unit.json' },
  { name: 'store proofs', group: 'proof', command: vitest('proof'), report: 'proof.json' },
  { name: 'components', group: 'components', command: [bin('wtr')], report: 'components.json' },
  { name: 'journeys', group: 'journeys', command: vitest('journeys'), report: 'journeys.json' },
  { name: 'faults', group: 'faults', command: vitest('faults'), report: 'faults.json' },
];

function vitest(project) {
  const report = join(artifacts, 'reports', `${project}.json`);
  return [
    bin('vitest'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
}

const wanted = values.only?.split(',');
const chosen = parts.filter((part) => !wanted || wanted.includes(part.group) || wanted.includes(part.name));
if (chosen.length === 0) {
  console.error(`No such part. There are: ${[...new Set(parts.map((part) => part.group))].join(', ')}.`);
  process.exit(2);
}

const pick = (from, pattern) =>
  Object.fromEntries(Object.entries(from).filter(([name]) => pattern.test(name)));

function start(part, quiet) {
  return new Promise((resolve) => {
    const [command, ...args] = part.command;
    const child = spawn(command, args, {
      cwd: root,
      env: {
        ...process.env,
        FORCE_COLOR: '0',
        THREADLINE_TEST_LONG: values.long ? '1' : '',
        ...(values.long && {
          KILL_ROUNDS: '20',
          SIMULATION_SCHEDULES: '100000',
          // 1,000 kills and 1,000,000 messages in pieces, which a run that was broken off does not do again.
          FAULT_PIECES: '50',
          FAULT_KILLS: '20',
          FAULT_MESSAGES: '1000',
          FAULT_VISITORS: '60',
          FAULT_FOLDER: join(artifacts, 'faults'),
          // What is set already is meant: a smaller run, or another folder.
          ...pick(process.env, /^(KILL_ROUNDS|SIMULATION_SCHEDULES|FAULT_\w+)$/),
        }),
      },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 1, output: String(error) }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** What a suite says of itself; a suite that wrote no report, or ran nothing, has failed. */
function countsOf(part, code) {
  if (!part.report) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(join(artifacts, 'reports', part.report), 'utf8'));
    const passed = report.numPassedTests ?? 0;
    const failed = report.numFailedTests ?? 0;
    const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
    const ranNothing = passed + failed === 0;
    // A suite can fail outside its tests (an error while loading a file): the exit code decides.
    return { passed, failed: Math.max(failed, code === 0 && !ranNothing ? 0 : 1), skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

rmSync(join(artifacts, 'reports'), { recursive: true, force: true });
mkdirSync(join(artifacts, 'reports'), { recursive: true });

const total = { passed: 0, failed: 0, skipped: 0 };
const table = [];
function record(part, code, beganAt) {
  const counts = countsOf(part, code);
  for (const key of Object.keys(total)) total[key] += counts[key];
  const seconds = ((performance.now() - beganAt) / 1000).toFixed(1);
  table.push(
    `${counts.failed ? 'FAILED' : 'ok    '}  ${part.name.padEnd(20)} ${String(counts.passed).padStart(5)} passed ${String(counts.failed).padStart(3)} failed ${String(counts.skipped).padStart(3)} skipped ${seconds.padStart(7)} s`,
  );
}

const began = performance.now();
// The checks are short and silent when they pass: all at once. The suites use both cores by themselves: one by one.
await Promise.all(
  chosen
    .filter((part) => !part.report)
    .map(async (part) => {
      const partBegan = performance.now();
      const { code, output } = await start(part, true);
      if (code !== 0) console.log(`\n--- ${part.name} ---\n${output}`);
      record(part, code, partBegan);
    }),
);
for (const part of chosen.filter((candidate) => candidate.report)) {
  console.log(`\n--- ${part.name} ---`);
  const partBegan = performance.now();
  const { code } = await start(part, false);
  record(part, code, partBegan);
}

console.log(`\n${table.join('\n')}\n${((performance.now() - began) / 1000).toFixed(0)} s\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
