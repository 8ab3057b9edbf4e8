import { createReadStream, existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { basename, extname, join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RequestHandler, Response } from 'express';

/**
 * What was built for browsers. The folders are listed and a request is looked up in that list: an address is never
 * turned into a path, so none can lead out of the folder. A file built with a `.br` beside it is sent compressed.
 */

const types: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

/** The folder `dist`, whether this file runs from the sources or was built into it. */
export function distFolder(): string {
  const base = join(import.meta.dirname, '../..');
  return basename(base) === 'dist' ? base : join(base, 'dist');
}

const rescanAfterMs = 1_000;

/** Files below a folder by their address; looked for again when something is asked for that was not there. */
function listing(folder: string, prefix: string) {
  let files = new Map<string, string>();
  let scannedAt = Number.NEGATIVE_INFINITY;
  function scan(): void {
    scannedAt = performance.now();
    files = new Map();
    if (!existsSync(folder)) return;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || extname(entry.name) === '.br') continue;
      const path = join(entry.parentPath, entry.name);
      files.set(`${prefix}${relative(folder, path).split(sep).join('/')}`, path);
    }
  }
  return (address: string): string | undefined => {
    const found = files.get(address);
    if (found !== undefined && existsSync(found)) return found;
    if (performance.now() - scannedAt > rescanAfterMs) scan();
    return files.get(address);
  };
}

interface Served {
  path: string;
  cacheControl: string;
  /** Any site may load it: the widget. */
  isForAnySite: boolean;
}

const immutable = 'public, max-age=31536000, immutable';
/** The loader's address never changes: sites get a new one within minutes, and a visitor never waits for it. */
const evergreen = 'public, max-age=300, stale-while-revalidate=86400';

/** Serves the widget's loader and chunks to any site. */
export function widgetFiles(folder = join(distFolder(), 'widget')): RequestHandler {
  const find = listing(folder, '/');
  return async (req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return next();
    const isLoader = req.path === '/threadline.js';
    if (!isLoader && !req.path.startsWith('/assets/')) return next();
    const path = find(req.path);
    if (path === undefined) return next();
    await send(req.method, req.headers['accept-encoding'], req.get('if-none-match'), res, {
      path,
      cacheControl: isLoader ? evergreen : immutable,
      isForAnySite: true,
    });
  };
}

/** Addresses of the console's own pages: words and ids. Nothing encoded, and no file's name. */
const pagePath = /^(?:\/(?!assets\/|console-assets\/)[\w-]+)+\/?$/;

/** Serves the console: its files, and its one page for every address of its own that a browser opens. */
export function consoleFiles(folder = join(distFolder(), 'console')): RequestHandler {
  const find = listing(folder, '/');
  return async (req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return next();
    if (/^\/(api|v1|socket\.io)(\/|$)/.test(req.path)) return next();
    const wantsPage = pagePath.test(req.path) && (req.get('accept') ?? '').includes('text/html');
    const path =
      find(req.path === '/' ? '/index.html' : req.path) ?? (wantsPage ? find('/index.html') : undefined);
    if (path === undefined) return next();
    if (basename(path) === 'mail-frame.html') allowOwnFrame(res);
    await send(req.method, req.headers['accept-encoding'], req.get('if-none-match'), res, {
      path,
      cacheControl: req.path.startsWith('/console-assets/') ? immutable : 'no-cache',
      isForAnySite: false,
    });
  };
}

/** The frame in which the console shows a letter: framed by the console alone, and nothing in it runs or connects. */
function allowOwnFrame(res: Response): void {
  res.removeHeader('x-frame-options');
  res.set(
    'content-security-policy',
    "default-src 'none'; img-src 'self' data: blob: https: http:; style-src 'unsafe-inline'; font-src data:; " +
      "script-src 'none'; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  );
}

async function send(
  method: string,
  acceptEncoding: string | string[] | undefined,
  ifNoneMatch: string | undefined,
  res: Response,
  { path, cacheControl, isForAnySite }: Served,
): Promise<void> {
  const compressed = `${path}.br`;
  const useCompressed = /\bbr\b/.test(String(acceptEncoding ?? '')) && existsSync(compressed);
  const file = useCompressed ? compressed : path;
  const stats = statSync(file);
  const etag = etagOf(stats, useCompressed);
  res.set({
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'cache-control': cacheControl,
    etag,
    vary: 'accept-encoding',
  });
  if (isForAnySite) {
    res.set({
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'timing-allow-origin': '*',
    });
  }
  if (ifNoneMatch === etag) {
    res.status(304).end();
    return;
  }
  if (useCompressed) res.set('content-encoding', 'br');
  res.set('content-length', String(stats.size));
  if (method === 'HEAD') {
    res.end();
    return;
  }
  try {
    await pipeline(createReadStream(file), res);
  } catch (error) {
    // A reader that goes away in the middle is its own business.
    if (!res.destroyed) throw error;
  }
}

const etagOf = (stats: Stats, isCompressed: boolean): string =>
  `"${stats.size.toString(36)}-${Math.round(stats.mtimeMs).toString(36)}${isCompressed ? '-br' : ''}"`;
