// `npm run dev`: watches server, widget and console; rebuilds what changed and restarts the server.
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const builders = { server: 'build-server.mjs', widget: 'build-widget.mjs', console: 'build-console.mjs' };
const targetsOf = {
  server: ['server'],
  widget: ['widget'],
  console: ['console'],
  shared: ['server', 'widget', 'console'],
};

let server;
function startServer() {
  server = spawn(process.execPath, ['--enable-source-maps', 'bin/threadline.js', 'serve'], {
    cwd: root,
    stdio: 'inherit',
  });
}
function restartServer() {
  const old = server;
  old.once('exit', startServer);
  old.kill('SIGTERM');
}

const waiting = new Set();
let building = false;
async function buildWaiting() {
  if (building || waiting.size === 0) return;
  building = true;
  const batch = [...waiting];
  waiting.clear();
  for (const target of batch) {
    try {
      const { build } = await import(join(root, 'scripts', builders[target]));
      await build();
      console.log(`Built ${target}.`);
      if (target === 'server') restartServer();
    } catch (error) {
      console.error(`${target}: ${error.message}`);
    }
  }
  building = false;
  await buildWaiting();
}

for (const [folder, targets] of Object.entries(targetsOf)) {
  watch(join(root, folder), { recursive: true }, () => {
    for (const target of targets) waiting.add(target);
    setTimeout(buildWaiting, 50);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.once('exit', () => process.exit(0));
    server.kill(signal);
  });
}

const prepare = spawn(process.execPath, [join(root, 'scripts/prepare.mjs')], { stdio: 'inherit' });
prepare.once('exit', (code) => (code === 0 ? startServer() : process.exit(code ?? 1)));
