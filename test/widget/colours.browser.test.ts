import { emulateMedia } from '@web/test-runner-commands';
import launcherSheet from '../../widget/styles/launcher.css';
import panelSheet from '../../widget/styles/panel.css';

/**
 * One accent gives a whole palette. The panel computes it from luminance, as the tokens do; the loader, where every
 * byte is paid by every page, from lightness alone. Over accents from all of the cube, in both themes, the browser's own
 * arithmetic says whether both can be read, and where they differ.
 */

const steps = 18;
const accents = Array.from({ length: steps ** 3 }, (_, at) =>
  [at % steps, Math.floor(at / steps) % steps, Math.floor(at / steps ** 2)].map((part) =>
    Math.round((part * 255) / (steps - 1)),
  ),
);

type Rgb = readonly [number, number, number];

const canvas = document.createElement('canvas');
canvas.width = canvas.height = 1;
const pixel = canvas.getContext('2d', { willReadFrequently: true })!;
/** The colour as a screen shows it. */
function shownAs(colour: string): Rgb {
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = pixel.getImageData(0, 0, 1, 1).data;
  return [r, g, b];
}

const linear = (byte: number): number => {
  const part = byte / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
};
const luminance = ([r, g, b]: Rgb): number => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

interface Palette {
  fill: Rgb;
  /** Of the launcher: its icon, and the ring that sets it off from the page. */
  icon: Rgb;
  ring: Rgb;
  /** Of the panel: text on the accent, and the edge of what is filled with it. */
  onFill: Rgb;
  edge: Rgb;
  surface: Rgb;
}

/** Elements that take the computed colours of both sheets, as the widget itself does. */
function probe(sheet: string, inner: string): { host: HTMLElement; inner: HTMLElement } {
  const host = document.createElement('div');
  const shadow = host.attachShadow({ mode: 'open' });
  const style = new CSSStyleSheet();
  style.replaceSync(sheet);
  shadow.adoptedStyleSheets = [style];
  const element = document.createElement(inner);
  shadow.append(element);
  document.body.append(host);
  return { host, inner: element };
}

function palettes(): Palette[] {
  const launcher = probe(launcherSheet, 'button');
  const panel = probe(panelSheet, 'div');
  const custom = (element: HTMLElement, value: string): Rgb => {
    element.style.color = value;
    return shownAs(getComputedStyle(element).color);
  };
  // The launcher follows the visitor's theme whatever the page says; the panel stands in it.
  panel.host.style.colorScheme = 'light dark';
  const made = accents.map(([r, g, b]) => {
    const accent = `rgb(${r} ${g} ${b})`;
    for (const { host } of [launcher, panel]) host.style.setProperty('--tl-accent', accent);
    return {
      fill: shownAs(accent),
      icon: custom(launcher.inner, 'var(--to)'),
      ring: custom(launcher.inner, 'var(--of)'),
      onFill: custom(panel.inner, 'var(--w-on-fill)'),
      edge: custom(panel.inner, 'var(--w-edge)'),
      surface: custom(panel.inner, 'var(--surface)'),
    };
  });
  launcher.host.remove();
  panel.host.remove();
  return made;
}

function atLeast(least: number, worst: number, what: string): void {
  if (!(worst >= least)) throw new Error(`${what}: ${worst.toFixed(2)}, should be at least ${least}`);
}

describe('colours from one accent', () => {
  for (const theme of ['light', 'dark'] as const) {
    describe(theme, () => {
      let all: Palette[] = [];
      beforeEach(async () => {
        if (all.length) return;
        await emulateMedia({ colorScheme: theme });
        all = palettes();
      });
      const worst = (of: (one: Palette) => number): number => Math.min(...all.map(of));

      it('are readable in the panel, by the sums of the tokens', () => {
        atLeast(
          4.5,
          worst(({ onFill, fill }) => contrast(onFill, fill)),
          'text on the accent',
        );
        atLeast(
          3,
          worst(({ edge, surface }) => contrast(edge, surface)),
          'edge on the panel',
        );
      });

      it('are readable on the launcher, by its shorter sum', () => {
        atLeast(
          3,
          worst(({ icon, fill }) => contrast(icon, fill)),
          'icon on the accent',
        );
        atLeast(
          3,
          worst(({ ring, surface }) => contrast(ring, surface)),
          'ring on a page of our surface',
        );
      });

      it('differ only where black and white can both be read', () => {
        const differing = all.filter(({ icon, onFill }) => luminance(icon) > 0.5 !== luminance(onFill) > 0.5);
        const shared = differing.map(({ onFill, fill }) => contrast(onFill, fill));
        const own = differing.map(({ icon, fill }) => contrast(icon, fill));
        atLeast(3, Math.min(...own, 21), 'the launcher where it differs');
        atLeast(3, Math.min(...shared, 21), 'the panel where it differs');
        // Close to the edge between the two alone: mostly they choose the same.
        if (differing.length > all.length / 4)
          throw new Error(`${differing.length} of ${all.length} accents differ`);
      });
    });
  }
});
