import { describe, expect, test } from 'vitest';
import { fieldText } from '../../console/texts/language.js';
import { partyText, phone, phoneRules, valueText } from '../../console/texts/phone.js';
import { language } from '../../console/texts/text.js';
import { monthYear, waited } from '../../console/texts/time.js';

describe('telephone numbers', () => {
  test('are grouped as their country groups them', async () => {
    await phoneRules;
    expect(phone('+447700900341')).toBe('+44 7700 900341');
    expect(phone('+78435550117')).toBe('+7 843 555 01 17');
    expect(phone('+12025550143')).toBe('+1 202 555 0143');
  });

  test('stay as they are when they are none', async () => {
    await phoneRules;
    for (const text of ['', '200', 'anonymous', '+12', 'daniel@okafor.example', '+44 7700 900341'])
      expect(phone(text)).toBe(text);
    expect(valueText('external', '+447700900341')).toBe('+447700900341');
  });

  test('of a call are the exchange’s own word where nobody could read them', async () => {
    await phoneRules;
    expect(partyText({ shown: '07700 900341', e164: '+447700900341' })).toBe('+44 7700 900341');
    expect(partyText({ shown: '200', extension: '200' })).toBe('200');
  });
});

describe('fields and times', () => {
  test('a language is named, and what is no language is shown as it is', () => {
    expect(fieldText('language', 'ru')).toBe('Russian');
    expect(fieldText('language', 'Old Norse, I think')).toBe('Old Norse, I think');
    expect(fieldText('city', 'en')).toBe('en');
    expect(fieldText('language', null)).toBeNull();
  });

  test('a month stands in the case that "since" asks for', () => {
    const months = ['2026-03-09T12:00:00Z', '2025-10-09T12:00:00Z', '2026-05-09T12:00:00Z'];
    expect(months.map(monthYear)).toEqual(['Mar 2026', 'Oct 2025', 'May 2026']);
    language.set('ru');
    try {
      expect(months.map(monthYear)).toEqual(['мар. 2026', 'окт. 2025', 'мая 2026']);
    } finally {
      language.set('en');
    }
  });

  test('minutes beside hours have two digits', () => {
    expect(waited((14 * 60 + 2) * 60_000)).toBe('14 h 02');
    expect(waited(80 * 60_000)).toBe('1 h 20');
    expect(waited(3 * 60 * 60_000)).toBe('3 h');
  });
});
