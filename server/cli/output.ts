import type { WriteStream } from 'node:tty';

/**
 * Where a command prints. Results go to standard output, one JSON value a line with `--json`; everything said on the
 * way goes to standard error, so that a result can be piped.
 */
export interface Output {
  readonly json: boolean;
  /** Text for people; nothing with `--json`. */
  print(text: string): void;
  /** A result: with `--json` the value on one line, else the text. */
  data(value: unknown, text: string): void;
  /** How far a long command is: one line that is written over on a terminal, now and then a plain one otherwise. */
  progress(text: string): void;
  /** What the operator should know: a record that was passed over, a remedy. Always to standard error. */
  note(text: string): void;
}

interface Streams {
  stdout: Pick<WriteStream, 'write'> & { isTTY?: boolean };
  stderr: Pick<WriteStream, 'write'> & { isTTY?: boolean; columns?: number };
}

const plainLineEveryMs = 5_000;
const terminalLineEveryMs = 100;

export function output(json: boolean, streams: Streams = process): Output {
  const { stdout, stderr } = streams;
  const isTerminal = stderr.isTTY === true;
  let isLineOpen = false;
  let lastProgressAt = Number.NEGATIVE_INFINITY;

  const clearLine = (): void => {
    if (isLineOpen) stderr.write('\r\u001b[K');
    isLineOpen = false;
  };

  return {
    json,
    print(text) {
      clearLine();
      if (!json) stdout.write(`${text}\n`);
    },
    data(value, text) {
      clearLine();
      stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
    },
    progress(text) {
      const now = performance.now();
      if (now - lastProgressAt < (isTerminal ? terminalLineEveryMs : plainLineEveryMs)) return;
      lastProgressAt = now;
      if (isTerminal) {
        stderr.write(`\r\u001b[K${text.slice(0, (stderr.columns ?? 80) - 1)}`);
        isLineOpen = true;
      } else {
        stderr.write(`${text}\n`);
      }
    },
    note(text) {
      clearLine();
      stderr.write(`${text}\n`);
    },
  };
}

/** Rows under one another in columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
