import { startApp } from './app.js';
import type { Config } from './config.js';
import { log } from './log.js';

/** A stop that takes longer has failed, and whoever asked for it is told so by the exit code. */
const stopWithinMs = 10_000;

export interface ServeOptions {
  /** Where the person who started it reads. */
  print: (line: string) => void;
  /** Aborted to stop: SIGTERM, Ctrl+C. */
  signal: AbortSignal;
}

/** Runs the server until `signal`. Resolves when it has stopped; everything acknowledged is on disk. */
export async function serve(config: Config, { print, signal }: ServeOptions): Promise<void> {
  const began = performance.now();
  const app = await startApp(config);
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  print(await banner(app, config, seconds));
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  print('Stopping ...');
  const late = setTimeout(() => {
    log.fatal('the stop took too long');
    process.exit(1);
  }, stopWithinMs);
  await app.close();
  clearTimeout(late);
  print('Stopped.');
}

async function banner(
  app: Awaited<ReturnType<typeof startApp>>,
  config: Config,
  seconds: string,
): Promise<string> {
  const link = await app.setupLink();
  const where = app.store === 'embedded' ? `embedded store in ${config.dataDir}` : 'MongoDB';
  return [
    '',
    `  Threadline ${app.version} is ready in ${seconds} s (${where})`,
    '',
    `  Console   ${app.publicUrl}/`,
    `  Try it    ${app.publicUrl}/demo`,
    ...(link === null
      ? []
      : ['', '  Nobody owns this installation yet. Open this link, once, to become its owner:', `  ${link}`]),
    '',
  ].join('\n');
}
