import { basename } from 'node:path';
import { mailAddress } from '../channels/email/address.js';
import { importMail, mailSources } from '../channels/email/import.js';
import type { Received } from '../channels/email/receive.js';
import { beginImport, finishImport } from '../contacts/imports.js';
import { changeInbox } from '../inboxes/inboxes.js';
import { systemScope } from '../workspaces/scope.js';
import { chosenInbox, chosenWorkspace, inboxOption, workspaceOption } from './choose.js';
import { type Command, type CommandInput, exitCodes, isGiven, textOption, UsageError } from './command.js';
import { withStore } from './store.js';

/** How many broken letters are named one by one; the summary counts them all by reason. */
const brokenNamed = 50;

const reasons: Record<NonNullable<Received['reason']>, string> = {
  not_mail: 'no letter at all, passed over',
  too_large: 'larger than a letter may be, kept raw',
  too_many_parts: 'more parts than a letter may have, kept raw',
  too_deep: 'nested deeper than a letter may be, kept raw',
  too_many_headers: 'more headers than a letter may have, kept raw',
  malformed: 'could not be read, kept raw',
};

export const importMailCommand: Command = {
  name: 'mail import',
  usage: 'FILE|DIR|- [--inbox NAME] [--address ADDRESS] [--vouch] [--dry-run] [--workspace NAME]',
  summary: 'Import letters: single messages and mbox files, told by content.',
  details: `A folder is read whole, with all below it. The same letters again add nothing. What cannot be read is named, kept as it came, and the rest is imported.
--inbox NAME    the e-mail inbox; needed when there are several
--address ADDRESS  the inbox's own address, kept as its setting: letters from it went out
--vouch         you answer for the senders of these letters: each becomes a proved identity of its contact
--dry-run       read everything, write nothing
The whole import can be taken back: threadline import undo ID`,
  options: {
    ...workspaceOption,
    ...inboxOption,
    address: { type: 'string' },
    vouch: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  },
  args: { min: 1, max: 1 },
  async run(input) {
    const { out } = input;
    const path = input.args[0] ?? '-';
    return withStore(input, async (config) => {
      const scope = systemScope((await chosenWorkspace(input))._id);
      let inbox = await chosenInbox(input, scope, 'email');
      const address = textOption(input, 'address');
      if (address !== undefined)
        inbox = await changeInbox(scope, inbox._id, { address: ownAddress(address) });
      const vouch = isGiven(input, 'vouch');
      const dryRun = isGiven(input, 'dry-run');
      const source = path === '-' ? '-' : basename(path);
      const importId = dryRun ? undefined : await beginImport(scope, { source, channel: 'email', vouch });
      const broken = brokenReporter(input);
      const startedAt = performance.now();
      const counts = await reading(path, () =>
        importMail(scope, mailSources(path, process.stdin), {
          inbox,
          ...(config.trustedAuthHost !== undefined && { trustedHost: config.trustedAuthHost }),
          vouch,
          dryRun,
          ...(importId !== undefined && { importId }),
          signal: input.signal,
          onBroken: broken.add,
          onProgress: (so) =>
            out.progress(`${so.imported} imported, ${so.duplicates} known, ${so.broken} broken`),
        }),
      );
      const seconds = (performance.now() - startedAt) / 1_000;
      broken.close();
      const all = counts.imported + counts.duplicates + counts.broken;
      out.note(`${all} letters in ${seconds.toFixed(1)} s (${Math.round(all / seconds)} a second).`);
      if (importId !== undefined) {
        await finishImport(scope, importId, counts);
        out.print(`Import ${importId}. To take it back: threadline import undo ${importId}`);
      }
      out.data(
        counts,
        `${counts.imported} ${dryRun ? 'would be imported' : 'imported'}, ${counts.duplicates} already there, ${counts.broken} broken.`,
      );
      const isNothing = counts.imported + counts.duplicates === 0 && counts.broken > 0;
      return isNothing || input.signal.aborted ? exitCodes.failed : exitCodes.ok;
    });
  },
};

function ownAddress(text: string): string {
  const address = mailAddress(text);
  if (address === null) throw new UsageError(`"${text}" is not an e-mail address.`);
  return address;
}

/** Names the first broken ones as they come, and counts all by reason at the end. */
function brokenReporter({ out }: CommandInput) {
  const counts = new Map<string, number>();
  let named = 0;
  return {
    add: ({ name, reason = 'malformed' }: Received): void => {
      counts.set(reasons[reason], (counts.get(reasons[reason]) ?? 0) + 1);
      named += 1;
      if (named <= brokenNamed) out.note(`${name}: ${reasons[reason]}`);
    },
    close: (): void => {
      if (named > brokenNamed) out.note(`... and ${named - brokenNamed} more.`);
      for (const [reason, count] of counts) out.note(`${count}: ${reason}`);
    },
  };
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new UsageError(`${path} cannot be read: there is no such file.`);
    if (code === 'EACCES') throw new UsageError(`${path} cannot be read: not allowed.`);
    throw error;
  }
}
