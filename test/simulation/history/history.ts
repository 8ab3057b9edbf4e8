import { execFile } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What was written, acknowledged and seen, one line each, for a reader that knows nothing of the product. */
export interface History {
  line(entry: object): void;
  close(): void;
}

export function openHistory(file: string): History {
  const handle = openSync(file, 'w');
  let gathered: string[] = [];
  const flush = (): void => {
    if (gathered.length > 0) writeSync(handle, `${gathered.join('\n')}\n`);
    gathered = [];
  };
  return {
    line(entry) {
      gathered.push(JSON.stringify(entry));
      if (gathered.length >= 500) flush();
    },
    close() {
      flush();
      closeSync(handle);
    },
  };
}

export interface Reading {
  runs: number;
  written: number;
  acknowledged: number;
  seen: number;
  lost: number;
  doubled: number;
  misordered: number;
  invented: number;
  complaints: string[];
}

/** What the independent reader says of a history. */
export async function readHistory(file: string): Promise<Reading> {
  const reader = join(import.meta.dirname, 'check.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [reader, file], {
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error) => error);
  return JSON.parse(stdout);
}
