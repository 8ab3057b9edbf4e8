// Builds the widget: the loader under its stable name, the panel and what it loads under hashed ones, each with its
// brotli form beside it. esbuild and not Vite: Vite would add its preload helper to the loader.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import * as esbuild from 'esbuild';
import { minify as terser } from 'terser';
import { ownNames } from './widget/names.mjs';
import { sheetsAsText } from './widget/sheets.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What we support (2024 on); also keeps light-dark() and relative colours from being rewritten. */
const target = ['es2022', 'chrome125', 'firefox128', 'safari18'];

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

/** A module of ours that imports nothing. */
async function load(source) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, source)],
    format: 'esm',
    write: false,
  });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
}

/** In minified output line breaks stand in templates alone, where they only format the source. */
const withoutTemplateSpace = (code) =>
  code
    .replace(/(?<=[>}"])\n\s*(?=[<>$])|(?<=[>}])\n\s*(?=[`}])|(?<=`)\n\s*(?=<)/g, '')
    .replace(/\n\s*/g, ' ')
    .trim();

/** esbuild has bundled and shortened the names of properties; terser does the rest better than it would. */
async function squeeze(code, module) {
  const { code: made = '' } = await terser(code, {
    ecma: 2022,
    module,
    compress: {
      passes: 3,
      unsafe_arrows: true,
      unsafe_methods: true,
      pure_getters: true,
      keep_fargs: false,
      sequences: false,
      inline: 1,
    },
    format: { comments: false },
  });
  return withoutTemplateSpace(made);
}

/**
 * @param {{outDir?: string, minify?: boolean}} options What stands in `outDir` is replaced when all is built: a server
 * that runs beside this never finds half a widget.
 * @returns {Promise<{loader: string, chunks: string[]}>} paths of what was built
 */
export async function buildWidget({ outDir: finalDir = join(root, 'dist/widget'), minify = true } = {}) {
  const outDir = `${finalDir}.${process.pid}`;
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(join(outDir, 'assets'), { recursive: true });
  const { limits } = await load('shared/limits.ts');
  const { en } = await load('widget/texts/en.ts');
  const { extrasEn } = await load('widget/texts/extras-en.ts');
  const names = [...ownNames, ...Object.keys({ ...en, ...extrasEn })];
  let mangleCache = {};
  const common = {
    bundle: true,
    minifySyntax: minify,
    ...(minify && { mangleProps: new RegExp(`^(${names.join('|')})$`) }),
    target,
    legalComments: 'none',
    charset: 'utf8',
    alias: { 'lit/html.js': join(root, 'widget/templates.ts') },
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
    logLevel: 'warning',
  };
  const sheets = sheetsAsText({ target });
  const plugins = [sheets, limitsAsNumbers(limits)];
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
    const code = minify ? await squeeze(outputFiles[0].text, true) : outputFiles[0].text;
    const hash = createHash('sha256').update(code).digest('hex').slice(0, 8);
    const name = `${basename(source, '.ts')}-${hash}.js`;
    writeFileSync(join(outDir, 'assets', name), code);
    return name;
  };
  const unread = await chunk('unread.ts');
  const extras = await chunk('extras.ts', {
    './texts/extras-ru.js': `./${await chunk('texts/extras-ru.ts')}`,
  });
  const panel = await chunk('panel.ts', {
    './extras.js': `./${extras}`,
    './followers.js': `./${await chunk('followers.ts')}`,
    './http.js': `./${await chunk('http.ts')}`,
    './unread.js': `./${unread}`,
    './ru.js': `./${await chunk('texts/ru.ts')}`,
  });
  const define = {
    PANEL: JSON.stringify(`assets/${panel}`),
    UNREAD: JSON.stringify(`assets/${unread}`),
  };
  const { outputFiles: loaderFiles } = await esbuild.build({
    ...common,
    ...(minify && { mangleCache }),
    entryPoints: [join(root, 'widget/loader.ts')],
    format: 'iife',
    write: false,
    define,
    plugins: [sheets],
  });
  const loader = join(outDir, 'threadline.js');
  const [{ text }] = loaderFiles;
  writeFileSync(loader, minify ? await squeeze(text, false) : text);
  const chunks = readdirSync(join(outDir, 'assets')).map((name) => join(outDir, 'assets', name));
  for (const file of [loader, ...chunks]) {
    const bytes = readFileSync(file);
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
  }
  rmSync(finalDir, { recursive: true, force: true });
  renameSync(outDir, finalDir);
  const built = (path) => join(finalDir, relative(outDir, path));
  return { loader: built(loader), chunks: chunks.map(built) };
}

/** What `npm start` calls when the widget's sources changed. */
export const build = () => buildWidget();
