import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as vite } from 'vite';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export async function build() {
  await vite({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' });
}
