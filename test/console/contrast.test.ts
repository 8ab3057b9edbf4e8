import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** WCAG contrast of the tokens, computed from the file itself, in light and in dark. */
const source = readFileSync(join(import.meta.dirname, '../../console/styles/tokens.css'), 'utf8');

function luminance(oklch: string): number {
  const [lightness = 0, chroma = 0, hue = 0] = oklch.match(/[\d.]+/g)?.map(Number) ?? [];
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clamp = (value: number) => Math.min(1, Math.max(0, value));
  const red = clamp(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = clamp(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = clamp(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function token(name: string, theme: 0 | 1): number {
  const match = new RegExp(`--${name}:\\s*light-dark\\((oklch\\([^)]*\\)),\\s*(oklch\\([^)]*\\))\\)`).exec(
    source,
  );
  if (!match) throw new Error(`no token ${name}`);
  return luminance(match[theme + 1] ?? '');
}
const contrast = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);

const text = [
  ...['ink', 'ink-2', 'ink-3'].flatMap((ink) =>
    ['surface', 'canvas', 'selected', 'note'].map((ground) => [ink, ground] as const),
  ),
  ...['accent-text', 'chat-text', 'mail-text', 'phone-text', 'danger', 'warn', 'ok'].map(
    (ink) => [ink, 'surface'] as const,
  ),
  ['accent-text', 'selected'],
  ['on-accent', 'accent'],
  ['danger', 'danger-bg'],
  ['warn', 'warn-bg'],
  ['note-ink', 'note'],
] as const;
const shapes = [
  ['edge', 'surface'],
  ['edge', 'canvas'],
  ['focus', 'surface'],
  ['focus', 'selected'],
  ['chat', 'surface'],
  ['mail', 'surface'],
  ['phone', 'surface'],
] as const;

describe.each([
  ['light', 0],
  ['dark', 1],
] as const)('tokens in %s', (_, theme) => {
  test.each(text)('%s can be read on %s', (ink, ground) =>
    expect(contrast(token(ink, theme), token(ground, theme))).toBeGreaterThanOrEqual(4.5),
  );
  test.each(shapes)('%s can be told from %s', (shape, ground) =>
    expect(contrast(token(shape, theme), token(ground, theme))).toBeGreaterThanOrEqual(3),
  );
});
