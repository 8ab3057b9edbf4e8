import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { importCalls } from '../channels/phone/import.js';
import { beginImport, finishImport } from '../contacts/imports.js';
import { changeInbox } from '../inboxes/inboxes.js';
import { systemScope } from '../workspaces/scope.js';
import { chosenInbox, chosenWorkspace, inboxOption, workspaceOption } from './choose.js';
import { type Command, exitCodes, isGiven, textOption, UsageError } from './command.js';
import { withStore } from './store.js';

/** How many broken records are named one by one; the count holds them all. */
const brokenNamed = 50;

interface Source {
  name: string;
  open(): AsyncIterable<Uint8Array>;
}

export const importCallLog: Command = {
  name: 'calls import',
  usage: 'FILE|DIR|- [--inbox NAME] [--zone ZONE] [--vouch] [--workspace NAME]',
  summary: "Import a telephone exchange's call log: Asterisk CSV, FreeSWITCH CSV, JSON, XML.",
  details: `The format is told by content. The same log again adds nothing; what cannot be read is named and passed over.
--inbox NAME    the phone inbox; needed when there are several
--zone ZONE     time zone of the log's local times (Europe/Berlin), kept as the inbox's own; default: the inbox's, else UTC
--vouch         you answer for the numbers in this log: each becomes a proved identity of its contact
The whole import can be taken back: threadline import undo ID`,
  options: { ...workspaceOption, ...inboxOption, zone: { type: 'string' }, vouch: { type: 'boolean' } },
  args: { min: 1, max: 1 },
  async run(input) {
    const { out } = input;
    const path = input.args[0] ?? '-';
    const sources = await sourcesOf(path);
    return withStore(input, async () => {
      const workspace = await chosenWorkspace(input);
      const scope = systemScope(workspace._id);
      const zone = textOption(input, 'zone');
      let inbox = await chosenInbox(input, scope, 'phone');
      if (zone !== undefined) inbox = await changeInbox(scope, inbox._id, { timeZone: zone });
      const vouch = isGiven(input, 'vouch');
      const importId = await beginImport(scope, {
        source: path === '-' ? '-' : basename(path),
        channel: 'phone',
        vouch,
      });
      const total = { imported: 0, duplicates: 0, broken: 0 };
      let named = 0;
      for (const source of sources) {
        if (input.signal.aborted) break;
        const prefix = sources.length > 1 ? `${source.name}, ` : '';
        const counts = await importCalls(scope, source.open(), {
          inbox,
          country: workspace.defaultCountry,
          importId,
          vouch,
          signal: input.signal,
          onBroken: ({ place, problem }) => {
            named += 1;
            if (named <= brokenNamed) out.note(`${prefix}${place}: ${problem}`);
          },
          onProgress: ({ imported, duplicates, broken }) =>
            out.progress(`${prefix}${imported} imported, ${duplicates} known, ${broken} broken`),
        });
        total.imported += counts.imported;
        total.duplicates += counts.duplicates;
        total.broken += counts.broken;
      }
      if (named > brokenNamed) out.note(`... and ${named - brokenNamed} more that could not be read.`);
      await finishImport(scope, importId, total);
      out.print(`Import ${importId}. To take it back: threadline import undo ${importId}`);
      out.data(
        total,
        `${total.imported} imported, ${total.duplicates} already there, ${total.broken} could not be read.`,
      );
      const isNothing = total.imported + total.duplicates === 0 && total.broken > 0;
      return isNothing || input.signal.aborted ? exitCodes.failed : exitCodes.ok;
    });
  },
};

async function sourcesOf(path: string): Promise<Source[]> {
  if (path === '-') return [{ name: 'standard input', open: () => process.stdin }];
  const file = (full: string): Source => ({ name: basename(full), open: () => createReadStream(full) });
  try {
    if (!(await stat(path)).isDirectory()) return [file(path)];
    const entries = await readdir(path, { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) {
      throw new UsageError(
        `${path} cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : 'not allowed'}.`,
      );
    }
    throw error;
  }
}
