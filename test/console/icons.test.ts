import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { names, sprite } from '../../console/icons/generate.mjs';

const folder = join(import.meta.dirname, '../../console');

test('the sprite is the one made from the list of names', () => {
  expect(readFileSync(join(folder, 'icons/sprite.ts'), 'utf8')).toBe(sprite());
});

test('holds no icon that nothing draws', () => {
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('sprite'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  expect(names.filter((name: string) => !sources.includes(`'${name}'`))).toEqual([]);
});
