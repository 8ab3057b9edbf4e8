import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { esbuildPlugin } from '@web/dev-server-esbuild';
import { defaultReporter } from '@web/test-runner';
import { chromeLauncher } from '@web/test-runner-chrome';

const root = dirname(fileURLToPath(import.meta.url));

/** Counts for `npm test`, which adds the parts up. */
function countsReporter(file) {
  return {
    stop({ sessions }) {
      const counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
      const add = (suite) => {
        for (const test of suite.tests)
          counts[test.skipped ? 'numPendingTests' : test.passed ? 'numPassedTests' : 'numFailedTests'] += 1;
        for (const inner of suite.suites) add(inner);
      };
      for (const session of sessions) if (session.testResults) add(session.testResults);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify(counts));
    },
  };
}

export default {
  files: ['test/{widget,console}/**/*.browser.test.ts'],
  nodeResolve: { exportConditions: ['browser', 'production'] },
  rootDir: root,
  concurrency: 1,
  testsFinishTimeout: 300_000,
  plugins: [esbuildPlugin({ ts: true, target: 'es2022', tsconfig: join(root, 'tsconfig.json') })],
  testFramework: { config: { timeout: 60_000, forbidOnly: true } },
  browsers: [
    chromeLauncher({
      launchOptions: {
        executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
        args: [
          '--disable-background-networking',
          '--force-color-profile=srgb',
          // Chromium's sandbox does not start for root.
          ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        ],
      },
    }),
  ],
  reporters: [
    defaultReporter({ reportTestResults: true, reportTestProgress: false }),
    countsReporter(join(root, 'test/.artifacts/reports/components.json')),
  ],
};
