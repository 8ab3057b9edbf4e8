import { loadConfig } from '../config.js';
import { backUp, restore as putBack } from '../store/backup.js';
import { type Dumped, dump, load } from '../store/dump.js';
import { type Command, exitCodes } from './command.js';
import { table } from './output.js';
import { withStore } from './store.js';

export const backup: Command = {
  name: 'backup',
  usage: 'FILE',
  summary: 'Copy the embedded store to a file, while the server runs: everything as of one moment.',
  details:
    'Files that were sent (DATA_DIR/files) and the secrets in DATA_DIR are plain files: copy them beside it. For MongoDB use its own tools.',
  args: { min: 1, max: 1 },
  async run(input) {
    return withStore(input, async () => {
      const file = input.args[0]!;
      const { bytes } = await backUp(file);
      input.out.data({ file, bytes }, `Wrote ${file}: ${(bytes / 1e6).toFixed(1)} MB.`);
      return exitCodes.ok;
    });
  },
};

export const restore: Command = {
  name: 'restore',
  usage: 'FILE',
  summary: 'Put a backup in the place of the embedded store. No server may run on this DATA_DIR.',
  details:
    'The file is opened on the side first; the store that was there is kept as threadline.lmdb.before-restore.',
  args: { min: 1, max: 1 },
  async run({ args, environment, out }) {
    const { kept } = await putBack(args[0]!, loadConfig(environment).dataDir);
    out.data({ restored: args[0], kept }, kept ? `Restored. What was there before is ${kept}.` : 'Restored.');
    return exitCodes.ok;
  },
};

const shown = (rows: readonly Dumped[]): string =>
  table([
    ['collection', 'documents', 'sha256'],
    ...rows.map(({ collection, documents, checksum }) => [collection, String(documents), checksum]),
  ]);

export const storeExport: Command = {
  name: 'store export',
  usage: 'DIR',
  summary: "Write all collections as mongodump does: the way to a MongoDB of one's own.",
  args: { min: 1, max: 1 },
  async run(input) {
    return withStore(input, async () => {
      const rows = await dump(input.args[0]!, (text) => input.out.progress(text));
      input.out.data(rows, shown(rows));
      return exitCodes.ok;
    });
  },
};

export const storeImport: Command = {
  name: 'store import',
  usage: 'DIR',
  summary:
    'Read what `store export` or mongodump wrote into the configured store, whose collections must be empty.',
  args: { min: 1, max: 1 },
  async run(input) {
    return withStore(input, async () => {
      const rows = await load(input.args[0]!, (text) => input.out.progress(text));
      input.out.data(rows, shown(rows));
      return exitCodes.ok;
    });
  },
};
