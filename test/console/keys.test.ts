import { describe, expect, test } from 'vitest';
import { createMatcher, strokeOf } from '../../console/keys/listen.js';
import { commandIds, commands, drawnKeys } from '../../console/keys/registry.js';
import { matchText } from '../../console/palette/match.js';

const press = (key: string, rest: Partial<KeyboardEvent> = {}) =>
  strokeOf({ key, code: '', altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, ...rest }, false);
const page = { inField: false, singleKeys: true };

describe('shortcuts', () => {
  test('no key belongs to two commands', () => {
    const keys = commandIds.flatMap((id) => commands[id].keys as readonly string[]);
    expect(keys.length).toBe(new Set(keys).size);
  });

  test('no key is the beginning of a sequence and a command of its own', () => {
    const keys = commandIds.flatMap((id) => commands[id].keys as readonly string[]);
    for (const key of keys) expect(keys.some((other) => other.startsWith(`${key} `))).toBe(false);
  });

  test('every command of the palette has an icon', () => {
    for (const id of commandIds)
      if (!('isLocal' in commands[id])) expect(commands[id].icon, id).toBeDefined();
  });

  test('single letters never fire in a field, those with a modifier do', () => {
    const { match } = createMatcher(() => true);
    for (const id of commandIds)
      for (const key of commands[id].keys) {
        const found = match(key, 0, { inField: true, singleKeys: true });
        if (commands[id].inFields) expect(found, key).toBe(id);
        else expect(found, key).toBeNull();
      }
  });

  test('single letters can be switched off; arrows, Escape and modifiers stay', () => {
    const { match } = createMatcher(() => true);
    const off = { inField: false, singleKeys: false };
    expect(match('j', 0, off)).toBeNull();
    expect(match('#', 0, off)).toBeNull();
    expect(match('shift+e', 0, off)).toBeNull();
    expect(match('g', 0, off)).toBeNull();
    expect(match('ArrowDown', 0, off)).toBe('next');
    expect(match('Escape', 0, off)).toBe('back');
    expect(match('mod+k', 0, off)).toBe('palette');
  });

  test('two strokes one after the other, and not too late', () => {
    const { match } = createMatcher(() => true);
    expect(match('g', 0, page)).toBe('pending');
    expect(match('c', 500, page)).toBe('go-contacts');
    expect(match('g', 1_000, page)).toBe('pending');
    expect(match('e', 5_000, page)).toBe('close');
  });

  test('a command that nobody handles now does not swallow its key', () => {
    const { match } = createMatcher((id) => id === 'next');
    expect(match('e', 0, page)).toBeNull();
  });

  test('where the layout writes Cyrillic, the place of the key decides', () => {
    expect(press('о', { code: 'KeyJ' })).toBe('j');
    expect(press('У', { code: 'KeyE', shiftKey: true })).toBe('shift+e');
    expect(press('№', { code: 'Digit3', shiftKey: true })).toBe('#');
    expect(press('ж', { code: 'Semicolon' })).toBeNull();
  });

  test('with Alt, or the other system key, it is the browser’s', () => {
    expect(press('j', { altKey: true })).toBeNull();
    expect(press('j', { metaKey: true })).toBeNull();
    expect(press('k', { ctrlKey: true })).toBe('mod+k');
    expect(press('?', { shiftKey: true, code: 'Slash' })).toBe('?');
    expect(press('Enter', { ctrlKey: true, shiftKey: true })).toBe('mod+shift+Enter');
  });

  test('keys are drawn as the system names them', () => {
    expect(drawnKeys('send', true)).toEqual(['⌘', '↵']);
    expect(drawnKeys('send', false)).toEqual(['Ctrl', '↵']);
    expect(drawnKeys('go-contacts', true)).toEqual(['g', 'c']);
    expect(drawnKeys('palette', true)).toEqual(['⌘', 'K']);
  });
});

describe('the palette', () => {
  test('finds by the beginnings of words, whatever the case and accents', () => {
    expect(matchText('Snapped chain, order KC-19902', 'sn')?.score).toBe(0);
    expect(matchText('Tomás Oliveira', 'tomas ol')).not.toBeNull();
    expect(matchText('Екатерина Волкова', 'волк')).not.toBeNull();
    expect(matchText('Close', 'x')).toBeNull();
  });

  test('marks what it found and loses no letter', () => {
    const match = matchText('Winter tyres for snow', 'sn');
    expect(match?.pieces.map((piece) => piece.text).join('')).toBe('Winter tyres for snow');
    expect(match?.pieces.filter((piece) => piece.isMatch).map((piece) => piece.text)).toEqual(['sn']);
  });
});
