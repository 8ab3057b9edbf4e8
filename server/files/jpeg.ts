/**
 * Takes out of a photograph what it tells besides the picture: where it was taken, by which camera, by whom. Only the
 * way it must be turned is kept. Every byte keeps its place, so that sizes and the picture itself stay as they are.
 */

/** Metadata stands before the picture. A file whose headers are longer than this is passed on as far as it was cleaned. */
const headersAtMost = 4 * 1024 * 1024;

export async function* withoutMetadata(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of source) {
    if (!head) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (!isHeaderComplete(head) && head.length < headersAtMost) continue;
    yield cleaned(head);
    head = null;
  }
  if (head) yield cleaned(head);
}

const app1 = 0xe1;
const app13 = 0xed;
const comment = 0xfe;

/** The segments before the picture: their marker, and where their content begins and ends. */
function* segments(bytes: Buffer): Generator<{ marker: number; start: number; end: number }> {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    yield { marker, start: at + 4, end };
    if (marker === startOfScan || end <= at + 4) return;
    at = end;
  }
}

const startOfScan = 0xda;

function isHeaderComplete(bytes: Buffer): boolean {
  if (bytes.length < 2) return false;
  let reached = 2;
  for (const { marker, end } of segments(bytes)) {
    if (marker === startOfScan) return true;
    reached = end;
  }
  // Something that is no segment: no JPEG that anybody could show, and nothing more to look for.
  return reached + 2 <= bytes.length && bytes[reached] !== 0xff;
}

function cleaned(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (const { marker, start, end } of segments(bytes)) {
    const content = copy.subarray(start, Math.min(end, copy.length));
    if (marker === app1) clean(content);
    else if (marker === app13 || marker === comment) content.fill(0);
  }
  return copy;
}

/** Exif is replaced by one that says how to turn the picture; XMP and whatever else stands there is blanked. */
function clean(content: Buffer): void {
  const isExif = content.subarray(0, 6).equals(exifMark);
  const orientation = isExif ? orientationOf(content.subarray(6)) : null;
  content.fill(0);
  if (orientation === null || content.length < exifMark.length + 26) return;
  exifMark.copy(content);
  const tiff = content.subarray(6);
  tiff.write('MM\0*', 'latin1');
  tiff.writeUInt32BE(8, 4); // where the one directory stands
  tiff.writeUInt16BE(1, 8); // its entries
  tiff.writeUInt16BE(orientationTag, 10);
  tiff.writeUInt16BE(3, 12); // a short
  tiff.writeUInt32BE(1, 14); // one of them
  tiff.writeUInt16BE(orientation, 18);
}

const exifMark = Buffer.from('Exif\0\0', 'latin1');
const orientationTag = 0x0112;

function orientationOf(tiff: Buffer): number | null {
  const order = tiff.subarray(0, 2).toString('latin1');
  if (order !== 'II' && order !== 'MM') return null;
  const isLittle = order === 'II';
  const short = (at: number) => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  if (tiff.length < 10) return null;
  const directory = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  if (directory + 2 > tiff.length) return null;
  const entries = short(directory);
  for (let index = 0; index < entries; index += 1) {
    const entry = directory + 2 + index * 12;
    if (entry + 12 > tiff.length) return null;
    if (short(entry) !== orientationTag) continue;
    const value = short(entry + 8);
    return value >= 1 && value <= 8 ? value : null;
  }
  return null;
}
