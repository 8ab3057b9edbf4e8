import type { Command } from './command.js';

/**
 * Every command by its name, in the order in which they are listed. Each is loaded when it is called: a start must not
 * wait for code that reads call logs.
 */
export const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['serve', async () => (await import('./serve.js')).serve],
  ['store serve', async () => (await import('./store-serve.js')).storeServe],
  ['store export', async () => (await import('./backup.js')).storeExport],
  ['store import', async () => (await import('./backup.js')).storeImport],
  ['backup', async () => (await import('./backup.js')).backup],
  ['restore', async () => (await import('./backup.js')).restore],
  ['config', async () => (await import('./config.js')).config],
  ['doctor', async () => (await import('./doctor.js')).doctor],
  ['demo', async () => (await import('./demo.js')).demo],
  ['workspace add', async () => (await import('./agents.js')).addWorkspace],
  ['agent add', async () => (await import('./agents.js')).addAgent],
  ['agent reset', async () => (await import('./agents.js')).resetAgent],
  ['mail import', async () => (await import('./mail-import.js')).importMailCommand],
  ['calls import', async () => (await import('./calls.js')).importCallLog],
  ['import list', async () => (await import('./imports.js')).list],
  ['import undo', async () => (await import('./imports.js')).undo],
  ['jobs list', async () => (await import('./jobs.js')).list],
  ['jobs retry', async () => (await import('./jobs.js')).retry],
  ['timeline', async () => (await import('./timeline.js')).timeline],
  ['contacts merge', async () => (await import('./contacts.js')).mergeTwo],
  ['contacts unmerge', async () => (await import('./contacts.js')).unmergeOne],
  ['rebuild', async () => (await import('./rebuild.js')).rebuild],
]);
