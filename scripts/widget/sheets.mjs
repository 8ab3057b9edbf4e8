// Style sheets of the widget as minified text, for adoptedStyleSheets: nothing needs `style-src`.
import { readFileSync } from 'node:fs';
import * as esbuild from 'esbuild';

/** A colour of the tokens as the eight-bit one that a screen shows; one outside sRGB, or computed, stays as it is. */
function toHex(whole, l, c, h, alpha) {
  const angle = (Number(h) * Math.PI) / 180;
  const [a, b] = [Number(c) * Math.cos(angle), Number(c) * Math.sin(angle)];
  const cubed = (x) => x ** 3;
  const long = cubed(Number(l) + 0.3963377774 * a + 0.2158037573 * b);
  const middle = cubed(Number(l) - 0.1055613458 * a - 0.0638541728 * b);
  const short = cubed(Number(l) - 0.0894841775 * a - 1.291485548 * b);
  const linear = [
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ];
  if (linear.some((x) => x < -0.0005 || x > 1.0005)) return whole;
  const bytes = linear
    .map((x) => Math.min(1, Math.max(0, x)))
    .map((x) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055))
    .concat(alpha === undefined ? [] : [Number(alpha)]);
  return `#${bytes
    .map((x) =>
      Math.round(x * 255)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;
}
const constantColour = /oklch\(\s*([\d.]+)\s+([\d.]+)\s+([\d.]+)\s*(?:\/\s*([\d.]+)\s*)?\)/g;

/** esbuild leaves the values of custom properties as they were written. */
const withoutValueSpace = (css) =>
  css
    .replace(/(--[\w-]+): /g, '$1:')
    .replace(/(?<=[\w)]) \* (?=[\w(])/g, '*')
    .replace(/ ?([,/]) ?/g, '$1')
    .replace(/\( | \)/g, (bracket) => bracket.trim());

/**
 * A plugin that turns style sheets into text. Custom properties become a letter or two, the same in every chunk, save
 * those that the page (`--tl-…`) or a script (`--vvh`) sets.
 */
export function sheetsAsText({ target }) {
  const shortNames = new Map();
  const shorten = (name) => {
    if (/^--(tl-|vvh$)/.test(name)) return name;
    const short = shortNames.get(name) ?? `--${shortNames.size.toString(36)}`;
    shortNames.set(name, short);
    return short;
  };
  return {
    name: 'sheets-as-text',
    setup(build) {
      build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
        const source = readFileSync(path, 'utf8').replace(constantColour, toHex);
        const { code } = await esbuild.transform(source, { loader: 'css', minify: true, target });
        const contents = withoutValueSpace(code.trim()).replace(/--[a-z][\w-]*/g, shorten);
        return { contents, loader: 'text' };
      });
    },
  };
}
