// The server runs built JavaScript: each file for itself, in the same folders, so that a stack trace, a worker's path
// and a breakpoint are where the source says.
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const sourcesBelow = (folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

export async function build() {
  rmSync(join(root, 'dist/server'), { recursive: true, force: true });
  rmSync(join(root, 'dist/shared'), { recursive: true, force: true });
  await esbuild({
    entryPoints: [...sourcesBelow('server'), ...sourcesBelow('shared')],
    outdir: join(root, 'dist'),
    outbase: root,
    bundle: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  });
}
