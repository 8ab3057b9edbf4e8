import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { Campaign } from './campaign.js';

/** Makes programs of the campaign over the shipped sources, or over a copy of them with a fault in it. */

const root = join(import.meta.dirname, '../..');
const artifacts = join(root, 'test/.artifacts/simulation');
const entry = 'test/simulation/campaign.ts';

const outfileOf = (name: string) => join(artifacts, `${name}.mjs`);

/** @returns the program, and the sources that it was made of, by their paths in the project */
export async function buildCampaign(
  name: string,
  sources = root,
): Promise<{ program: string; inputs: string[] }> {
  const program = outfileOf(name);
  const { metafile } = await build({
    absWorkingDir: sources,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
    treeShaking: false,
    logLevel: 'silent',
    metafile: true,
    outfile: program,
  });
  return { program, inputs: Object.keys(metafile.inputs) };
}

/**
 * Copies the sources to `directory`, applies the patch there and builds.
 * @throws Error when the patch does not apply any more
 */
export async function buildWithFault(
  patch: string,
  name: string,
  inputs: readonly string[],
  directory: string,
): Promise<string> {
  for (const input of inputs) {
    mkdirSync(dirname(join(directory, input)), { recursive: true });
    cpSync(join(root, input), join(directory, input));
  }
  const applied = await run(
    'git',
    ['apply', '--unidiff-zero', '--whitespace=nowarn', '-p1', '-'],
    directory,
    readFileSync(patch),
  );
  if (applied.code !== 0) throw new Error(`${name} no longer applies: ${applied.errors}`);
  const { program } = await buildCampaign(`fault-${name}`, directory);
  rmSync(directory, { recursive: true });
  return program;
}

/** Runs a campaign to its end in a process of its own. */
export async function runCampaign(
  program: string,
  options: string[],
  environment: Record<string, string> = {},
): Promise<Campaign> {
  const { code, output, errors } = await run(
    process.execPath,
    ['--enable-source-maps', program, ...options],
    root,
    undefined,
    environment,
  );
  if (code !== 0) throw new Error(`The campaign ended with ${code}: ${errors.slice(0, 4_000)}`);
  return JSON.parse(output);
}

function run(
  command: string,
  args: string[],
  cwd: string,
  input?: Buffer,
  environment: Record<string, string> = {},
): Promise<{ code: number | null; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment };
    const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output, errors }));
    child.stdin.end(input);
  });
}
