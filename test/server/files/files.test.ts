import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobs, openBlobs } from '../../../server/files/blobs.js';
import { attachFiles, openFile, putFile, removeFiles } from '../../../server/files/files.js';
import { BlobModel, FileModel } from '../../../server/files/model.js';
import type { Scope } from '../../../server/workspaces/scope.js';
import { AppError } from '../../../shared/errors.js';
import { limits } from '../../../shared/limits.js';
import { openTestStore, type TestStore } from './open.js';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

let count = 0;
const aWorkspace = (): Scope => {
  count += 1;
  return { workspaceId: `workspace-${count}`, actor: { type: 'agent', id: 'agent-1' } };
};
const visitorOf = (scope: Scope, id: string): Scope => ({ ...scope, actor: { type: 'contact', id } });

async function* pieces(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const put = (scope: Scope, content: string | Uint8Array, name = 'a.txt') =>
  putFile(scope, pieces(Buffer.from(content)), { name });

async function bytesOf(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
const readAll = async (scope: Scope, fileId: string) => bytesOf(await (await openFile(scope, fileId)).read());
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
};
const stored = (): string[] =>
  readdirSync(join(store.dataDir, 'files'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

const kinds: [string, () => Promise<void>][] = [
  ['the disk', () => openBlobs({ dataDir: store.dataDir })],
  ['GridFS', () => openBlobs({ dataDir: store.dataDir, mongodbUri: 'mongodb://the-one-that-is-open/' })],
];

describe.each(kinds)('files on %s', (_kind, open) => {
  beforeAll(open);

  it('come back as they were, whole and in part', async () => {
    const scope = aWorkspace();
    const content = randomBytes(700_000);
    const file = await put(scope, content, 'photo.bin');
    expect(file).toEqual({
      fileId: expect.any(String),
      name: 'photo.bin',
      type: 'application/octet-stream',
      size: content.length,
    });
    expect((await readAll(scope, file.fileId)).equals(content)).toBe(true);
    const opened = await openFile(scope, file.fileId);
    const part = await bytesOf(await opened.read({ start: 300_000, end: 300_009 }));
    expect(part.equals(content.subarray(300_000, 300_010))).toBe(true);
  });

  it('are kept once a workspace, whoever sends them, and go with the last who holds them', async () => {
    const scope = aWorkspace();
    const content = randomBytes(2_000);
    const [first, second] = await Promise.all([put(scope, content, 'a'), put(scope, content, 'b')]);
    expect(await BlobModel.countDocuments({ workspaceId: scope.workspaceId })).toBe(1);
    await removeFiles(scope, [first.fileId, 'no-such-file']);
    expect((await readAll(scope, second.fileId)).equals(content)).toBe(true);
    const { storedAs } = (await BlobModel.findOne({ workspaceId: scope.workspaceId }).lean()) ?? {
      storedAs: '',
    };
    await removeFiles(scope, [second.fileId, second.fileId]);
    expect(await codeOf(readAll(scope, second.fileId))).toBe('not_found');
    expect(await codeOf(blobs().read(storedAs))).toBe('not_found');
    expect(await BlobModel.countDocuments({ workspaceId: scope.workspaceId })).toBe(0);
  });

  it('are nobody else’s: another workspace, a guess, a file that is gone (F5)', async () => {
    const mine = aWorkspace();
    const other = aWorkspace();
    const file = await put(mine, 'mine');
    for (const [scope, fileId] of [
      [other, file.fileId],
      [mine, `${file.fileId.slice(0, -1)}x`],
      [mine, ''],
      [mine, '../../secret-key'],
    ] as const) {
      expect(await codeOf(openFile(scope, fileId))).toBe('not_found');
    }
    await removeFiles(other, [file.fileId]);
    expect((await readAll(mine, file.fileId)).toString()).toBe('mine');
  });

  it('leave nothing behind when they are too long or end too early', async () => {
    const scope = aWorkspace();
    const before = await BlobModel.countDocuments();
    let read = 0;
    async function* endless() {
      for (;;) {
        read += 1;
        yield Buffer.alloc(1024);
      }
    }
    const options = { name: 'x', maxBytes: 10_000 };
    expect(await codeOf(putFile(scope, endless(), { ...options, declaredBytes: 2 ** 31 }))).toBe(
      'file_too_large',
    );
    expect(read).toBe(0);
    expect(await codeOf(putFile(scope, endless(), options))).toBe('file_too_large');
    expect(read).toBeLessThan(20);
    const short = putFile(scope, pieces(Buffer.alloc(10)), { name: 'x', declaredBytes: 11 });
    expect(await codeOf(short)).toBe('upload_incomplete');
    async function* breaks() {
      yield Buffer.alloc(10);
      throw new Error('aborted');
    }
    expect(await codeOf(putFile(scope, breaks(), { name: 'x' }))).toBe('upload_incomplete');
    expect(await BlobModel.countDocuments()).toBe(before);
    expect(await FileModel.countDocuments({ workspaceId: scope.workspaceId })).toBe(0);
    expect(readdirSync(join(store.dataDir, 'files', 'arriving'))).toEqual([]);
  });

  it('take the limit to the byte, and one byte more not', async () => {
    const scope = aWorkspace();
    const exact = await put(scope, Buffer.alloc(limits.attachmentBytes, 1));
    expect(exact.size).toBe(limits.attachmentBytes);
    expect(await codeOf(put(scope, Buffer.alloc(limits.attachmentBytes + 1, 1)))).toBe('file_too_large');
    await removeFiles(scope, [exact.fileId]);
  });
});

describe('files on the disk', () => {
  beforeAll(() => openBlobs({ dataDir: store.dataDir }));

  it('lie under the hash of what they hold', async () => {
    await put(aWorkspace(), 'hashed');
    const hash = createHash('sha256').update('hashed').digest('hex');
    expect(stored().filter((name) => name.startsWith(hash))).toHaveLength(1);
  });

  it('survive any order of putting and removing the same content at once', async () => {
    const scope = aWorkspace();
    const content = randomBytes(500);
    for (let round = 0; round < 5; round += 1) {
      const held = await put(scope, content);
      const [, ...news] = await Promise.all([
        removeFiles(scope, [held.fileId]),
        put(scope, content),
        put(scope, content),
      ]);
      for (const { fileId } of news) expect((await readAll(scope, fileId)).equals(content)).toBe(true);
      await removeFiles(
        scope,
        news.map(({ fileId }) => fileId),
      );
    }
    expect(await BlobModel.countDocuments({ workspaceId: scope.workspaceId })).toBe(0);
  });

  it('say that the disk is full, leave nothing half-written, and go on when there is room', async (context) => {
    // A disk of one megabyte: needs the right to mount one.
    const disk = mkdtempSync(join(tmpdir(), 'threadline-small-disk-'));
    const [mount, unmount] = ['mount', 'umount'];
    const { status } = spawnSync(mount, ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    if (status !== 0) context.skip('no right to mount a small disk');
    try {
      await openBlobs({ dataDir: disk });
      const scope = aWorkspace();
      const small = await put(scope, Buffer.alloc(100_000, 1));
      expect(await codeOf(put(scope, randomBytes(2_000_000)))).toBe('store_full');
      expect(readdirSync(join(disk, 'files', 'arriving'))).toEqual([]);
      expect((await readAll(scope, small.fileId)).length).toBe(100_000);
      expect(await codeOf(put(scope, Buffer.alloc(200_000, 2)))).toBe('done');
    } finally {
      await openBlobs({ dataDir: store.dataDir });
      spawnSync(unmount, [disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });
});

describe('attaching files', () => {
  const place = { contactId: 'contact-1', visibleToVisitor: true };

  it('answers with what the file really is, whatever its sender says', async () => {
    const scope = visitorOf(aWorkspace(), 'contact-1');
    const file = await put(scope, '<script>alert(1)</script>', 'a\u202egpj.html');
    expect(await attachFiles(scope, [file.fileId], place)).toEqual([
      { fileId: file.fileId, name: 'agpj.html', type: 'text/plain', size: 25 },
    ]);
  });

  it('lets a visitor attach only what it uploaded itself (F5)', async () => {
    const workspace = aWorkspace();
    const [ada, bob] = [visitorOf(workspace, 'ada'), visitorOf(workspace, 'bob')];
    const adas = await put(ada, 'private');
    const agents = await put(workspace, 'an agent’s');
    for (const fileId of [adas.fileId, agents.fileId, 'no-such-file']) {
      expect(await codeOf(attachFiles(bob, [fileId], { ...place, contactId: 'bob' }))).toBe('not_found');
    }
    expect(await codeOf(openFile(workspace, adas.fileId, ['bob']))).toBe('not_found');
    await attachFiles(ada, [adas.fileId], { ...place, contactId: 'ada' });
    await attachFiles(ada, [adas.fileId], { ...place, contactId: 'ada' });
    expect(await codeOf(openFile(workspace, adas.fileId, ['bob']))).toBe('not_found');
    expect(await codeOf(openFile(workspace, adas.fileId, ['ada']))).toBe('done');
    expect(await codeOf(attachFiles(ada, [adas.fileId], { ...place, contactId: 'bob' }))).toBe('not_found');
  });

  it('shows a visitor nothing of a note', async () => {
    const scope = aWorkspace();
    const file = await put(scope, 'for colleagues');
    await attachFiles(scope, [file.fileId], { contactId: 'ada', visibleToVisitor: false });
    expect(await codeOf(openFile(scope, file.fileId, ['ada']))).toBe('not_found');
    const shown = await attachFiles(scope, [file.fileId], { contactId: 'ada', visibleToVisitor: true });
    expect(shown[0]?.fileId).not.toBe(file.fileId);
    expect(await codeOf(openFile(scope, shown[0]?.fileId ?? '', ['ada']))).toBe('done');
    await removeFiles(scope, [file.fileId]);
    expect((await readAll(scope, shown[0]?.fileId ?? '')).toString()).toBe('for colleagues');
  });
});
