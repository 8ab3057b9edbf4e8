import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { RawLetter } from '../../../server/channels/email/mbox.js';
import { type Letter, parseLetter } from '../../../server/channels/email/parse.js';

const folder = join(import.meta.dirname, '../../fixtures/email');

/** A letter of test/fixtures/email, by the name of its oddity. */
export const fixture = (name: string): Buffer =>
  readFileSync(join(folder, /\.\w+$/.test(name) ? name : `${name}.eml`));

export const letter = (name: string): Promise<Letter> => parseLetter(fixture(name));

/** Real mail of other projects' tests. Absent in a clone; tests say then what they did not run. */
export const dataDir = join(
  process.env.TEST_DATA_DIR ?? resolve(import.meta.dirname, '../../../../shared/data'),
  'email',
);
export const hasData = existsSync(dataDir);

/** A letter as the splitter hands it on. */
export function raw(bytes: Buffer, name = 'letter'): RawLetter {
  return {
    name,
    size: bytes.length,
    head: bytes,
    bytes,
    isFromMbox: false,
    sha256: () => createHash('sha256').update(bytes).digest('hex'),
    content: async function* () {
      yield bytes;
    },
    release: async () => {},
  };
}

/** Only what is read: letters and digits. */
export const wordsOf = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
