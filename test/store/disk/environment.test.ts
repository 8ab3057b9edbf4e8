import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  clear,
  type Environment,
  openEnvironment,
  read,
  readEntries,
  readKeys,
  write,
} from '../../../server/store/embedded/disk/environment.js';
import { LockedError, own, ownerOf } from '../../../server/store/embedded/disk/lock.js';

let directory: string;
let environment: Environment;
const key = (...bytes: number[]) => Buffer.from(bytes);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'store-disk-'));
  environment = openEnvironment(join(directory, 'a.lmdb'));
});
afterEach(async () => {
  await environment.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('a commit', () => {
  it('is read by those who begin after it, and not by those who began before', async () => {
    const table = environment.table('t');
    const before = environment.snapshot();
    await environment.commit(() => write(table, key(1), key(7)));
    const after = environment.snapshot();
    expect(read(table, key(1), before)).toBeUndefined();
    expect(read(table, key(1), after)).toEqual(key(7));
    before.done();
    after.done();
  });

  it('is undone whole by what its work throws', async () => {
    const table = environment.table('t');
    const failed = environment.commit(() => {
      write(table, key(1), key(1));
      environment.table('new');
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    const snapshot = environment.snapshot();
    expect(read(table, key(1), snapshot)).toBeUndefined();
    snapshot.done();
    await environment.commit(() => write(environment.table('new'), key(2), key(2)));
  });

  it('survives closing, with the tables that it made', async () => {
    await environment.commit(() => write(environment.table('made'), key(3), key(4)));
    await environment.close();
    environment = openEnvironment(join(directory, 'a.lmdb'));
    const table = environment.table('made');
    const snapshot = environment.snapshot();
    expect(read(table, key(3), snapshot)).toEqual(key(4));
    snapshot.done();
  });

  it('may always make tables, however many there are', async () => {
    const names = Array.from({ length: 5_000 }, (_, n) => `t${n}`);
    for (let at = 0; at < names.length; at += 250)
      await environment.commit(() => {
        for (const name of names.slice(at, at + 250))
          write(environment.table(name), key(1), Buffer.from(name));
      });
    const values = () => {
      const snapshot = environment.snapshot();
      const found = names.map((name) => String(read(environment.table(name), key(1), snapshot)));
      snapshot.done();
      return found;
    };
    expect(values()).toEqual(names);
    await environment.close();
    environment = openEnvironment(join(directory, 'a.lmdb'));
    // As the catalog does when the store is opened.
    for (const name of names) environment.table(name);
    expect(values()).toEqual(names);
  });

  it('that makes very many tables at once fails, and is taken when it comes again', async () => {
    const many = () =>
      environment.commit(() => {
        for (let n = 0; n < 3_000; n += 1) write(environment.table(`t${n}`), key(1), key(2));
      });
    await expect(many()).rejects.toThrow('MDB_DBS_FULL');
    await many();
    const snapshot = environment.snapshot();
    expect(read(environment.table('t2999'), key(1), snapshot)).toEqual(key(2));
    snapshot.done();
  });

  it('leaves a snapshot as it was while tables are made and emptied', async () => {
    const table = environment.table('t');
    await environment.commit(() => write(table, key(1), key(1)));
    const snapshot = environment.snapshot();
    await environment.commit(() => clear(table));
    await environment.commit(() => write(environment.table('other'), key(1), key(9)));
    expect(read(table, key(1), snapshot)).toEqual(key(1));
    snapshot.done();
  });
});

describe('a copy', () => {
  const fill = async (tables: number, bytes: number) => {
    const value = Buffer.alloc(bytes, 1);
    for (let at = 0; at < tables; at += 250)
      await environment.commit(() => {
        for (let n = at; n < Math.min(tables, at + 250); n += 1)
          write(environment.table(`t${n}`), key(1), value);
      });
  };
  const makeTables = (count: number) =>
    environment.commit(() => {
      for (let n = 0; n < count; n += 1) environment.table(`more${n}`);
    });
  const expectWhole = async (name: string) => {
    const copy = openEnvironment(name);
    const table = copy.table('t1499');
    const snapshot = copy.snapshot();
    expect(read(table, key(1), snapshot)).toHaveLength(4_000);
    snapshot.done();
    await copy.close();
  };

  it('is whole when it was asked for while the environment waits to be opened again', async () => {
    await fill(1_500, 4_000);
    await makeTables(300);
    const first = environment.copyTo(join(directory, 'copy0.lmdb'));
    // There is no more room for tables: it waits for the copy, and opens the file again.
    const growth = environment.commit(() => write(environment.table('last'), key(1), key(2)));
    // More than are made at one time: some begin when the first is done.
    const names = Array.from({ length: 6 }, (_, n) => join(directory, `copy${n + 1}.lmdb`));
    await Promise.all([first, growth, ...names.map((name) => environment.copyTo(name))]);
    for (const name of names) await expectWhole(name);
  });

  it('is whole when the environment is closed meanwhile', async () => {
    await fill(1_500, 4_000);
    const names = Array.from({ length: 6 }, (_, n) => join(directory, `copy${n}.lmdb`));
    const copies = names.map((name) => environment.copyTo(name));
    await Promise.all([...copies, environment.close()]);
    for (const name of names) await expectWhole(name);
  });

  it('does not hold up who makes a table, while there is room for some', async () => {
    await fill(1_600, 10);
    const table = environment.table('t0');
    const snapshot = environment.snapshot();
    const copy = environment.copyTo(join(directory, 'copy.lmdb'));
    await environment.commit(() => write(environment.table('last'), key(1), key(2)));
    // It would be lost if the file had been opened again.
    expect(read(table, key(1), snapshot)).toHaveLength(10);
    snapshot.done();
    await copy;
  });
});

describe('a range', () => {
  const keys = (range: object) => {
    const snapshot = environment.snapshot();
    try {
      return readKeys(environment.table('t'), { limit: 100, ...range }, snapshot).map(([first]) => first);
    } finally {
      snapshot.done();
    }
  };

  it('takes in or leaves out its ends, both ways', async () => {
    const table = environment.table('t');
    await environment.commit(() => {
      for (const at of [10, 20, 30, 40, 50]) write(table, key(at, 1), key(at));
    });
    expect(keys({ start: key(20, 1), end: key(40, 1) })).toEqual([20, 30]);
    expect(keys({ start: key(20, 1), end: key(40, 1), after: true, through: true })).toEqual([30, 40]);
    expect(keys({ start: key(40, 1), end: key(20, 1), reverse: true, through: true })).toEqual([40, 30, 20]);
    expect(
      keys({ start: key(45), end: key(15), reverse: true, after: true, through: true, limit: 2 }),
    ).toEqual([40, 30]);
    expect(keys({ start: key(0) })).toEqual([10, 20, 30, 40, 50]);
    const snapshot = environment.snapshot();
    const entries = readEntries(table, { start: key(0), limit: 2 }, snapshot);
    snapshot.done();
    expect(entries.map(({ value }) => value[0])).toEqual([10, 20]);
  });
});

describe('a full disk', () => {
  it('fails the commit, keeps what was acknowledged, and takes writes again when there is room', () => {
    // A limit on the size of files stands for the full disk; the child lifts it again as the operator frees space.
    const script = join(directory, 'full.mjs');
    const root = join(import.meta.dirname, '../../..');
    writeFileSync(
      script,
      `import { build } from '${root}/node_modules/esbuild/lib/main.js';
       await build({ entryPoints: ['${root}/server/store/embedded/disk/environment.ts'], bundle: true, format: 'esm',
         platform: 'node', packages: 'external', outfile: '${root}/.cache/environment-under-test.mjs' });
       process.on('SIGXFSZ', () => {});
       const { openEnvironment, write, read } = await import('${root}/.cache/environment-under-test.mjs');
       const { spawnSync } = await import('node:child_process');
       const limit = (bytes) => spawnSync('prlimit', ['--pid', String(process.pid), '--fsize=' + bytes + ':']);
       const environment = openEnvironment('${directory}/full.lmdb');
       const table = environment.table('t');
       const key = (n) => { const k = Buffer.alloc(4); k.writeUInt32BE(n); return k; };
       const kept = [];
       limit(2_000_000);
       let failures = 0, at = 0, kind = '';
       while (failures < 3) {
         const n = at++;
         try { await environment.commit(() => write(table, key(n), Buffer.alloc(20_000, n))); kept.push(n); }
         catch (error) { failures += 1; kind = error.name + ' ' + error.kind; }
       }
       limit('unlimited');
       await environment.commit(() => write(table, key(1_000_000), Buffer.alloc(100_000)));
       const snapshot = environment.snapshot();
       const lost = kept.filter((n) => read(table, key(n), snapshot)?.[0] !== (n & 255));
       console.log(JSON.stringify({ kept: kept.length, lost: lost.length, kind, resumed: read(table, key(1_000_000), snapshot).length }));
       await environment.close();`,
    );
    const child = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 25_000 });
    expect(child.signal, child.stderr).toBeNull();
    const seen = JSON.parse(child.stdout.trim().split('\n').at(-1) ?? '{}');
    expect(seen).toMatchObject({
      lost: 0,
      kind: expect.stringMatching(/DiskError (full|failed)/),
      resumed: 100_000,
    });
    expect(seen.kept).toBeGreaterThan(10);
  });
});

describe('a data directory', () => {
  it('has one owner, who is named to the second', () => {
    const release = own(directory, '/tmp/x.sock');
    expect(ownerOf(directory)).toMatchObject({ pid: process.pid, socketPath: '/tmp/x.sock' });
    expect(() => own(directory, '/tmp/y.sock')).toThrow(LockedError);
    expect(() => own(directory, '/tmp/y.sock')).toThrow(String(process.pid));
    release();
    expect(ownerOf(directory)).toBeNull();
  });

  it('is taken over from an owner that has died, whatever process has its pid now', () => {
    writeFileSync(
      join(directory, 'owner.json'),
      JSON.stringify({ pid: process.pid, began: '1', socketPath: '' }),
    );
    own(directory, '/tmp/x.sock')();
    writeFileSync(join(directory, 'owner.json'), '{"pid":');
    own(directory, '/tmp/x.sock')();
  });
});
