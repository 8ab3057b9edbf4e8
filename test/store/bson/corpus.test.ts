import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decode } from '../../../server/store/embedded/bson/decode.js';
import { encode } from '../../../server/store/embedded/bson/encode.js';

/** MongoDB's corpus of BSON: read where it lies, never copied. */
const folder = join(process.env.TEST_DATA_DIR ?? '../shared/data', 'mongodb-spec/source/bson-corpus/tests');

interface Case {
  description: string;
  canonical_bson: string;
  lossy?: boolean;
}
interface CorpusFile {
  description: string;
  valid?: Case[];
  decodeErrors?: { description: string; bson: string }[];
}

/** Regular expressions whose options stand in no order: drivers must write them sorted, so they do not come back as they were. */
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
if (files.length === 0) console.log('BSON corpus: not run, there is no test data');

describe.skipIf(files.length === 0)('The BSON corpus', () => {
  for (const name of files) {
    const corpus = JSON.parse(readFileSync(join(folder, name), 'utf8')) as CorpusFile;
    for (const one of corpus.valid ?? [])
      it(`${name}: ${one.description} comes back byte for byte`, () => {
        const bytes = Buffer.from(one.canonical_bson, 'hex');
        expect(encode(decode(bytes)).toString('hex')).toBe(bytes.toString('hex'));
      });
    for (const one of corpus.decodeErrors ?? [])
      it(`${name}: refuses ${one.description}`, () => {
        expect(() => decode(Buffer.from(one.bson, 'hex'))).toThrow(/BSON|UTF-8/);
      });
  }
});
