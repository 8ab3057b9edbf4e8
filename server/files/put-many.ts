import { createHash, randomBytes } from 'node:crypto';
import type { FileRef } from '../../shared/events/parts.js';
import { newId } from '../store/id.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { blobs } from './blobs.js';
import { BlobModel, type BlobRow, FileModel, type FileRow } from './model.js';
import { safeFileName } from './name.js';
import { sniffBytes, sniffType } from './sniff.js';

/** A file that is in memory already, and whose place is known: an imported letter and what it brings. */
export interface HeldFile {
  name: string;
  content: Uint8Array;
  contactId: string;
}

/** Files that are written to the disk at once. */
const writesAtOnce = 8;

/**
 * Takes many files with one commit, each content once. Durable when it resolves; the answers stand in the order given.
 * @throws AppError `store_full`, `store_unavailable`: no row is left behind
 */
export async function putFiles(scope: Scope, files: readonly HeldFile[]): Promise<FileRef[]> {
  if (files.length === 0) return [];
  const { workspaceId, actor } = scope;
  const createdAt = new Date();
  const rows = files.map(
    ({ name, content, contactId }): FileRow => ({
      _id: newId(),
      workspaceId,
      hash: createHash('sha256').update(content).digest('hex'),
      size: content.length,
      name: safeFileName(name),
      type: sniffType(content.subarray(0, sniffBytes)),
      contactId,
      conversationId: null,
      visibleToVisitor: false,
      uploadedBy: { type: actor.type, id: actor.type === 'system' ? null : actor.id },
      createdAt,
    }),
  );
  const contents = new Map(rows.map((row, index) => [row.hash, files[index]?.content ?? new Uint8Array()]));
  const refs = new Map<string, number>();
  for (const { hash } of rows) refs.set(hash, (refs.get(hash) ?? 0) + 1);
  const written = new Map<string, string>();
  try {
    await writeMissing(workspaceId, contents, written);
    const kept = await transactOnce(async (session) => {
      const found = await findBlobs(workspaceId, [...contents.keys()], session);
      // What lay there a moment ago and was removed since has to be written after all.
      await writeMissing(workspaceId, contents, written, found);
      const [known, fresh] = [[...found.keys()], [...contents.keys()].filter((hash) => !found.has(hash))];
      if (known.length > 0) {
        await BlobModel.bulkWrite(
          known.map((hash) => ({
            updateOne: {
              filter: { _id: `${workspaceId}:${hash}`, workspaceId },
              update: { $inc: { refs: refs.get(hash) ?? 0 } },
            },
          })),
          { session, ordered: true },
        );
      }
      // A rival with the same new content makes this run again, and then its row is found.
      const inserted = fresh.map(
        (hash): BlobRow => ({
          _id: `${workspaceId}:${hash}`,
          workspaceId,
          hash,
          size: contents.get(hash)?.length ?? 0,
          refs: refs.get(hash) ?? 0,
          storedAs: written.get(hash) ?? '',
        }),
      );
      await BlobModel.insertMany(inserted, { session, ordered: true, lean: true });
      await FileModel.insertMany(rows, { session, ordered: true, lean: true });
      return new Set(found.keys());
    });
    // Somebody else's copy of the same content counts: ours is one too many.
    for (const hash of kept) await removeWritten(written, hash);
  } catch (error) {
    for (const hash of written.keys()) await removeWritten(written, hash);
    throw error;
  }
  return rows.map(({ _id, name, type, size }) => ({ fileId: _id, name, type, size }));
}

async function findBlobs(
  workspaceId: string,
  hashes: readonly string[],
  session: Parameters<Parameters<typeof transactOnce>[0]>[0] | null = null,
): Promise<Map<string, BlobRow>> {
  const ids = hashes.map((hash) => `${workspaceId}:${hash}`);
  const found = await BlobModel.find({ workspaceId, _id: { $in: ids } }, null, { session }).lean();
  return new Map(found.map((blob) => [blob.hash, blob]));
}

async function writeMissing(
  workspaceId: string,
  contents: ReadonlyMap<string, Uint8Array>,
  written: Map<string, string>,
  known?: ReadonlyMap<string, BlobRow>,
): Promise<void> {
  const there = known ?? (await findBlobs(workspaceId, [...contents.keys()]));
  const missing = [...contents].filter(([hash]) => !there.has(hash) && !written.has(hash));
  let next = 0;
  const lanes = Array.from({ length: Math.min(writesAtOnce, missing.length) }, async () => {
    for (let entry = missing[next++]; entry; entry = missing[next++]) {
      const [hash, content] = entry;
      const name = `${hash}-${randomBytes(6).toString('hex')}`;
      written.set(hash, await blobs().write(onePiece(content), () => name));
    }
  });
  const settled = await Promise.allSettled(lanes);
  for (const lane of settled) if (lane.status === 'rejected') throw lane.reason;
}

async function removeWritten(written: ReadonlyMap<string, string>, hash: string): Promise<void> {
  const storedAs = written.get(hash);
  if (storedAs !== undefined) await blobs().remove(storedAs);
}

async function* onePiece(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
