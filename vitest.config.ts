import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{shared,server,store,console,scripts}/**/*.test.ts', 'test/*.test.ts'],
    // A focused test left behind would silently switch the others off.
    allowOnly: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
