import { addAgent, addWorkspace, resetAgent } from './agents.js';
import { importCallLog } from './calls.js';
import type { Command } from './command.js';
import { config } from './config.js';
import { mergeTwo, unmergeOne } from './contacts.js';
import { doctor } from './doctor.js';
import { list, undo } from './imports.js';
import { timeline } from './timeline.js';

const all: readonly Command[] = [
  config,
  doctor,
  addWorkspace,
  addAgent,
  resetAgent,
  timeline,
  mergeTwo,
  unmergeOne,
  importCallLog,
  list,
  undo,
];

/** Every command by its name. */
export const commands: ReadonlyMap<string, Command> = new Map(all.map((command) => [command.name, command]));
