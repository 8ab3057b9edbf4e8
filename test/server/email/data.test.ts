import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { importMail, mailSources } from '../../../server/channels/email/import.js';
import { parseLetter } from '../../../server/channels/email/parse.js';
import { splitQuoted } from '../../../server/channels/email/quote.js';
import { openBlobs } from '../../../server/files/blobs.js';
import { aCompany, withStore } from '../store.js';
import { dataDir, hasData, wordsOf } from './fixtures.js';

type Case = readonly [name: string, text: string, expected: string, quoteStart?: number | undefined];

/** Over real mail of other projects' tests, where TEST_DATA_DIR has it. */
const store = withStore();
beforeAll(() => openBlobs({ dataDir: store.dataDir() }));
if (!hasData) console.log(`No mail data at ${dataDir}: reading, folding and importing it did not run.`);

const read = (path: string): string => readFileSync(join(dataDir, path), 'utf8').replace(/\r\n?/g, '\n');

describe.skipIf(!hasData)('real mail', () => {
  it('is read as three independent parsers agree', async () => {
    const reference: Record<string, { agreed: { from?: string[]; subject?: string; messageId?: string } }> =
      JSON.parse(read('reference.json'));
    const wrong: string[] = [];
    let right = 0;
    for (const [name, { agreed }] of Object.entries(reference)) {
      const letter = await parseLetter(readFileSync(join(dataDir, name)));
      if (letter.unread === 'not_mail') continue;
      const differs = {
        from: agreed.from?.length === 1 && agreed.from[0] !== letter.from.address,
        messageId:
          agreed.messageId !== undefined &&
          agreed.messageId.replace(/[<>\s]/g, '') !== letter.messageId.replace(/[<>\s]/g, ''),
        // Where the three gave up on a charset, the agreed subject holds marks of what nobody could read.
        subject:
          agreed.subject !== undefined &&
          !agreed.subject.includes('\ufffd') &&
          wordsOf(agreed.subject) !== wordsOf(letter.subject),
      };
      for (const [what, isWrong] of Object.entries(differs)) {
        if (isWrong) wrong.push(`${name}: ${what}`);
        else right += 1;
      }
    }
    console.log(`headers: ${right} right, ${wrong.length} wrong ${wrong.join(', ')}`);
    expect(wrong).toEqual([]);
  });

  it('has its new words told from what they quote, and loses none', async () => {
    const results: { set: string; right: number; wrong: string[] }[] = [];
    const measure = (set: string, cases: readonly Case[]) => {
      const result = { set, right: 0, wrong: [] as string[] };
      for (const [name, text, expected, quoteStart] of cases) {
        const { before, shown, after } = splitQuoted(text, quoteStart);
        expect(before + shown + after).toBe(text);
        if (shown.replace(/\s/g, '') === expected.replace(/\s/g, '')) result.right += 1;
        else result.wrong.push(name);
      }
      results.push(result);
    };
    const letters = async (folder: string, expected: Record<string, string>) =>
      Promise.all(
        Object.entries(expected).map(async ([name, text]): Promise<Case> => {
          const letter = await parseLetter(readFileSync(join(dataDir, folder, name)));
          return [name, letter.text, text.startsWith('(the whole') ? letter.text : text, letter.quoteStart];
        }),
      );
    measure(
      'email_reply_trimmer',
      readdirSync(join(dataDir, 'email_reply_trimmer/trimmed')).map((name) => [
        name,
        read(`email_reply_trimmer/emails/${name}`),
        read(`email_reply_trimmer/trimmed/${name}`),
      ]),
    );
    const constructed: Record<string, { newText?: string }> = JSON.parse(read('constructed/expected.json'));
    const replies = Object.entries(constructed).flatMap(([name, { newText }]) =>
      newText === undefined ? [] : [[name, newText]],
    );
    measure('constructed', await letters('constructed', Object.fromEntries(replies)));
    measure(
      'talon',
      await letters('talon/standard_replies', JSON.parse(read('talon/standard_replies/expected.json'))),
    );
    for (const { set, right, wrong } of results)
      console.log(`${set}: ${right} right, ${wrong.length} wrong ${wrong.join(', ')}`);
    // What it does today must not be lost; docs/email.md says what is wrong and why.
    expect(results.map((one) => one.right)).toEqual([
      expect.toSatisfy((n: number) => n >= 36),
      15,
      expect.toSatisfy((n: number) => n >= 6),
    ]);
  });

  it('is imported whole without a crash, and a second time nothing of it', { timeout: 180_000 }, async () => {
    const company = await aCompany();
    const reasons = new Map<string, number>();
    const run = async () => {
      reasons.clear();
      const startedAt = performance.now();
      const counts = await importMail(company.scope, mailSources(dataDir, process.stdin), {
        inbox: company.email,
        onBroken: ({ reason = '' }) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1),
      });
      const seconds = (performance.now() - startedAt) / 1_000;
      const all = counts.imported + counts.duplicates + counts.broken;
      console.log(
        `${JSON.stringify(counts)} ${JSON.stringify(Object.fromEntries(reasons))} in ${seconds.toFixed(1)} s: ${Math.round(all / seconds)} files and letters a second, ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
      );
      return counts;
    };
    const first = await run();
    expect(first.imported).toBeGreaterThan(600);
    const second = await run();
    expect(second.imported).toBe(0);
    expect(second.duplicates + second.broken).toBe(first.imported + first.duplicates + first.broken);
  });
});
