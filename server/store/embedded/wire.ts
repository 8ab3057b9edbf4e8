import { deserialize, serialize } from 'bson';
import type { Doc } from './values.js';

/**
 * MongoDB's wire protocol: OP_MSG both ways, OP_QUERY only for a driver's first handshake. Lengths are checked against
 * the bytes that are there before anything is allocated.
 */

const headerBytes = 16;
const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;
const maxMessageBytes = 48_000_000;

export interface Request {
  requestId: number;
  command: Doc;
  /** The sender does not wait for an answer. */
  silent: boolean;
  isQuery: boolean;
}

const options = { promoteValues: false, promoteBuffers: false, bsonRegExp: true } as const;
export const decode = (bytes: Uint8Array): Doc => deserialize(bytes, options) as Doc;
export const encode = (doc: Doc): Buffer => Buffer.from(serialize(doc, { ignoreUndefined: true }));

class WireError extends Error {}

/** Cuts a stream of bytes into messages. @throws when a frame lies about its length: the connection is then closed */
export function createFramer(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let held = 0;
  let wanted = 0;
  return (chunk) => {
    parts.push(chunk);
    held += chunk.length;
    for (;;) {
      if (wanted === 0) {
        if (held < 4) return;
        if (parts[0]!.length < 4) parts = [Buffer.concat(parts)];
        wanted = parts[0]!.readInt32LE(0);
        if (wanted < headerBytes || wanted > maxMessageBytes)
          throw new WireError(`a message of ${wanted} bytes`);
      }
      if (held < wanted) return;
      const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const message = all.subarray(0, wanted);
      const rest = all.subarray(wanted);
      parts = rest.length > 0 ? [rest] : [];
      held = rest.length;
      wanted = 0;
      onMessage(message);
    }
  };
}

function documentAt(bytes: Buffer, at: number): { doc: Buffer; end: number } {
  if (at + 5 > bytes.length) throw new WireError('a document beyond the end');
  const length = bytes.readInt32LE(at);
  if (length < 5 || at + length > bytes.length) throw new WireError(`a document of ${length} bytes`);
  return { doc: bytes.subarray(at, at + length), end: at + length };
}

/** @throws when the message is not well-formed */
export function readRequest(message: Buffer): Request {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === opMsg) return readMsg(message, requestId);
  if (opCode !== opQuery) throw new WireError(`op code ${opCode}`);
  const nameEnd = message.indexOf(0, 20);
  if (nameEnd < 0) throw new WireError('a name without an end');
  const command = decode(documentAt(message, nameEnd + 9).doc);
  return { requestId, command, silent: false, isQuery: true };
}

function readMsg(message: Buffer, requestId: number): Request {
  const flags = message.readUInt32LE(16);
  if (flags & 0xfffc) throw new WireError('an unknown flag');
  const end = flags & 1 ? message.length - 4 : message.length;
  const body = message.subarray(0, end);
  let command: Doc | null = null;
  const sequences: [string, Doc[]][] = [];
  for (let at = 20; at < end; ) {
    const kind = body[at]!;
    if (kind === 0) {
      const { doc, end: next } = documentAt(body, at + 1);
      if (command) throw new WireError('two bodies');
      command = decode(doc);
      at = next;
    } else if (kind === 1) {
      if (at + 5 > end) throw new WireError('a section beyond the end');
      const size = body.readInt32LE(at + 1);
      const sectionEnd = at + 1 + size;
      const nameEnd = body.indexOf(0, at + 5);
      if (size < 5 || sectionEnd > end || nameEnd < 0 || nameEnd >= sectionEnd)
        throw new WireError('a broken section');
      const docs: Doc[] = [];
      for (let inner = nameEnd + 1; inner < sectionEnd; ) {
        const { doc, end: next } = documentAt(body, inner);
        docs.push(decode(doc));
        inner = next;
      }
      sequences.push([body.toString('utf8', at + 5, nameEnd), docs]);
      at = sectionEnd;
    } else throw new WireError(`section kind ${kind}`);
  }
  if (!command) throw new WireError('no body');
  for (const [name, docs] of sequences) command[name] = docs;
  return { requestId, command, silent: (flags & 2) !== 0, isQuery: false };
}

let nextRequestId = 1;

/** An answer's bytes: a document already encoded, framed. */
export function frame(to: Request, document: Buffer): Buffer {
  const prefix = to.isQuery ? 20 : 5;
  const head = Buffer.alloc(headerBytes + prefix);
  head.writeInt32LE(head.length + document.length, 0);
  head.writeInt32LE(nextRequestId, 4);
  nextRequestId = (nextRequestId + 1) | 0;
  head.writeInt32LE(to.requestId, 8);
  head.writeInt32LE(to.isQuery ? opReply : opMsg, 12);
  if (to.isQuery) {
    head.writeInt32LE(8, 16); // flags: awaitCapable
    head.writeInt32LE(1, 32); // one document
  }
  return Buffer.concat([head, document]);
}
