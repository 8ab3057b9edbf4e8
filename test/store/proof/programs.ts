import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** A program beside this file as one that Node runs: bundled from TypeScript once for each state of its sources. */
export async function bundled(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'node20',
    write: false,
  });
  const code = outputFiles[0]?.text ?? '';
  const folder = join(import.meta.dirname, '../../../.cache');
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 16);
  const file = join(folder, `proof-${name}-${hash}.mjs`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    // Two tests may build it at once: whoever is last puts the same bytes in place.
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, code);
    renameSync(draft, file);
  }
  return file;
}
