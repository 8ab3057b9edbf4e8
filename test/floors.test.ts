import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The oldest version of each package in which no advisory is in force that concerns us. */
const floors: Record<string, string> = {
  'socket.io-parser': '4.2.7',
  'engine.io': '6.6.10',
  mongoose: '9.9.2',
  jsonwebtoken: '9.0.0',
  nodemailer: '10.4.1',
  mailparser: '3.9.3',
  multer: '2.1.1',
};
/** Packages that may be absent: they count only when somebody adds them. */
const optional = new Set(['mailparser', 'multer']);

const lock: { packages: Record<string, { version?: string; resolved?: string; integrity?: string }> } =
  JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8'));
const entries = Object.entries(lock.packages).filter(([path]) => path !== '');
const numbers = (version: string) => version.split(/[.-]/).slice(0, 3).map(Number);

function isAtLeast(version: string, floor: string): boolean {
  const [wanted, found] = [numbers(floor), numbers(version)];
  for (const [index, number] of wanted.entries()) {
    if ((found[index] ?? 0) !== number) return (found[index] ?? 0) > number;
  }
  return true;
}

describe('what we build upon (C1, C2)', () => {
  it.each(Object.entries(floors))('%s is %s or newer, in every copy', (name, floor) => {
    const copies = entries.filter(([path]) => path.endsWith(`node_modules/${name}`));
    if (!optional.has(name)) expect(copies.length).toBeGreaterThan(0);
    for (const [path, { version = '0' }] of copies) {
      expect(isAtLeast(version, floor), `${path} is ${version}`).toBe(true);
    }
  });

  it('compares versions as numbers', () => {
    expect(isAtLeast('10.0.0', '9.9.2')).toBe(true);
    expect(isAtLeast('9.9.1', '9.9.2')).toBe(false);
    expect(isAtLeast('9.10.0', '9.9.2')).toBe(true);
    expect(isAtLeast('6.6.10', '6.6.10')).toBe(true);
  });

  it('comes whole from the registry: every entry has its integrity', () => {
    for (const [path, { resolved, integrity }] of entries) {
      // Without an address it comes from whatever registry is configured, and still only with this very content.
      if (resolved !== undefined) expect(resolved, path).toMatch(/^https:\/\/registry\.npmjs\.org\//);
      expect(integrity, path).toMatch(/^sha512-/);
    }
  });
});
