// Builds the widget: the loader under its stable name, the panel and what it loads under hashed ones, each with its
// brotli form beside it. esbuild and not Vite: Vite would add its preload helper to the loader.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import * as esbuild from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What we support (2024 on); also keeps light-dark() and relative colours from being rewritten. */
const target = ['es2022', 'chrome125', 'firefox128', 'safari18'];

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

/** Style sheets become minified text for adoptedStyleSheets: nothing needs `style-src`. */
const cssAsText = {
  name: 'css-as-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, 'utf8').replace(constantColour, toHex), {
        loader: 'css',
        minify: true,
        target,
      });
      return { contents: code.trim(), loader: 'text' };
    });
  },
};

/** A page that lists policies by name grants one word, `threadline`; two copies of Lit on it would collide. */
const ownPolicyName = {
  name: 'own-policy-name',
  setup(build) {
    build.onLoad({ filter: /lit-html\/lit-html\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8');
      const renamed = contents.replace(/(createPolicy\(\s*["'])lit-html(["'])/, '$1threadline$2');
      if (renamed === contents)
        throw new Error('lit-html no longer makes its Trusted Types policy as expected.');
      return { contents: renamed, loader: 'js' };
    });
  },
};

/** Limits become the numbers they are, so that the table of all of them stays out of the browser. */
const limitsAsNumbers = (limits) => ({
  name: 'limits-as-numbers',
  setup(build) {
    build.onLoad({ filter: /\/widget\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/\blimits\.(\w+)/g, (whole, name) =>
        typeof limits[name] === 'number' ? String(limits[name]) : whole,
      ),
      loader: 'ts',
    }));
  },
});

async function readLimits() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, 'shared/limits.ts')],
    format: 'esm',
    write: false,
  });
  const { limits } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
  return limits;
}

/** In minified output line breaks stand in templates alone, where they only format the source. */
const withoutTemplateSpace = (code) =>
  code
    .replace(/(?<=[>}"])\n\s*(?=[<>$])|(?<=[>}])\n\s*(?=[`}])|(?<=`)\n\s*(?=<)/g, '')
    .replace(/\n\s*/g, ' ')
    .trim();

/**
 * Names of ours that neither a browser, the wire, nor storage knows: they become a letter or two, the same in every
 * chunk. A name that is missing here costs bytes, never correctness; none may be spelled as a string anywhere.
 */
const ownNames =
  /^(isRestored|isOnline|outbox|threads|begun|resting|counter|attempt|failures|heard|isLoaded|isStale|wantsOlder|reading|readByOther|seenUntold|effects|atLeastMs|timer|transport|clock|delivery|subscribe|refusal|requestUpdate|updateComplete|renderRoot|willUpdate|updated|dress|openLine|onChange|onNotice|onRefused|onClose|onOpen|makeSocket|restart|forget|peek|isOpen|launcher|setOpen|setUnread|complain|nameOf|times|shows|isFirst|isLast|addresses|sameDay|brief|wake|sleep|emit|shell|draw)$/;

/**
 * @param {{outDir?: string, minify?: boolean}} options `outDir` is emptied first.
 * @returns {Promise<{loader: string, chunks: string[]}>} paths of what was built
 */
export async function buildWidget({ outDir = join(root, 'dist/widget'), minify = true } = {}) {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(join(outDir, 'assets'), { recursive: true });
  let mangleCache = {};
  const common = {
    bundle: true,
    minify,
    ...(minify && { mangleProps: ownNames }),
    target,
    legalComments: 'none',
    charset: 'utf8',
    conditions: ['production', 'browser'],
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
    logLevel: 'warning',
  };
  const plugins = [cssAsText, ownPolicyName, limitsAsNumbers(await readLimits())];
  /** Builds one chunk under a name with its hash. What it imports on demand is already built: `addresses`. */
  const chunk = async (source, addresses = {}) => {
    const onDemand = {
      name: 'on-demand',
      setup(build) {
        build.onResolve({ filter: /./ }, ({ kind, path }) =>
          kind === 'dynamic-import' ? { path: addresses[path], external: true } : undefined,
        );
      },
    };
    const { outputFiles, mangleCache: named } = await esbuild.build({
      ...common,
      ...(minify && { mangleCache }),
      entryPoints: [join(root, 'widget', source)],
      format: 'esm',
      write: false,
      plugins: [onDemand, ...plugins],
    });
    mangleCache = { ...mangleCache, ...named };
    const code = minify ? withoutTemplateSpace(outputFiles[0].text) : outputFiles[0].text;
    const hash = createHash('sha256').update(code).digest('hex').slice(0, 8);
    const name = `${basename(source, '.ts')}-${hash}.js`;
    writeFileSync(join(outDir, 'assets', name), code);
    return name;
  };
  const panel = await chunk('panel.ts', {
    './extras.js': `./${await chunk('extras.ts')}`,
    './ru.js': `./${await chunk('texts/ru.ts')}`,
  });
  const define = {
    PANEL: JSON.stringify(`assets/${panel}`),
    UNREAD: JSON.stringify(`assets/${await chunk('unread.ts')}`),
  };
  const { outputFiles: loaderFiles } = await esbuild.build({
    ...common,
    ...(minify && { mangleCache }),
    entryPoints: [join(root, 'widget/loader.ts')],
    format: 'iife',
    write: false,
    define,
    plugins: [cssAsText],
  });
  const loader = join(outDir, 'threadline.js');
  writeFileSync(loader, loaderFiles[0].text.trim());
  const chunks = readdirSync(join(outDir, 'assets')).map((name) => join(outDir, 'assets', name));
  for (const file of [loader, ...chunks]) {
    const bytes = readFileSync(file);
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
  }
  return { loader, chunks };
}

/** What `npm start` calls when the widget's sources changed. */
export const build = () => buildWidget();
