// Every package of the production tree carries a licence we may ship under. Read from the installed packages, walked
// from the lock file's production part.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const allowed = new Set([
  'MIT',
  'MIT-0',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'ISC',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
  'MPL-2.0',
  'OFL-1.1',
]);

/** An SPDX expression is fine when some choice within it is. */
const isAllowed = (expression) =>
  expression
    .replace(/[()]/g, '')
    .split(/\s+OR\s+/)
    .some((choice) => choice.split(/\s+AND\s+/).every((licence) => allowed.has(licence.trim())));

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const refused = [];
let seen = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === '' || entry.dev || entry.optional) continue;
  const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  const licence =
    typeof manifest.license === 'string'
      ? manifest.license
      : (manifest.license?.type ?? manifest.licenses?.[0]?.type);
  seen += 1;
  if (!licence || !isAllowed(licence)) refused.push(`${path}: ${licence ?? 'no licence named'}`);
}
if (seen === 0) refused.push('no package was read: is the lock file empty?');
console.log(`${seen} production packages read`);
if (refused.length > 0) {
  console.error(`Licences that are not on the list:\n  ${refused.join('\n  ')}`);
  process.exit(1);
}
