import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

const folder = join(import.meta.dirname, '../../dist/console');
const sizeOf = (file: string) => brotliCompressSync(readFileSync(join(folder, file))).length;

/** The files a page loads by itself: what its HTML names, and what those import statically. */
function firstRoute(): string[] {
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  const found = new Set([...page.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map((match) => match[1] ?? ''));
  for (const file of found) {
    const code = readFileSync(join(folder, file), 'utf8');
    for (const match of code.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g))
      found.add(`console-assets/${match[1]}`);
  }
  return [...found];
}

describe('what the console weighs', () => {
  test('the first route is below 90 KB of JavaScript, brotli', () => {
    const bytes = firstRoute().reduce((sum, file) => sum + sizeOf(file), 0);
    console.info(`console: first route ${(bytes / 1024).toFixed(1)} KB of JavaScript (brotli)`);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(90 * 1024);
  });

  test('each further part is below 40 KB', () => {
    const first = new Set(firstRoute());
    for (const file of readdirSync(join(folder, 'console-assets')).filter(
      (name) => name.endsWith('.js') && !first.has(`console-assets/${name}`),
    ))
      expect(sizeOf(`console-assets/${file}`), file).toBeLessThan(40 * 1024);
  });

  test('the page holds no script and no style of its own: the policy allows none', () => {
    const page = readFileSync(join(folder, 'index.html'), 'utf8');
    expect(page).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\son\w+=|style="/);
  });
});
