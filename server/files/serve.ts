import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { OpenFile } from './files.js';
import { withoutMetadata } from './jpeg.js';
import { inlineTypes } from './sniff.js';

/**
 * Answers a request with a file. Whatever somebody sent us is never a page of ours: it is downloaded, or shown as one
 * of four kinds of picture; no browser may guess another type, run anything in it, or frame it.
 */
export async function sendFile(req: Request, res: Response, opened: OpenFile): Promise<void> {
  const { name, type, size, fileId } = opened.file;
  const isInline = inlineTypes.has(type);
  res.set({
    'content-type': type === 'text/plain' ? 'text/plain; charset=utf-8' : type,
    'content-disposition': contentDisposition(isInline ? 'inline' : 'attachment', name),
    'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    // The bytes under an id never change, but who may see them can: the browser may keep them, nobody between.
    'cache-control': 'private, max-age=3600',
    'accept-ranges': type === 'image/jpeg' ? 'none' : 'bytes',
    etag: `"${fileId}"`,
  });
  // What a browser keeps is whoever's it was asked for: the next person at it asks anew.
  res.vary('authorization');
  // A photograph is cleaned from its beginning on: it is given whole, which answers a range just as well.
  const isPhoto = type === 'image/jpeg';
  const range = isPhoto ? null : rangeOf(req.get('range'), size);
  if (range === 'unsatisfiable') {
    res.status(416).set('content-range', `bytes */${size}`).end();
    return;
  }
  if (range) {
    res.status(206).set('content-range', `bytes ${range.start}-${range.end}/${size}`);
  }
  res.set('content-length', String(range ? range.end - range.start + 1 : size));
  if (req.method === 'HEAD' || size === 0) {
    res.end();
    return;
  }
  try {
    const bytes = await opened.read(range ?? undefined);
    if (isPhoto) await pipeline(bytes, withoutMetadata, res);
    else await pipeline(bytes, res);
  } catch (error) {
    // A reader that goes away in the middle is its own business.
    if (!res.destroyed) throw error;
  }
}

/** RFC 6266: an ASCII name for old clients and the whole one after RFC 5987. The name has been made safe before. */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

/** One range of bytes (RFC 9110, 14.1.2); several at once are answered with the whole, as the standard allows. */
function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
