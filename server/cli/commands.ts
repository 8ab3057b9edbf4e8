import type { Command } from './command.js';
import { config } from './config.js';

const list: readonly Command[] = [config];

/** Every command by its name. */
export const commands: ReadonlyMap<string, Command> = new Map(list.map((command) => [command.name, command]));
