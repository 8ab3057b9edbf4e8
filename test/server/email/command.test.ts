import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../../server/cli/commands.js';
import { runCommandLine } from '../../../server/cli/run.js';
import { openStore } from '../../../server/store/connect.js';
import { ensureIndexes } from '../../../server/store/indexes.js';
import { ensureFirstWorkspace } from '../../../server/workspaces/first.js';

const fixtures = join(import.meta.dirname, '../../fixtures/email');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'threadline-test-'));
  const store = await openStore({ dataDir: folder });
  await ensureIndexes(Object.values(mongoose.models));
  await ensureFirstWorkspace({ publicUrl: 'http://localhost:3000', defaultCountry: 'GB' });
  await store.close();
  await mkdir(join(folder, 'mail/below'), { recursive: true });
  await cp(join(fixtures, 'broken-middle.mbox'), join(folder, 'mail/old mail.txt'));
  await cp(join(fixtures, 'reply-gmail.eml'), join(folder, 'mail/below/letter.box'));
  await writeFile(join(folder, 'mail/picture.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47]));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function threadline(...words: string[]) {
  const printed: unknown[] = [];
  const notes: string[] = [];
  const code = await runCommandLine(
    commands,
    words,
    { DATA_DIR: folder },
    new AbortController().signal,
    (json) => ({
      json,
      print: () => {},
      data: (value) => printed.push(value),
      progress: () => {},
      note: (text) => notes.push(text),
    }),
  );
  return { code, last: printed.at(-1), notes: notes.join('\n') };
}

describe('threadline mail import', () => {
  const imported = { imported: 3, duplicates: 0, broken: 2 };

  it('says what an import would find, and writes nothing', async () => {
    expect(await threadline('mail', 'import', join(folder, 'mail'), '--dry-run', '--json')).toMatchObject({
      code: 0,
      last: imported,
    });
  });

  it('imports a folder, names what is broken, and a second time imports nothing', async () => {
    const first = await threadline('mail', 'import', join(folder, 'mail'), '--json');
    expect(first).toMatchObject({ code: 0, last: imported });
    expect(first.notes).toContain('old mail.txt#2: could not be read, kept raw');
    expect(first.notes).toContain('picture.png: no letter at all, passed over');
    const second = await threadline('mail', 'import', join(folder, 'mail'), '--json');
    expect(second.last).toEqual({ imported: 0, duplicates: 4, broken: 1 });
  });

  it('refuses what is not there and what is no address', async () => {
    expect(await threadline('mail', 'import', join(folder, 'nowhere'))).toMatchObject({ code: 2 });
    expect(await threadline('mail', 'import', folder, '--address', 'help')).toMatchObject({ code: 2 });
  });
});
