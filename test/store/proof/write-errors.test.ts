import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge, type Operation, readAll } from './book.js';
import { aChoice, createDisk, nothing } from './disk.js';
import { type ImageReader, startImageReaders } from './images.js';
import { canTrace } from './record.js';
import { recordRun } from './recorded-run.js';
import { isLong, randomFrom, seedOfRun } from './seed.js';
import { aFolder, startStore, unansweredBy } from './store-process.js';

/**
 * Writes and syncs that fail: the kernel's answers are replaced by errors for a while. Nothing is acknowledged that is
 * not on the disk, where a sync that failed once may have lost its pages for good, and writing goes on by itself.
 */
const runs = isLong ? 150 : 10;
const imagesOfRun = isLong ? 40 : 12;
const seed = seedOfRun();

interface Fault {
  call: string;
  error: string;
}
/** Page writes, data syncs and, by pwrite64 on its own descriptor, meta pages. */
const faults: Fault[] = [
  { call: 'fdatasync', error: 'EIO' },
  { call: 'pwrite64', error: 'EIO' },
  { call: 'pwrite64', error: 'ENOSPC' },
  { call: 'writev', error: 'EIO' },
  { call: 'writev', error: 'ENOSPC' },
];

let readers: ImageReader;
beforeAll(async () => {
  readers = await startImageReaders(2);
});
afterAll(() => readers?.close());

describe('a store whose disk fails for a while', () => {
  it(`acknowledges nothing it has not kept, and goes on by itself: ${runs} runs`, {
    timeout: 60_000 + runs * 30_000,
  }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const random = randomFrom(seed);
    const counts = { faults: 0, refused: 0, acknowledged: 0, images: 0 };
    const refusals = new Map<string, number>();
    const wrong: string[] = [];
    let slowest = 0;
    for (let n = 0; n < runs; n += 1) {
      const fault = faults[n % faults.length]!;
      const first = 12 + random.below(60);
      const last = first + random.below(6);
      const folder = aFolder();
      const name = `seed ${seed}, run ${n}: ${fault.call} ${fault.error} from call ${first} to ${last}`;
      try {
        const run = await recordRun({
          folder,
          random,
          workers: 6,
          operations: 80,
          faults: [`${fault.call}:error=${fault.error}:when=${first}..${last}`],
          onFailure(error) {
            const { name: kind, code } = error as { name: string; code?: number };
            const shown = `${kind} ${code ?? ''}`.trim();
            refusals.set(shown, (refusals.get(shown) ?? 0) + 1);
          },
          async finish(client, store) {
            // The faults end by their number; each try uses one up.
            const began = performance.now();
            for (let tries = 0; ; tries += 1) {
              try {
                await client.db('proof').collection('after').insertOne({ tries });
                break;
              } catch (error) {
                if (store.ended())
                  throw new Error(`the store died of ${JSON.stringify(store.ended())}: ${store.said()}`);
                if (performance.now() - began > 20_000)
                  throw new Error(`writing does not go on: ${String(error)}`);
              }
            }
            slowest = Math.max(slowest, performance.now() - began);
            // Refused, and told why: whoever asked knows what to do.
            wrong.push(...unansweredBy(store).map((one) => `${name}: unanswered: ${one}`));
          },
        });
        const { book, before, entries, acknowledgedAt } = run;
        counts.faults += entries.filter(({ kind, failed }) => failed && kind !== 'answer').length;
        counts.refused += book.counts().failed;
        counts.acknowledged += book.counts().acknowledged;

        // What the process itself leaves, killed: the files as the kernel shows them.
        const again = await startStore(folder);
        const client = await new MongoClient(again.uri).connect();
        const isAcknowledged = ({ state }: Operation) => state === 'acknowledged';
        const { missing, broken } = judge(await readAll(client), book.operations.values(), isAcknowledged);
        wrong.push(...[...missing, ...broken].map((one) => `${name}: after a restart: ${one}`));
        await client.close();
        await again.kill();

        // What a power loss would leave, at the end and on the way there.
        const disk = createDisk(entries, before);
        const ends = entries.filter(({ kind }) => kind !== 'answer').map(({ begun }) => begun + 1.5);
        const places = Array.from({ length: imagesOfRun - 1 }, () => random.pick(ends)).sort((a, b) => a - b);
        for (const place of [...places, Number.MAX_SAFE_INTEGER]) {
          disk.leadTo(place);
          const image = disk.image(random.chance(0.5) ? nothing : aChoice(random));
          const reading = await readers.read(image, folder.data, false);
          counts.images += 1;
          if ('error' in reading) {
            wrong.push(`${name}: unopenable at ${place}: ${reading.error}`);
            continue;
          }
          const verdict = judge(
            reading.seen,
            book.operations.values(),
            ({ id }) => (acknowledgedAt.get(id) ?? Number.POSITIVE_INFINITY) < place,
          );
          wrong.push(...[...verdict.missing, ...verdict.broken].map((one) => `${name}: at ${place}: ${one}`));
        }
      } catch (error) {
        wrong.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      } finally {
        folder.remove();
      }
    }
    console.log(
      `seed ${seed}: ${runs} runs, ${counts.faults} calls failed, ${counts.refused} operations refused ` +
        `${JSON.stringify(Object.fromEntries(refusals))}, ${counts.acknowledged} acknowledged; ${counts.images} crash images; ` +
        `false acknowledgements ${wrong.length}; writing went on after at most ${slowest.toFixed(0)} ms`,
    );
    expect(wrong).toEqual([]);
    expect(counts.faults).toBeGreaterThan(runs);
    expect(counts.refused).toBeGreaterThan(0);
  });
});
