import { decodeAs, decodeText, guessCharset } from './charset.js';
import type { Leaf } from './scan.js';

/**
 * Mends what the parser cannot read right, part by part, and leaves the rest of the letter byte for byte: text under a
 * wrong or unknown charset label becomes UTF-8, 8-bit headers become UTF-8, and files sent without an encoding are put
 * into base64, since their line breaks would otherwise be rewritten. The raw letter is kept as it came in any case.
 */
export function repairParts(bytes: Uint8Array, leaves: readonly Leaf[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const leaf of leaves) {
    const mended = mendLeaf(bytes, leaf);
    if (!mended) continue;
    pieces.push(bytes.subarray(from, leaf.headerStart), mended);
    from = leaf.bodyEnd;
  }
  if (pieces.length === 0) return bytes;
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/** The parser keeps each line as an object of its own: a million short ones took it ten seconds. */
const manyLines = 20_000;
/** Of base64 that is made here: as few lines as a line may be long. */
const lineLength = 60_000;

const isInlineText = (leaf: Leaf): boolean =>
  (leaf.type === 'text/plain' || leaf.type === 'text/html') && leaf.disposition !== 'attachment';

function mendLeaf(bytes: Uint8Array, leaf: Leaf): Uint8Array | null {
  const header = bytes.subarray(leaf.headerStart, leaf.bodyStart);
  const body = bytes.subarray(leaf.bodyStart, leaf.bodyEnd);
  const isPlain = !/base64|quoted-printable/.test(leaf.encoding);
  if (isInlineText(leaf)) {
    const { text, repaired } = decodeText(
      decodeTransfer(body, leaf.encoding),
      leaf.parameters.get('charset'),
    );
    if (repaired || leaf.lines > manyLines) {
      const kept = ['format', 'delsp'].flatMap((name) => {
        const value = leaf.parameters.get(name);
        return value && /^\w+$/.test(value) ? [`; ${name}=${value}`] : [];
      });
      const type = `Content-Type: ${leaf.type}; charset=utf-8${kept.join('')}`;
      return joined(header, ['content-type', 'content-transfer-encoding'], [type], Buffer.from(text));
    }
  } else if ((isPlain || leaf.lines > manyLines) && body.length > 0) {
    return joined(header, ['content-transfer-encoding'], [], decodeTransfer(body, leaf.encoding));
  }
  return isUtf8(header) ? null : Buffer.concat([asUtf8(header), body]);
}

/** The part with its headers in UTF-8, the named ones replaced, and its content in base64. */
function joined(
  header: Uint8Array,
  drop: readonly string[],
  add: readonly string[],
  content: Uint8Array,
): Uint8Array {
  const lines = asUtf8(header)
    .toString('utf8')
    .split(/\r?\n(?![ \t])/)
    .filter((line) => line !== '' && !drop.includes(line.slice(0, line.indexOf(':')).trim().toLowerCase()));
  const base64 = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('base64');
  const head = [...lines, ...add, 'Content-Transfer-Encoding: base64', '', ''].join('\r\n');
  return Buffer.from(`${head}${inLines(base64)}`);
}

function inLines(base64: string): string {
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += lineLength) lines.push(base64.slice(at, at + lineLength));
  return lines.join('\r\n');
}

const isUtf8 = (bytes: Uint8Array): boolean => {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
};

const asUtf8 = (bytes: Uint8Array): Buffer =>
  isUtf8(bytes) ? Buffer.from(bytes) : Buffer.from(decodeAs(guessCharset(bytes), bytes));

/** Content as it was before it was encoded for the way. Damaged encodings give what can be read of them. */
export function decodeTransfer(body: Uint8Array, encoding: string): Uint8Array {
  const text = () => Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  if (encoding.includes('base64')) {
    // Some programs end each piece of it with padding, at which the platform would stop.
    const pieces = text().split(/=+/);
    return Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64')));
  }
  if (encoding.includes('quoted-printable')) {
    // RFC 2045, 6.7: white space at the end of a line was added on the way; an equals sign there joins two lines.
    const lines = text().split('\n');
    const unfolded = lines
      .map((line, index) => {
        const kept = line.trimEnd();
        if (kept.endsWith('=')) return kept.slice(0, -1);
        return index === lines.length - 1 ? kept : `${kept}\n`;
      })
      .join('');
    return Buffer.from(
      unfolded.replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    );
  }
  return body;
}
