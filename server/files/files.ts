import { createHash, randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { AppError } from '../../shared/errors.js';
import type { FileRef } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import { newId } from '../store/id.js';
import { inTransaction } from '../store/transaction.js';
import { transactOnce } from '../timeline/store.js';
import type { Scope } from '../workspaces/scope.js';
import { blobs } from './blobs.js';
import { BlobModel, FileModel, type FileRow } from './model.js';
import { safeFileName } from './name.js';
import { sniffBytes, sniffType } from './sniff.js';

export interface PutFile {
  /** As the sender called it; made safe here. */
  name: string;
  /** Content-Length: more than allowed is refused before a byte is read, fewer bytes than said is `upload_incomplete`. */
  declaredBytes?: number | undefined;
  /** Default: `limits.attachmentBytes`. */
  maxBytes?: number;
  /** Known already (an e-mail's attachments): no `attachFiles` needed. */
  contactId?: string;
  conversationId?: string;
}

const refOf = (row: FileRow): FileRef => ({
  fileId: row._id,
  name: row.name,
  type: row.type,
  size: row.size,
});

/**
 * Takes a file, once by its content, whoever sends it how often. Durable when it resolves.
 * @throws AppError `file_too_large` (with `limit`), `upload_incomplete`, `store_full`: nothing is left behind
 */
export async function putFile(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  options: PutFile,
): Promise<FileRef> {
  const limit = options.maxBytes ?? limits.attachmentBytes;
  if (options.declaredBytes !== undefined && options.declaredBytes > limit) {
    throw new AppError('file_too_large', { limit });
  }
  const measured = measure(source, limit, options.declaredBytes);
  const storedAs = await blobs().write(
    measured.bytes,
    () => `${measured.hash()}-${randomBytes(6).toString('hex')}`,
  );
  const row: FileRow = {
    _id: newId(),
    workspaceId: scope.workspaceId,
    hash: measured.hash(),
    size: measured.size(),
    name: safeFileName(options.name),
    type: sniffType(measured.head()),
    contactId: options.contactId ?? null,
    conversationId: options.conversationId ?? null,
    visibleToVisitor: false,
    uploadedBy: { type: scope.actor.type, id: scope.actor.type === 'system' ? null : scope.actor.id },
    createdAt: new Date(),
  };
  try {
    const kept = await keep(row, storedAs);
    if (kept !== storedAs) await blobs().remove(storedAs);
  } catch (error) {
    await blobs().remove(storedAs);
    throw error;
  }
  return refOf(row);
}

/** Passes bytes through while it counts and hashes them and remembers the first ones. */
function measure(source: AsyncIterable<Uint8Array>, limit: number, declaredBytes: number | undefined) {
  const hash = createHash('sha256');
  let size = 0;
  let head = Buffer.alloc(0);
  let digest = '';
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of interrupted(source)) {
      size += chunk.length;
      if (size > limit) throw new AppError('file_too_large', { limit });
      if (head.length < sniffBytes) head = Buffer.concat([head, chunk]).subarray(0, sniffBytes);
      hash.update(chunk);
      yield chunk;
    }
    if (declaredBytes !== undefined && size !== declaredBytes) throw new AppError('upload_incomplete');
    digest = hash.digest('hex');
  }
  return { bytes: bytes(), hash: () => digest, size: () => size, head: () => head };
}

/** A connection that broke is the sender's to try again, not an error of ours. */
async function* interrupted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      let step: IteratorResult<Uint8Array>;
      try {
        step = await iterator.next();
      } catch (error) {
        if (error instanceof AppError) throw error;
        throw new AppError('upload_incomplete', undefined, { cause: error });
      }
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/**
 * Counts the new row to its content, in one transaction, and answers under which name the content lies: the name given,
 * or an older one when the same bytes were here before. Since every upload has a name of its own, a content that is
 * being removed at this moment is never the one that a new row counts on.
 */
async function keep(row: FileRow, storedAs: string): Promise<string> {
  const key = { _id: `${row.workspaceId}:${row.hash}`, workspaceId: row.workspaceId };
  // Two uploads of one new content at once: the second finds the first one's row when it tries again.
  return transactOnce(async (session) => {
    const blob = await BlobModel.findOneAndUpdate(
      key,
      { $inc: { refs: 1 }, $setOnInsert: { hash: row.hash, size: row.size, storedAs } },
      { upsert: true, returnDocument: 'after', session },
    ).lean();
    await FileModel.create([row], { session });
    return blob?.storedAs ?? storedAs;
  });
}

export interface OpenFile {
  file: FileRef;
  /** The bytes, or a piece of them; `end` is the last byte wanted. */
  read(range?: { start: number; end: number }): Promise<Readable>;
}

/**
 * Opens a file of this workspace. `forContactIds`: only what was shown to that visitor (the contacts of its merged
 * group); for anything else the answer is the one for a file that never existed.
 * @throws AppError `not_found`
 */
export async function openFile(
  scope: Scope,
  fileId: string,
  forContactIds?: readonly string[],
): Promise<OpenFile> {
  const row = await FileModel.findOne({
    _id: fileId,
    workspaceId: scope.workspaceId,
    ...(forContactIds && { contactId: { $in: [...forContactIds] }, visibleToVisitor: true }),
  }).lean();
  const blob =
    row &&
    (await BlobModel.findOne({
      _id: `${scope.workspaceId}:${row.hash}`,
      workspaceId: scope.workspaceId,
    }).lean());
  if (!row || !blob) throw new AppError('not_found');
  return { file: refOf(row), read: (range) => blobs().read(blob.storedAs, range) };
}

export interface AttachTo {
  contactId: string;
  conversationId?: string;
  /** Whether the contact's own browser may fetch it: true for a chat message, false for a note or an e-mail. */
  visibleToVisitor: boolean;
}

/**
 * Puts uploaded files onto a contact's timeline and answers them as they really are: name, type and size come from the
 * rows, never from the one who sends the message. A visitor may attach only what it uploaded itself; an agent's file
 * that stands elsewhere already is given a row of its own. Doing it again for the same contact changes nothing.
 * @throws AppError `not_found` when one of them is not the sender's to attach
 */
export async function attachFiles(
  scope: Scope,
  fileIds: readonly string[],
  to: AttachTo,
): Promise<FileRef[]> {
  const refs: FileRef[] = [];
  for (const fileId of fileIds) refs.push(await attach(scope, fileId, to));
  return refs;
}

async function attach(scope: Scope, fileId: string, to: AttachTo): Promise<FileRef> {
  const { workspaceId, actor } = scope;
  const own = actor.type === 'contact' ? { 'uploadedBy.type': actor.type, 'uploadedBy.id': actor.id } : {};
  const place = {
    contactId: to.contactId,
    ...(to.conversationId !== undefined && { conversationId: to.conversationId }),
    visibleToVisitor: to.visibleToVisitor,
  };
  const free = await FileModel.findOneAndUpdate(
    { _id: fileId, workspaceId, contactId: null, ...own },
    { $set: place },
    { returnDocument: 'after' },
  ).lean();
  if (free) return refOf(free);

  const taken = await FileModel.findOne({ _id: fileId, workspaceId, ...own }).lean();
  if (!taken) throw new AppError('not_found');
  const isThere = taken.contactId === to.contactId && taken.visibleToVisitor === to.visibleToVisitor;
  if (isThere) return refOf(taken);
  if (actor.type === 'contact') throw new AppError('not_found');
  const copy: FileRow = { ...taken, conversationId: null, ...place, _id: newId(), createdAt: new Date() };
  await inTransaction(async (session) => {
    const counted = await BlobModel.updateOne(
      { _id: `${workspaceId}:${copy.hash}`, workspaceId },
      { $inc: { refs: 1 } },
      { session },
    );
    if (counted.matchedCount === 0) throw new AppError('not_found');
    await FileModel.create([copy], { session });
  });
  return refOf(copy);
}

/** Forgets files; content that nothing else in the workspace holds is removed from the disk. Unknown ids are no error. */
export async function removeFiles(scope: Scope, fileIds: readonly string[]): Promise<void> {
  const { workspaceId } = scope;
  for (const fileId of fileIds) {
    const unheld = await inTransaction(async (session) => {
      const row = await FileModel.findOneAndDelete({ _id: fileId, workspaceId }, { session }).lean();
      if (!row) return null;
      const key = { _id: `${workspaceId}:${row.hash}`, workspaceId };
      const blob = await BlobModel.findOneAndUpdate(
        key,
        { $inc: { refs: -1 } },
        { session, returnDocument: 'after' },
      ).lean();
      if (!blob || blob.refs > 0) return null;
      await BlobModel.deleteOne(key, { session });
      return blob.storedAs;
    });
    // After the commit: were the process to end here, bytes would be left that nobody can reach, never a row without.
    if (unheld !== null) await blobs().remove(unheld);
  }
}
