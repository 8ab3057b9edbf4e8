import { addAgent, addWorkspace, resetAgent } from './agents.js';
import { importCallLog } from './calls.js';
import type { Command } from './command.js';
import { config } from './config.js';
import { mergeTwo, unmergeOne } from './contacts.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { list, undo } from './imports.js';
import { rebuild } from './rebuild.js';
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
  rebuild,
  demo,
];

/** Every command by its name. */
export const commands: ReadonlyMap<string, Command> = new Map(all.map((command) => [command.name, command]));
