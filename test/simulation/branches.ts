import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import convert from 'ast-v8-to-istanbul';
import { transform } from 'esbuild';
import { parseAstAsync } from 'vite';

/** Reads, from what V8 counted while a program ran, which branches of the sources that it was made of were taken. */

export interface FileBranches {
  file: string;
  total: number;
  taken: number;
  /** Lines on which a branch was never taken. */
  missed: number[];
}

interface Script {
  url: string;
  functions: Parameters<typeof convert>[0]['coverage']['functions'];
}

const root = join(import.meta.dirname, '../..');

/** @param counted the folder that `NODE_V8_COVERAGE` named */
export async function branchesTaken(program: string, counted: string): Promise<FileBranches[]> {
  const code = readFileSync(program, 'utf8');
  const scripts = readdirSync(counted)
    .flatMap((name): Script[] => JSON.parse(readFileSync(join(counted, name), 'utf8')).result)
    .filter(({ url }) => url === `file://${program}`);
  const [script] = scripts;
  if (!script || scripts.length > 1) throw new Error(`${scripts.length} runs of ${program} were counted.`);
  return branchesIn(code, sourceMapOf(code), script, program);
}

/** A file that no run even loads: none of its branches was taken. */
export async function branchesUntouched(file: string): Promise<FileBranches> {
  const path = join(root, file);
  const { code, map } = await transform(readFileSync(path, 'utf8'), {
    loader: 'ts',
    sourcemap: true,
    sourcefile: path,
    format: 'esm',
  });
  const never = { startOffset: 0, endOffset: code.length, count: 0 };
  const functions = [{ functionName: '', isBlockCoverage: true, ranges: [never] }];
  const [found] = await branchesIn(code, JSON.parse(map), { url: `file://${path}`, functions }, path);
  return found ?? { file, total: 0, taken: 0, missed: [] };
}

async function branchesIn(
  code: string,
  sourceMap: NonNullable<Parameters<typeof convert>[0]['sourceMap']>,
  coverage: Script,
  program: string,
): Promise<FileBranches[]> {
  const files = await convert({ code, sourceMap, coverage, ast: (await parseAstAsync(code)) as never });
  return Object.entries(files).map(([path, { branchMap, b: times }]) => {
    const branches = Object.entries(times).flatMap(([id, list]) =>
      list.map((count, at) => ({
        count,
        line: branchMap[id]?.locations[at]?.start.line || (branchMap[id]?.loc.start.line ?? 0),
      })),
    );
    const missed = branches.filter(({ count }) => count === 0);
    return {
      file: relative(root, resolve(program, '..', path)),
      total: branches.length,
      taken: branches.length - missed.length,
      missed: [...new Set(missed.map(({ line }) => line))].toSorted((a, b) => a - b),
    };
  });
}

function sourceMapOf(code: string) {
  const encoded = /\n\/\/# sourceMappingURL=data:application\/json;base64,(\S+)\s*$/.exec(code)?.[1];
  if (encoded === undefined) throw new Error('The program does not carry its source map.');
  return JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
}
