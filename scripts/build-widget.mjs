// Builds the widget: the loader under its stable name, the panel and what it loads under hashed ones, each with its
// brotli form beside it. esbuild and not Vite: Vite would add its preload helper to the loader.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import * as esbuild from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What we support (2024 on); also keeps light-dark() and relative colours from being rewritten. */
const target = ['es2022', 'chrome125', 'firefox128', 'safari18'];

/** Style sheets become minified text for adoptedStyleSheets: nothing needs `style-src`. */
const cssAsText = {
  name: 'css-as-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, 'utf8'), {
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
 * @param {{outDir?: string, minify?: boolean}} options `outDir` is emptied first.
 * @returns {Promise<{loader: string, chunks: string[]}>} paths of what was built
 */
export async function buildWidget({ outDir = join(root, 'dist/widget'), minify = true } = {}) {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(join(outDir, 'assets'), { recursive: true });
  const common = {
    bundle: true,
    minify,
    target,
    legalComments: 'none',
    charset: 'utf8',
    conditions: ['production', 'browser'],
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
    logLevel: 'warning',
  };
  const { outputFiles, metafile } = await esbuild.build({
    ...common,
    entryPoints: ['widget/panel.ts', 'widget/unread.ts'].map((path) => join(root, path)),
    format: 'esm',
    splitting: true,
    outdir: join(outDir, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    metafile: true,
    write: false,
    plugins: [cssAsText, ownPolicyName, limitsAsNumbers(await readLimits())],
  });
  for (const { path, text } of outputFiles) writeFileSync(path, minify ? withoutTemplateSpace(text) : text);
  const addressOf = (source) => {
    const found = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint?.endsWith(source));
    if (!found) throw new Error(`${source} was not built.`);
    return JSON.stringify(`assets/${basename(found[0])}`);
  };
  const { outputFiles: loaderFiles } = await esbuild.build({
    ...common,
    entryPoints: [join(root, 'widget/loader.ts')],
    format: 'iife',
    write: false,
    define: { PANEL: addressOf('widget/panel.ts'), UNREAD: addressOf('widget/unread.ts') },
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
