/**
 * What a file is, by its first bytes and never by its name or by what its sender said. Only what is certain gets a
 * type of its own. Everything a browser could run (HTML, SVG, XML, scripts) is `text/plain` or `application/octet-stream`:
 * a file that is two things at once is served as the harmless one.
 */

/** How many first bytes `sniffType` wants to see. */
export const sniffBytes = 4_096;

const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));

/** Bytes, where they begin, and the type; `null` stands for any byte. The first that fits wins. */
const signatures: readonly (readonly [offset: number, bytes: readonly (number | null)[], type: string])[] = [
  [0, [0x89, ...ascii('PNG\r\n\x1a\n')], 'image/png'],
  [0, [0xff, 0xd8, 0xff], 'image/jpeg'],
  [0, ascii('GIF87a'), 'image/gif'],
  [0, ascii('GIF89a'), 'image/gif'],
  [0, [...ascii('RIFF'), null, null, null, null, ...ascii('WEBP')], 'image/webp'],
  [0, [...ascii('RIFF'), null, null, null, null, ...ascii('WAVE')], 'audio/wav'],
  [0, ascii('II*\0'), 'image/tiff'],
  [0, ascii('MM\0*'), 'image/tiff'],
  [4, ascii('ftypavif'), 'image/avif'],
  [4, ascii('ftypheic'), 'image/heic'],
  [4, ascii('ftypM4A'), 'audio/mp4'],
  [4, ascii('ftypqt'), 'video/quicktime'],
  [4, ascii('ftyp'), 'video/mp4'],
  [0, [0x1a, 0x45, 0xdf, 0xa3], 'video/webm'],
  [0, ascii('OggS'), 'audio/ogg'],
  [0, ascii('ID3'), 'audio/mpeg'],
  [0, [0xff, 0xfb], 'audio/mpeg'],
  [0, [0xff, 0xf3], 'audio/mpeg'],
  [0, ascii('fLaC'), 'audio/flac'],
  [0, ascii('#!AMR'), 'audio/amr'],
  [0, ascii('%PDF-'), 'application/pdf'],
  [0, ascii('PK\x03\x04'), 'application/zip'],
  [0, ascii('PK\x05\x06'), 'application/zip'],
  [0, [0x1f, 0x8b], 'application/gzip'],
  [0, ascii('Rar!\x1a\x07'), 'application/vnd.rar'],
  [0, ascii("7z\xbc\xaf'\x1c"), 'application/x-7z-compressed'],
  [0, [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], 'application/x-ole-storage'],
  [0, ascii('{\\rtf'), 'application/rtf'],
];

/** Office documents are zips that name their kind in the first entries. */
const zipKinds: readonly (readonly [mark: string, type: string])[] = [
  ['word/', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['xl/', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['ppt/', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'],
  ['mimetypeapplication/vnd.oasis.opendocument.text', 'application/vnd.oasis.opendocument.text'],
  [
    'mimetypeapplication/vnd.oasis.opendocument.spreadsheet',
    'application/vnd.oasis.opendocument.spreadsheet',
  ],
];

export const inlineTypes: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
]);

/** The type of a file that begins with these bytes. `application/octet-stream` when nothing is certain. */
export function sniffType(head: Uint8Array): string {
  const found = signatures.find(([offset, bytes]) =>
    bytes.every((byte, index) => byte === null || head[offset + index] === byte),
  );
  const type = found?.[2];
  if (type === 'application/zip') return zipType(head);
  if (type !== undefined && !(inlineTypes.has(type) && looksLikeMarkup(head))) return type;
  if (type !== undefined) return 'application/octet-stream';
  return isText(head) ? 'text/plain' : 'application/octet-stream';
}

function zipType(head: Uint8Array): string {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  return zipKinds.find(([mark]) => text.includes(mark))?.[1] ?? 'application/zip';
}

/** An image whose first bytes hold a script or a page is a polyglot: it is not shown, only downloaded. */
function looksLikeMarkup(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1').toLowerCase();
  return /<(?:script|html|body|svg|iframe|!doctype)|^gif8[79]a\s*(?:=|\/\*)/.test(text);
}

function isText(head: Uint8Array): boolean {
  if (head.length === 0) return true;
  for (const byte of head) {
    if (byte === 0 || (byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d, 0x1b].includes(byte))) return false;
  }
  // A multi-byte character may be cut at the end of what was looked at.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    decoder.decode(head, { stream: true });
    return true;
  } catch {
    // Not UTF-8: some old 8-bit text, whose letters nobody can know. It is offered as bytes.
    return false;
  }
}
