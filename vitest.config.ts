import { defineConfig } from 'vitest/config';

const common = {
  // A focused test left behind would silently switch the others off.
  allowOnly: false,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // A test waits for the state itself; the guard only ends what will never come, on however slow a machine.
  expect: { poll: { timeout: 30_000 } },
  pool: 'forks' as const,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/{shared,server,store,console,scripts}/**/*.test.ts', 'test/*.test.ts'],
          exclude: ['**/*.browser.test.ts', '**/node_modules/**', 'test/store/proof/**'],
          maxWorkers: 2,
        },
      },
      {
        // MongoDB's own tests of its drivers against the embedded store: `npm run test:store`.
        test: {
          ...common,
          name: 'store',
          include: ['test/store/unified/**/*.spec.ts'],
          fileParallelism: false,
        },
      },
      {
        // The embedded store as a process that is killed, traced and fed broken frames and disks.
        test: {
          ...common,
          name: 'proof',
          include: ['test/store/proof/**/*.test.ts'],
          maxWorkers: 2,
        },
      },
      {
        // Real Chromium, real server processes: one after another, so that they do not slow each other down.
        test: {
          ...common,
          name: 'journeys',
          include: ['test/journeys/**/*.test.ts'],
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...common,
          name: 'faults',
          include: ['test/{faults,simulation}/**/*.test.ts'],
          testTimeout: 300_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
