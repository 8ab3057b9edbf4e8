// Makes a clone ready to run: installs what the lock names, builds what changed, and for the tests installs Debian's
// packages. Node's standard library only, since it runs before anything is installed. It decides by content, never by
// modification times (a clone has none worth reading), and two of it at once wait for one another.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(root, '.cache');

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error(`Threadline needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}

/** What is built, from which sources, by which function of which module. */
const targets = [
  { name: 'server', sources: ['server', 'shared', 'scripts/build-server.mjs'], build: 'build-server.mjs' },
  {
    name: 'widget',
    sources: ['widget', 'shared', 'scripts/build-widget.mjs', 'scripts/widget'],
    build: 'build-widget.mjs',
  },
  {
    name: 'console',
    sources: ['console', 'shared', 'vite.config.ts', 'scripts/build-console.mjs'],
    build: 'build-console.mjs',
  },
];

function filesBelow(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  const entries = readdirSync(full, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const files = paths
    .flatMap((path) =>
      /\.\w+$/.test(path) && existsSync(join(root, path)) ? [join(root, path)] : filesBelow(path),
    )
    .sort();
  for (const file of files) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** A second prepare waits for the first; a lock whose owner is gone is taken over. */
function takeLock() {
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, 'prepare.lock');
  let said = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      process.on('exit', () => rmSync(lock, { force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const owner = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : 0);
      if (owner > 0 && !isAlive(owner)) {
        rmSync(lock, { force: true });
        continue;
      }
      if (!said) console.log(`Another start is preparing this folder (process ${owner}); waiting for it.`);
      said = true;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

function installPackages() {
  const note = join(root, 'node_modules', '.threadline-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch} ${process.versions.modules}`)
    .digest('hex');
  if (existsSync(note) && readFileSync(note, 'utf8') === wanted) return;
  console.log('Installing packages (the lock file changed, or this is the first start) ...');
  // The build tools are development dependencies and must come under NODE_ENV=production too.
  const status = run('npm', ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'], {
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error('npm ci failed. Check the network and the registry, then start again.');
    process.exit(status);
  }
  writeFileSync(note, wanted);
}

async function buildChanged() {
  for (const target of targets) {
    const builder = join(root, 'scripts', target.build);
    const note = join(root, 'dist', `.${target.name}.hash`);
    const wanted = hashOf([...target.sources, 'package-lock.json', 'package.json', 'tsconfig.json']);
    if (existsSync(note) && readFileSync(note, 'utf8') === wanted) continue;
    const began = performance.now();
    const { build } = await import(builder);
    rmSync(note, { force: true });
    await build();
    writeFileSync(note, wanted);
    console.log(`Built ${target.name} in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  }
}

/** Packages that the tests need and the product does not: command -> Debian package. */
const testPackages = {
  chromium: 'chromium',
  'redis-server': 'redis-server',
  faketime: 'faketime',
  strace: 'strace',
};

function installTestPackages() {
  const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
  const missing = Object.keys(testPackages).filter((command) => !has(command));
  if (missing.length === 0) return;
  const names = missing.map((command) => testPackages[command]);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !has('apt-get')) {
    console.error(
      `The tests need: ${names.join(', ')}. Install them, for Debian:\n  sudo apt-get install ${names.join(' ')}`,
    );
    process.exit(1);
  }
  console.log(`Installing ${names.join(', ')} for the tests ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  const status =
    run('apt-get', [...wait, 'update', '-qq'], { env }) ||
    run('apt-get', [...wait, 'install', '-y', '-qq', '--no-install-recommends', ...names], { env });
  if (status !== 0) {
    console.error(`apt-get could not install ${names.join(', ')}.`);
    process.exit(status);
  }
}

takeLock();
installPackages();
await buildChanged();
if (process.argv.includes('--test')) installTestPackages();
