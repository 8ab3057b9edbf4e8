import type { ParseArgsConfig } from 'node:util';
import type { Environment } from '../config.js';
import type { Output } from './output.js';

/** How a command ends. docs/cli.md lists the same codes. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** An environment variable has a value that is not accepted. */
  config: 3,
  /** The store cannot be opened or reached, is full or damaged. */
  store: 4,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface CommandInput {
  /** What stood after the command's name, options apart. */
  args: readonly string[];
  /** Options by name; `json` and `help` are every command's. */
  options: Readonly<Record<string, string | boolean | undefined>>;
  environment: Environment;
  out: Output;
  /** Aborted by Ctrl+C or SIGTERM: a long command stops at the next safe point. */
  signal: AbortSignal;
}

export interface Command {
  /** One word or two: `config`, `mail import`. */
  name: string;
  /** What follows the name: `FILE|DIR|- [--inbox NAME]`. */
  usage: string;
  /** One line for the list of commands. */
  summary: string;
  /** What the command's own help adds: its options, its effects, an example. */
  details?: string;
  options?: NonNullable<ParseArgsConfig['options']>;
  /** How many arguments it takes. */
  args: { min: number; max: number };
  run(input: CommandInput): Promise<ExitCode>;
}

/** A wrong call: shown with the command's usage, exit code 2. */
export class UsageError extends Error {}

/** An option that takes a value, as text; undefined when it was not given. */
export function textOption(input: CommandInput, name: string): string | undefined {
  const value = input.options[name];
  return typeof value === 'string' ? value : undefined;
}

export const isGiven = (input: CommandInput, name: string): boolean => input.options[name] === true;
