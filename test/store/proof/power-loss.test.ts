import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge, type Operation } from './book.js';
import { aChoice, type Choice, createDisk, nothing } from './disk.js';
import { type ImageReader, type Reading, startImageReaders } from './images.js';
import { canTrace, type Entry, type Write } from './record.js';
import { type RecordedRun, recordRun } from './recorded-run.js';
import { isLong, type Random, randomFrom, seedOfRun } from './seed.js';
import { aFolder, type Folder } from './store-process.js';

/**
 * Power loss. `kill -9` leaves the page cache and so says nothing of syncing: here the kernel's calls are recorded, and
 * from the record disks are rebuilt that kept what they were made to sync and any part of the rest.
 */
const operations = isLong ? 1_500 : 220;
const images = isLong ? 20_000 : 500;
const seed = seedOfRun();

let folder: Folder;
let readers: ImageReader;
let run: RecordedRun;

beforeAll(
  async () => {
    if (!canTrace()) return;
    folder = aFolder();
    readers = await startImageReaders(2);
    run = await recordRun({ folder, random: randomFrom(seed), workers: 8, operations });
  },
  120_000 + operations * 500,
);
afterAll(() => {
  readers?.close();
  folder?.remove();
});

/** What is wrong with what was read, if the operations acknowledged before a place have to be there. */
function faultsOf(reading: Reading, { book, acknowledgedAt }: RecordedRun, place: number): string[] {
  if ('error' in reading) return [`unopenable: ${reading.error}`];
  const isAcknowledged = ({ id }: Operation) => (acknowledgedAt.get(id) ?? Number.POSITIVE_INFINITY) < place;
  const { missing, broken } = judge(reading.seen, book.operations.values(), isAcknowledged);
  return [
    ...missing.map((one) => `missing: ${one}`),
    ...broken.map((one) => `broken: ${one}`),
    ...reading.wrong.map((one) => `index: ${one}`),
  ];
}

const placesOf = ({ acknowledgedAt }: RecordedRun) => [...acknowledgedAt.values()].sort((a, b) => a - b);

/** For each acknowledgement: is it on a disk that kept nothing but what was synced when its answer left? */
async function lostWhenAnswered(one: RecordedRun): Promise<{ states: number; lost: string[] }> {
  const disk = createDisk(one.entries, one.before);
  const lost: string[] = [];
  const readings: Promise<void>[] = [];
  const places = placesOf(one);
  let states = 0;
  for (let at = 0; at < places.length; ) {
    disk.leadTo(places[at]!);
    const synced = disk.syncs();
    const image = disk.image(nothing);
    // All that was acknowledged while the disk stayed as it was.
    let last = places[at]!;
    for (; at < places.length; at += 1) {
      disk.leadTo(places[at]!);
      if (disk.syncs() !== synced) break;
      last = places[at]!;
    }
    states += 1;
    readings.push(
      readers.read(image, folder.data, false).then((reading) => {
        lost.push(...faultsOf(reading, one, last + 1));
      }),
    );
  }
  await Promise.all(readings);
  return { states, lost };
}

interface Moment {
  place: number;
  choice: Choice;
}

/** Places where the disk holds something it was not made to keep: in a commit, before and between its syncs. */
function someMoments(one: RecordedRun, random: Random, count: number): Moment[] {
  const ofFiles = one.entries.filter(({ kind }) => kind === 'write' || kind === 'sync');
  return Array.from({ length: count }, () => {
    const entry = random.pick(ofFiles);
    // Before it, in it, after it.
    return { place: entry.begun + random.pick([-0.5, 0.5, 1.5]), choice: aChoice(random) };
  }).sort((left, right) => left.place - right.place);
}

describe('a store that loses its power', () => {
  it('acknowledges nothing before the sync of the commit that holds it', {
    timeout: 300_000,
  }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const { states, lost } = await lostWhenAnswered(run);
    console.log(
      `seed ${seed}: ${run.acknowledgedAt.size} acknowledgements over ${states} synced states of the disk, ` +
        `before their sync ${lost.length}`,
    );
    expect(run.acknowledgedAt.size).toBe(operations);
    expect(lost).toEqual([]);
  });

  it('opens with everything acknowledged, whatever the disk kept of what was not yet synced', {
    timeout: 3_600_000,
  }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const random = randomFrom(seed + 1);
    const disk = createDisk(run.entries);
    const firstAnswer = placesOf(run)[0]!;
    const counts = { images: 0, unopenable: 0, missing: 0, other: 0, withUnsynced: 0, expected: 0 };
    const faults: string[] = [];
    const under = new Set<Promise<void>>();
    for (const { place, choice } of someMoments(run, random, images)) {
      disk.leadTo(place);
      if (disk.pending() > 0) counts.withUnsynced += 1;
      const image = disk.image(choice);
      const isThorough = place > firstAnswer && random.chance(0.1);
      const reading = readers.read(image, folder.data, isThorough).then((result) => {
        const found = faultsOf(result, run, place);
        counts.images += 1;
        counts.expected += placesOf(run).filter((at) => at < place).length;
        if ('error' in result) counts.unopenable += 1;
        counts.missing += found.filter((fault) => fault.startsWith('missing')).length;
        if (found.length > 0)
          faults.push(`place ${place}, tear ${choice.tear}: ${found.slice(0, 3).join('; ')}`);
        under.delete(reading);
      });
      under.add(reading);
      if (under.size >= 4) await Promise.race(under);
    }
    await Promise.all(under);
    console.log(
      `seed ${seed}: ${counts.images} crash images, ${counts.withUnsynced} of them with unsynced writes; ` +
        `unopenable ${counts.unopenable}, acknowledged ${counts.expected} operations in them, missing ${counts.missing}`,
    );
    expect(faults).toEqual([]);
    expect(counts.withUnsynced).toBeGreaterThan(images / 4);
  });
});

describe('a store that loses its power in its first moments', () => {
  it('opens all the same', { timeout: 120_000 }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const random = randomFrom(seed + 4);
    const firstAnswer = run.entries.find(({ kind }) => kind === 'answer')!.begun;
    const places = run.entries.filter(({ kind, begun }) => kind !== 'name' && begun < firstAnswer);
    const disk = createDisk(run.entries);
    const faults: string[] = [];
    let tried = 0;
    for (const { begun } of places)
      for (const place of [begun - 0.5, begun + 0.5, begun + 1.5]) {
        disk.leadTo(place);
        for (let n = 0; n < 6; n += 1) {
          const choice = aChoice(random);
          const reading = await readers.read(disk.image(choice), folder.data, false);
          tried += 1;
          if ('error' in reading) faults.push(`place ${place}, tear ${choice.tear}: ${reading.error}`);
        }
      }
    console.log(
      `seed ${seed}: ${tried} crash images from before the first answer, unopenable ${faults.length}`,
    );
    expect(faults).toEqual([]);
  });
});

describe('the proof of power loss notices', () => {
  const tried = isLong ? 200 : 15;
  const timeout = 60_000 + tried * 2_000;

  /** How many of some broken disks are found out. */
  async function caughtOf(
    count: number,
    broken: (random: Random) => { entries: Entry[]; place: number } | null,
  ) {
    const random = randomFrom(seed + 2);
    const faults: string[][] = [];
    while (faults.length < count) {
      const made = broken(random);
      if (!made) continue;
      const disk = createDisk(made.entries, run.before);
      disk.leadTo(made.place);
      const reading = await readers.read(disk.image(nothing), folder.data, true);
      faults.push(faultsOf(reading, run, made.place));
    }
    return faults.filter((found) => found.length > 0).length;
  }

  /** The synced writes of a commit: its pages, and the meta page that makes them the store's. */
  function aCommit(random: Random): { pages: Write[]; meta: Write; nextBegins: number } | null {
    const writes = run.entries.filter((entry): entry is Write => entry.kind === 'write');
    const metas = writes.filter(({ isSynced }) => isSynced);
    const at = 3 + random.below(metas.length - 5);
    const [before, meta, after] = [metas[at - 1]!, metas[at]!, metas[at + 1]!];
    const pages = writes.filter((one) => !one.isSynced && one.begun > before.ended && one.ended < meta.begun);
    if (pages.length === 0 || meta.begun < placesOf(run)[0]!) return null;
    return { pages, meta, nextBegins: after.begun };
  }

  it('a synced page that is not on the disk', { timeout }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const caught = await caughtOf(tried, (random) => {
      const commit = aCommit(random);
      if (!commit) return null;
      const lost = random.pick(commit.pages);
      return { entries: run.entries.filter((entry) => entry !== lost), place: commit.meta.ended + 0.5 };
    });
    console.log(`seed ${seed}: a synced write dropped from ${tried} images, noticed in ${caught}`);
    expect(caught).toBeGreaterThan(tried / 5);
  });

  it('a meta page that is on the disk before its pages', { timeout }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const caught = await caughtOf(tried, (random) => {
      const commit = aCommit(random);
      if (!commit) return null;
      const { begun } = commit.pages[0]!;
      const early: Write = { ...commit.meta, begun: begun - 0.6, ended: begun - 0.5 };
      return {
        entries: run.entries.map((entry) => (entry === commit.meta ? early : entry)),
        place: begun - 0.4,
      };
    });
    console.log(`seed ${seed}: a meta page ahead of its data in ${tried} images, noticed in ${caught}`);
    expect(caught).toBeGreaterThan(tried / 5);
  });

  it('a disk that says it has synced, and has not', { timeout: 120_000 }, async (context) => {
    if (!canTrace()) return context.skip('this machine lets no process trace another');
    const liar = aFolder();
    try {
      const lying = await recordRun({
        folder: liar,
        random: randomFrom(seed + 3),
        workers: 4,
        operations: 15,
        faults: ['fdatasync:retval=0'],
      });
      const disk = createDisk(lying.entries, lying.before);
      const places = placesOf(lying);
      let caught = 0;
      for (const place of places) {
        disk.leadTo(place);
        const reading = await readers.read(disk.image(nothing), liar.data, false);
        if (faultsOf(reading, lying, place + 1).length > 0) caught += 1;
      }
      console.log(`seed ${seed}: ${places.length} acknowledgements on a disk that lies, noticed ${caught}`);
      expect(caught).toBe(places.length);
    } finally {
      liar.remove();
    }
  });
});
