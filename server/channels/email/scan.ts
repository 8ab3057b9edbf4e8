import { limits } from '../../../shared/limits.js';
import { firstOf, readHeaders, readParameters } from './headers.js';

/**
 * Looks through a letter's structure line by line, before any parser builds a tree of it: what would be a bomb is
 * named here in one pass and constant memory. It draws the borders of parts as postal-mime does, since `repair` puts
 * mended parts in their place.
 */

/** A part that is no multipart. Offsets into the letter. */
export interface Leaf {
  headerStart: number;
  bodyStart: number;
  bodyEnd: number;
  /** Lines of its body. */
  lines: number;
  /** Lower case; `text/plain` when the letter says nothing. */
  type: string;
  parameters: Map<string, string>;
  /** Lower case: `base64`, `quoted-printable`, or something else. */
  encoding: string;
  disposition: string;
}

export type Unread =
  | 'too_large'
  | 'too_many_parts'
  | 'too_deep'
  | 'too_many_headers'
  | 'malformed'
  | 'not_mail';
export type Scan = { leaves: Leaf[] } | { unread: Unread };

interface Node {
  parent: Node | null;
  depth: number;
  headerStart: number;
  /** -1 while its headers are being read. */
  bodyStart: number;
  boundary: Uint8Array | null;
  isDigest: boolean;
  leaf: Leaf | null;
}

const dash = 0x2d;
const headerBytesPerLetter = 1024 * 1024;
/** Before the first part and after the last one: a sentence for old programs, not a book. */
const strayLinesAtMost = 100_000;

export function scanStructure(bytes: Uint8Array): Scan {
  const leaves: Leaf[] = [];
  const open: Node[] = [];
  let current = makeNode(null, 0);
  let parts = 1;
  let headerLines = 0;
  let headerBytes = 0;
  let strayLines = 0;
  let at = 0;
  /** End of the line before, without its line break: the break before a boundary belongs to the boundary. */
  let lineEnd = 0;

  const closeLeaf = (end: number) => {
    if (current.bodyStart === -1) readNode(bytes, current, end, open, leaves);
    if (current.leaf && current.leaf.bodyEnd === -1) {
      current.leaf.bodyEnd = Math.max(end, current.leaf.bodyStart);
    }
  };

  while (at < bytes.length) {
    const found = bytes.indexOf(0x0a, at);
    const next = found === -1 ? bytes.length : found + 1;
    let end = found === -1 ? bytes.length : found;
    while (end > at && bytes[end - 1] === 0x0d) end -= 1;

    const match =
      open.length > 0 && bytes[at] === dash && bytes[at + 1] === dash
        ? boundaryAt(bytes, at, end, open)
        : null;
    if (match) {
      closeLeaf(lineEnd);
      open.length = match.index + (match.isLast ? 0 : 1);
      const { node } = match;
      if (match.isLast) {
        current = node.parent ?? finished(node);
      } else {
        parts += 1;
        if (parts > limits.emailParts) return { unread: 'too_many_parts' };
        if (node.depth + 1 > limits.emailDepth) return { unread: 'too_deep' };
        current = makeNode(node, next);
      }
    } else if (current.bodyStart === -1) {
      if (end === at) {
        readNode(bytes, current, next, open, leaves);
      } else {
        headerBytes += next - at;
        if (bytes[at] !== 0x20 && bytes[at] !== 0x09) headerLines += 1;
        const isTooMany = headerLines > limits.emailHeaders + parts * 20;
        if (isTooMany || headerBytes > headerBytesPerLetter) return { unread: 'too_many_headers' };
      }
    }
    if (current.leaf && current.bodyStart !== -1) current.leaf.lines += 1;
    else if (current.bodyStart !== -1) strayLines += 1;
    if (strayLines > strayLinesAtMost) return { unread: 'malformed' };
    lineEnd = end;
    at = next;
  }
  closeLeaf(bytes.length);
  for (const leaf of leaves) if (leaf.bodyEnd === -1) leaf.bodyEnd = Math.max(leaf.bodyStart, bytes.length);
  return { leaves };
}

const makeNode = (parent: Node | null, headerStart: number): Node => ({
  parent,
  depth: parent ? parent.depth + 1 : 0,
  headerStart,
  bodyStart: -1,
  boundary: null,
  isDigest: false,
  leaf: null,
});

/** What stands after the last boundary belongs to nobody. */
const finished = (node: Node): Node => ({ ...node, bodyStart: 0, boundary: null, leaf: null });

function readNode(bytes: Uint8Array, node: Node, bodyStart: number, open: Node[], leaves: Leaf[]): void {
  node.bodyStart = bodyStart;
  const { lines } = readHeaders(bytes.subarray(node.headerStart, bodyStart), limits.emailHeaders);
  const byDefault = node.parent?.isDigest ? 'message/rfc822' : 'text/plain';
  const type = readParameters(firstOf(lines, 'content-type') ?? byDefault);
  const boundary = type.parameters.get('boundary');
  if (type.value.startsWith('multipart/')) {
    node.isDigest = type.value === 'multipart/digest';
    if (boundary) {
      node.boundary = Buffer.from(boundary);
      open.push(node);
    }
    return;
  }
  node.leaf = {
    headerStart: node.headerStart,
    bodyStart,
    bodyEnd: -1,
    lines: 0,
    type: type.value || byDefault,
    parameters: type.parameters,
    encoding: /[\w-]+/.exec((firstOf(lines, 'content-transfer-encoding') ?? '').toLowerCase())?.[0] ?? '',
    disposition: readParameters(firstOf(lines, 'content-disposition') ?? '').value,
  };
  leaves.push(node.leaf);
}

/** The innermost open boundary that this line is, allowing for white space at its end (RFC 2046, 5.1.1). */
function boundaryAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  open: readonly Node[],
): { index: number; node: Node; isLast: boolean } | null {
  for (let index = open.length - 1; index >= 0; index -= 1) {
    const node = open[index];
    const boundary = node?.boundary;
    if (!node || !boundary || end - start < boundary.length + 2) continue;
    if (!startsWith(bytes, start + 2, boundary)) continue;
    let after = start + 2 + boundary.length;
    const isLast = bytes[after] === dash && bytes[after + 1] === dash && after + 2 <= end;
    if (isLast) after += 2;
    while (after < end && (bytes[after] === 0x20 || bytes[after] === 0x09)) after += 1;
    if (after === end) return { index, node, isLast };
  }
  return null;
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index += 1)
    if (bytes[at + index] !== prefix[index]) return false;
  return true;
}
