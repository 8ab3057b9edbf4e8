import { dirname } from 'node:path';
import type { Entry, Name, Write } from './record.js';
import type { Random } from './seed.js';

/**
 * A disk that keeps what it was made to sync, and of the rest whatever it likes. It is led through the record of a run;
 * at any place in it, images are drawn of what a power loss there could leave.
 */
export interface Disk {
  /** Takes in everything that began before a place. */
  leadTo(place: number): void;
  /** Grows with each sync that ended: what is surely there changes only then. */
  syncs(): number;
  /** What a power loss now leaves: path -> bytes. */
  image(choice: Choice): Map<string, Buffer>;
  pending(): number;
}

/** A page of a write: what a later write of the same page settles. */
interface Piece {
  write: Write;
  offset: number;
  data: Buffer;
  isDoubtful: boolean;
}

/** What a disk keeps of all that it was not made to keep. */
export interface Choice {
  /** The bytes that it writes whole. */
  tear: number;
  keep(write: Write, sector: number): boolean;
  /** How many of the changes of names, from none to all: file systems keep their order. */
  names: number;
}
export const nothing: Choice = { tear: 512, keep: () => false, names: 0 };

interface File {
  synced: Buffer;
  length: number;
  pending: Piece[];
}

const page = 4_096;

function piecesOf(write: Write): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < write.data.length; ) {
    const end = Math.min(write.data.length, at + page - ((write.offset + at) % page));
    pieces.push({ write, offset: write.offset + at, data: write.data.subarray(at, end), isDoubtful: false });
    at = end;
  }
  return pieces;
}

function put(file: { synced: Buffer; length: number }, offset: number, data: Buffer): void {
  const end = offset + data.length;
  if (end > file.synced.length) {
    const grown = Buffer.alloc(Math.max(end, file.synced.length * 2));
    file.synced.copy(grown, 0, 0, file.length);
    file.synced = grown;
  }
  data.copy(file.synced, offset);
  file.length = Math.max(file.length, end);
}

/** A disk, empty or with what was safely on it before the record begins. */
export function createDisk(entries: Entry[], before = new Map<string, Buffer>()): Disk {
  /** Folders and files by the names that processes see; and by those that a power loss leaves. */
  const files = new Map<string, File>();
  const kept = new Map<string, File>();
  const empty = (): File => ({ synced: Buffer.alloc(0), length: 0, pending: [] });
  for (const [path, bytes] of before)
    for (const names of [files, kept]) {
      names.set(dirname(path), empty());
      names.set(path, files.get(path) ?? { synced: Buffer.from(bytes), length: bytes.length, pending: [] });
    }
  let unkept: { change: Name; file: File }[] = [];

  function rename(names: Map<string, File>, { change, path, to }: Name, file: File): void {
    if (change === 'made') {
      names.set(path, file);
      return;
    }
    names.delete(path);
    if (change === 'moved' && to !== undefined) names.set(to, file);
  }
  // What happens, in its order: calls begin, and calls end.
  const steps = entries
    .flatMap((entry) => [
      { at: entry.begun, entry, isEnd: false },
      { at: entry.ended, entry, isEnd: true },
    ])
    .filter(({ at }) => Number.isFinite(at))
    .sort((left, right) => left.at - right.at);
  let next = 0;
  let synced = 0;
  /** What each sync under way will have synced when it ends: the writes that had ended when it began. */
  const covered = new Map<Entry, File['pending']>();

  const overlaps = (one: Piece, other: Piece) =>
    one.offset < other.offset + other.data.length && other.offset < one.offset + one.data.length;

  function take({ entry, isEnd, at }: (typeof steps)[number]): void {
    if (entry.kind === 'write') {
      if (entry.failed) return;
      const file = files.get(entry.path);
      if (!file) throw new Error(`${entry.path} is written and was never made`);
      if (!isEnd) {
        file.pending.push(...piecesOf(entry));
        return;
      }
      if (!entry.isSynced) return;
      put(file, entry.offset, entry.data);
      file.pending = file.pending.filter(({ write }) => write !== entry);
      synced += 1;
      return;
    }
    if (entry.kind === 'name') {
      if (entry.failed || isEnd) return;
      // Opened to be made where it was not: it was.
      if (entry.change === 'made' && files.has(entry.path)) return;
      const file = files.get(entry.path) ?? empty();
      rename(files, entry, file);
      unkept.push({ change: entry, file });
      return;
    }
    if (entry.kind !== 'sync') return;
    if (!entry.failed && isEnd) {
      // A folder's sync: the changes of its names that had ended when it began.
      const isIts = ({ change }: (typeof unkept)[number]) =>
        dirname(change.path) === entry.path && change.ended < entry.begun;
      for (const { change, file } of unkept.filter(isIts)) rename(kept, change, file);
      unkept = unkept.filter((one) => !isIts(one));
    }
    const file = files.get(entry.path);
    if (!file) return;
    if (!isEnd) {
      covered.set(
        entry,
        file.pending.filter(({ write, isDoubtful }) => write.ended < at && !isDoubtful),
      );
      return;
    }
    const done = covered.get(entry) ?? [];
    if (entry.failed) {
      // The kernel has said so once and holds these pages for clean now: no later sync will write them.
      for (const one of done) one.isDoubtful = true;
      return;
    }
    for (const piece of done) put(file, piece.offset, piece.data);
    // What was doubtful is settled where it was written again.
    file.pending = file.pending.filter(
      (one) => !done.includes(one) && !(one.isDoubtful && done.some((piece) => overlaps(one, piece))),
    );
    synced += 1;
  }

  return {
    leadTo(place) {
      for (; next < steps.length && steps[next]!.at <= place; next += 1) take(steps[next]!);
    },
    syncs: () => synced,
    pending: () => [...files.values()].reduce((count, { pending }) => count + pending.length, 0),
    image({ keep, tear, names }) {
      const image = new Map<string, Buffer>();
      const left = new Map(kept);
      for (const { change, file } of unkept.slice(0, Math.round(names * unkept.length)))
        rename(left, change, file);
      for (const [path, file] of left) {
        // Without its folder's name there is no file.
        if (file.length === 0 && file.pending.length === 0) continue;
        if (!left.has(dirname(path))) continue;
        const bytes = { synced: Buffer.from(file.synced.subarray(0, file.length)), length: file.length };
        for (const { write, offset, data } of file.pending) {
          const end = offset + data.length;
          // Torn where the disk's sectors end, not where the write began.
          for (let sector = Math.floor(offset / tear); sector * tear < end; sector += 1) {
            if (!keep(write, sector)) continue;
            const from = Math.max(sector * tear, offset);
            const to = Math.min((sector + 1) * tear, end);
            put(bytes, from, data.subarray(from - offset, to - offset));
          }
        }
        image.set(path, bytes.synced.subarray(0, bytes.length));
      }
      return image;
    },
  };
}

/** One of the ways in which a disk may choose among what it was not made to keep. */
export function aChoice(random: Random): Choice {
  const tear = random.pick([512, 512, 4_096, 4_096, 2 ** 30]);
  const share = random.pick([0.05, 0.25, 0.5, 0.75, 0.95]);
  const said = new Map<Write, Map<number, boolean>>();
  // Once said of a write's sector, always said.
  const keep = (write: Write, sector: number) => {
    const sectors = said.get(write) ?? new Map<number, boolean>();
    said.set(write, sectors);
    const known = sectors.get(sector) ?? random.chance(share);
    sectors.set(sector, known);
    return known;
  };
  return { tear, keep, names: random.pick([0, random.next(), 1]) };
}
