import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What a site and its visitors pay for the widget, in bytes of brotli 11, and what the bundle must not hold. */

const outDir = mkdtempSync(join(tmpdir(), 'threadline-widget-'));
const sources = new Map<string, string>();
const sizeOf = (name: string): number => {
  const found = [...sources].find(([path]) => path.startsWith(name));
  if (!found) throw new Error(`${name} was not built`);
  return brotliCompressSync(found[1]).length;
};

const goal = (name: string, most: number): string =>
  `at most ${most}: ${sizeOf(name) <= most ? 'met' : 'NOT MET'}`;

const budget = { loader: 1_536, panel: 14 * 1_024, http: 1_024 };
/** Complete open widgets, measured the same way from their npm packages on 2026-11-23. */
const others = { 'Rocket.Chat 1.13.3': 62_452, 'deep-chat 2.4.2': 91_852, 'gleap 16.4.0': 109_132 };

beforeAll(async () => {
  const { buildWidget }: { buildWidget: (options: { outDir: string }) => Promise<unknown> } = await import(
    // A build script in plain JavaScript.
    `${'../../scripts'}/build-widget.mjs`
  );
  await buildWidget({ outDir });
  sources.set('threadline', readFileSync(join(outDir, 'threadline.js'), 'utf8'));
  for (const name of readdirSync(join(outDir, 'assets'))) {
    if (name.endsWith('.js')) sources.set(name, readFileSync(join(outDir, 'assets', name), 'utf8'));
  }
}, 60_000);
afterAll(() => rmSync(outDir, { recursive: true, force: true }));

describe('the widget as it is delivered', () => {
  it('keeps the loader and the panel to their budgets', () => {
    const rows: [string, number, string][] = [
      ['loader: every page', sizeOf('threadline'), goal('threadline', budget.loader)],
      ['panel: opening, writing, reading', sizeOf('panel'), goal('panel', budget.panel)],
      ['on need: HTTP where WebSocket is blocked', sizeOf('http-'), goal('http-', budget.http)],
      ['on need: a second tab', sizeOf('followers-'), ''],
      ['on need: files, form, list, emoji', sizeOf('extras-'), ''],
      ['on need: Russian', sizeOf('ru-'), ''],
      ['on need: Russian of files, form, list, emoji', sizeOf('extras-ru'), ''],
      ['on need: the badge of somebody who comes back', sizeOf('unread'), ''],
      ...Object.entries(others).map(([name, bytes]): [string, number, string] => [name, bytes, '']),
    ];
    const lines = rows.map(([name, bytes, goal]) =>
      `${name.padEnd(48)} ${String(bytes).padStart(7)}  ${goal}`.trimEnd(),
    );
    process.stdout.write(`${lines.join('\n')}\n`);
    expect(sizeOf('threadline')).toBeLessThanOrEqual(budget.loader);
    expect(sizeOf('panel')).toBeLessThanOrEqual(budget.panel);
    expect(sizeOf('http-')).toBeLessThanOrEqual(budget.http);
  });

  it('is the same from one build to the next', async () => {
    const again = mkdtempSync(join(tmpdir(), 'threadline-widget-'));
    const { buildWidget } = await import(`${'../../scripts'}/build-widget.mjs`);
    await buildWidget({ outDir: again });
    expect(readdirSync(join(again, 'assets')).sort()).toEqual(readdirSync(join(outDir, 'assets')).sort());
    rmSync(again, { recursive: true });
  });

  it('C3: holds no eval, no HTML sink, no foreign host', () => {
    for (const [name, source] of sources) {
      expect(source, name).not.toMatch(
        /\beval\s*\(|new Function|document\.write|insertAdjacentHTML|setAttribute\("style/,
      );
      const hosts = [...source.matchAll(/(?:https?|wss?):\/\/([\w.-]+)/g)].map(([, host]) => host);
      // The name of a namespace, never asked for.
      expect(new Set(hosts.filter((host) => host !== 'www.w3.org')), name).toEqual(new Set());
    }
  });

  it('C3: makes its Trusted Types policy under its own name', () => {
    const panel = [...sources].find(([name]) => name.startsWith('panel'))?.[1] ?? '';
    expect(panel).toMatch(/createPolicy\("threadline"/);
    expect(panel).not.toContain('createPolicy("lit-html"');
  });
});
