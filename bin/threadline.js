#!/usr/bin/env node
// The command line. What it runs is built JavaScript: `npm start` and `npm test` build it, and so does `npm run build`.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const built = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'server', 'cli', 'main.js');
if (existsSync(built)) {
  await import(pathToFileURL(built).href);
} else {
  console.error('Threadline is not built yet. Run: npm run build');
  process.exitCode = 1;
}
