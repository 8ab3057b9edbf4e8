import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exclusion } from './requirements.js';
import { DriverLacks, readSpec, runTest } from './runner.js';
import { startStoreForSpecs } from './server.js';

/**
 * MongoDB's own unified tests against the embedded store, by the real driver. Their licence forbids copying: they are
 * read where they lie, and where they are not, this says so.
 */
const source = join(
  process.env.TEST_DATA_DIR ?? join(import.meta.dirname, '../../../../shared/data'),
  'mongodb-spec/source',
);
const folders = [
  'crud',
  'transactions',
  'transactions-convenient-api',
  'change-streams',
  'sessions',
  'retryable-writes',
  'retryable-reads',
  'collection-management',
  'index-management',
  'run-command',
  'read-write-concern',
  'command-logging-and-monitoring',
];

/** Here nothing may be refused. */
const complete = new Set([
  'crud',
  'transactions',
  'transactions-convenient-api',
  'change-streams',
  'sessions',
  'retryable-writes',
  'retryable-reads',
]);

const specFiles = (folder: string) =>
  readdirSync(join(source, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith('.json') && !/[/]logging$/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

const tally = new Map<
  string,
  {
    run: number;
    passed: number;
    excluded: Map<string, number>;
    lacks: Map<string, number>;
    refused: Map<string, number>;
  }
>();
const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);

describe.skipIf(!existsSync(source))('the unified specification tests', () => {
  const directory = mkdtempSync(join(tmpdir(), 'threadline-unified-'));
  let server: Awaited<ReturnType<typeof startStoreForSpecs>>;
  let internal: MongoClient;

  beforeAll(async () => {
    server = await startStoreForSpecs(directory);
    internal = new MongoClient(server.uri);
    await internal.connect();
  });

  afterAll(async () => {
    await internal?.close();
    await server?.close();
    rmSync(directory, { recursive: true, force: true });
    for (const [folder, { run, passed, excluded, lacks, refused }] of tally) {
      const reasons = [...excluded].map(([reason, number]) => `${number} by ${reason}`).join('; ');
      const missing = [...lacks].map(([name, number]) => `${number} the driver has no ${name}`).join('; ');
      const no = [...refused].map(([what, number]) => `${number} refused: ${what}`).join('; ');
      const sum = [...excluded.values()].reduce((total, number) => total + number, 0);
      console.log(
        `${folder}: ${run} run, ${passed} passed, ${run - passed} failed, ${sum} excluded (${reasons})${missing && `; ${missing}`}${no && `; ${no}`}`,
      );
    }
  });

  for (const folder of existsSync(source) ? folders : []) {
    const numbers = {
      run: 0,
      passed: 0,
      excluded: new Map<string, number>(),
      lacks: new Map<string, number>(),
      refused: new Map<string, number>(),
    };
    tally.set(folder, numbers);
    describe(folder, () => {
      for (const path of specFiles(folder)) {
        const file = readSpec(path);
        // Some files are of the formats before the unified one.
        if (!file.schemaVersion) continue;
        for (const test of file.tests ?? []) {
          const reason = exclusion(file, test);
          if (reason !== null) {
            count(numbers.excluded, reason);
            continue;
          }
          it(`${relative(join(source, folder), path).replace(/^tests\/unified\//, '')}: ${test.description}`, async () => {
            try {
              await runTest(server.uri, internal, file, test);
              numbers.run += 1;
              numbers.passed += 1;
            } catch (error) {
              if (error instanceof DriverLacks) return void count(numbers.lacks, error.message);
              // What the store says it does not do, in so many words: listed, and in its README.
              const refusal = /'?(\w+)'? .*is not supported by this store/.exec((error as Error).message);
              if (refusal && !complete.has(folder)) return void count(numbers.refused, refusal[0]);
              numbers.run += 1;
              throw error;
            }
          });
        }
      }
    });
  }

  it('were found and counted', () => expect([...tally.values()].some(({ run }) => run > 0)).toBe(true));
});

if (!existsSync(source)) {
  it('without the specification data: not run', () => {
    console.log(`not run: MongoDB's specification tests are not at ${source}; set TEST_DATA_DIR`);
    expect(existsSync(source)).toBe(false);
  });
}
