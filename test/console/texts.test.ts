import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { en } from '../../console/texts/en.js';
import type { Text } from '../../console/texts/form.js';
import { ru } from '../../console/texts/ru.js';
import { fill } from '../../console/texts/text.js';
import { errorCatalogue } from '../../shared/errors.js';

const folder = join(import.meta.dirname, '../../console');
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('texts') && !file.includes('sprite'))
  .map((file) => readFileSync(join(folder, file), 'utf8'))
  .join('\n');
const placeholders = (text: Text) =>
  [
    ...new Set(
      Object.values(typeof text === 'string' ? { text } : text).flatMap((one) => one.match(/\{\w+\}/g) ?? []),
    ),
  ].sort();

describe('the catalogues', () => {
  test('hold the same keys, and the same places to fill', () => {
    expect(Object.keys(ru).sort()).toEqual(Object.keys(en).sort());
    for (const key of Object.keys(en) as (keyof typeof en)[])
      expect(placeholders(ru[key]), key).toEqual(placeholders(en[key]));
  });

  test('have every plural form of their language', () => {
    for (const [catalogue, forms] of [
      [en, ['one', 'other']],
      [ru, ['few', 'many', 'one']],
    ] as const)
      for (const [key, text] of Object.entries(catalogue))
        if (typeof text !== 'string') expect(Object.keys(text).sort(), key).toEqual([...forms]);
  });

  test('have a text for every error code', () => {
    for (const code of Object.keys(errorCatalogue)) expect(en).toHaveProperty([`error.${code}`]);
  });

  test('hold no text that nothing shows', () => {
    const computed = [...sources.matchAll(/[`]([a-z]+\.[a-z_]*)\$\{/g)].map((match) => match[1] ?? '');
    const unused = Object.keys(en).filter(
      (key) =>
        !sources.includes(`'${key}'`) &&
        !computed.some((start) => key.startsWith(start)) &&
        !/^time\.|^size\./.test(key),
    );
    expect(unused).toEqual([]);
  });

  test('speak plainly: no "please", "oops", "successfully", no exclamation marks', () => {
    for (const text of Object.values(en))
      for (const one of Object.values(typeof text === 'string' ? { text } : text))
        expect(one).not.toMatch(/please|oops|successfully|!/i);
  });

  test('choose the plural form', () => {
    const russian = new Intl.PluralRules('ru');
    expect([1, 3, 5, 21].map((count) => fill(ru['timeline.emails'], { count }, russian))).toEqual([
      '1 письмо',
      '3 письма',
      '5 писем',
      '21 письмо',
    ]);
  });
});
