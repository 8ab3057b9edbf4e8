import type { Request } from 'express';
import { AppError } from '../../shared/errors.js';
import type { FileRef } from '../../shared/events/parts.js';
import { limits } from '../../shared/limits.js';
import type { Scope } from '../workspaces/scope.js';
import { putFile } from './files.js';

/**
 * Stores the body of a request as a file: raw bytes, the name percent-encoded in `x-file-name`. Visitors' and agents'
 * routes both end here.
 * @throws AppError `bad_request`, `file_too_large` (before a byte is read when the length says so), `upload_incomplete`,
 *   `store_full`
 */
export async function putUpload(scope: Scope, req: Request): Promise<FileRef> {
  try {
    return await putBody(scope, req);
  } catch (error) {
    endSoon(req);
    throw error;
  }
}

/** How long the rest of a refused upload is read and thrown away, so that its sender hears the answer. */
const lingerMs = 2_000;

function endSoon(req: Request): void {
  if (req.complete) return;
  req.resume();
  const timer = setTimeout(() => req.socket.destroy(), lingerMs).unref();
  req.once('end', () => clearTimeout(timer));
}

function putBody(scope: Scope, req: Request): Promise<FileRef> {
  const declaredBytes = declaredLength(req.get('content-length'));
  if (declaredBytes !== undefined && declaredBytes > limits.attachmentBytes) {
    throw new AppError('file_too_large', { limit: limits.attachmentBytes });
  }
  if (req.get('content-encoding') !== undefined) {
    throw new AppError('bad_request', { field: 'content-encoding', problem: 'Send the bytes as they are.' });
  }
  // Leaving a request in the middle must not close the connection that the refusal still has to travel on.
  const bytes = req.iterator({ destroyOnReturn: false });
  return putFile(scope, bytes, { name: fileName(req.get('x-file-name')), declaredBytes });
}

function declaredLength(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

function fileName(header: string | undefined): string {
  if (header === undefined || header.length > 2_000) {
    throw new AppError('bad_request', { field: 'x-file-name', problem: 'Give the name, percent-encoded.' });
  }
  try {
    return decodeURIComponent(header);
  } catch (error) {
    throw new AppError(
      'bad_request',
      { field: 'x-file-name', problem: 'Not percent-encoded UTF-8.' },
      { cause: error },
    );
  }
}
