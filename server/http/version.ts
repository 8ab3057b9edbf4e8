import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { distFolder } from './static.js';

const Package = v.object({ version: v.string() });

/** The version of this release, as its package says. */
export function productVersion(): string {
  const file = join(dirname(distFolder()), 'package.json');
  return v.parse(Package, JSON.parse(readFileSync(file, 'utf8'))).version;
}
