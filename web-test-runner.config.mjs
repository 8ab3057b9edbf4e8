import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { esbuildPlugin } from '@web/dev-server-esbuild';
import { defaultReporter } from '@web/test-runner';
import { chromeLauncher } from '@web/test-runner-chrome';
import * as esbuild from 'esbuild';

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

/** The widget takes its style sheets as text, as its build does. */
const widgetSheets = {
  name: 'widget-sheets',
  resolveMimeType: ({ path }) => (/^\/widget\/.*\.css$/.test(path) ? 'js' : undefined),
  async transform({ path, body }) {
    if (!/^\/widget\/.*\.css$/.test(path)) return undefined;
    const { code } = await esbuild.transform(body, { loader: 'css', minify: true, target: ['chrome125'] });
    return { body: `export default ${JSON.stringify(code)};` };
  },
};

/** A focused test left behind would silently switch the others off. */
const noFocusedTests = {
  name: 'no-focused-tests',
  transform({ path, body }) {
    const focused = path.includes('.browser.test.') && /\b(?:describe|it|test)\.only\b/.exec(String(body));
    if (focused) throw new Error(`${path} holds ${focused[0]}: the other tests would not run.`);
    return undefined;
  },
};

export default {
  files: ['test/{widget,console}/**/*.browser.test.ts'],
  nodeResolve: { exportConditions: ['browser', 'production'] },
  rootDir: root,
  concurrency: 1,
  testsFinishTimeout: 300_000,
  plugins: [
    noFocusedTests,
    widgetSheets,
    esbuildPlugin({ ts: true, target: 'es2022', tsconfig: join(root, 'tsconfig.json') }),
  ],
  testRunnerHtml: (framework) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Threadline: component tests</title>
  </head>
  <body><script type="module" src="${framework}"></script></body>
</html>`,
  testFramework: { config: { timeout: 60_000, forbidOnly: true } },
  browsers: [
    chromeLauncher({
      launchOptions: {
        executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
        args: [
          '--disable-background-networking',
          '--disable-component-update',
          '--no-first-run',
          '--disable-sync',
          '--disable-quic',
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
