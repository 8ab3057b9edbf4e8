import { crc32c } from './crc32c.js';

/**
 * MongoDB's wire protocol: OP_MSG both ways, OP_QUERY only for a driver's first handshake. Every length is checked
 * against the bytes that are there before anything is allocated or read. Documents stay bytes here.
 */

const headerBytes = 16;
const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;

export const maxMessageBytes = 48_000_000;

const checksumPresent = 1;
const moreToCome = 2;
const exhaustAllowed = 1 << 16;

/** What a peer sent is not the protocol. Nothing that follows on its connection can be trusted. */
export class WireError extends Error {}

export interface Message {
  requestId: number;
  /** The command, without its document sequences. */
  body: Buffer;
  /** Document sequences by name: long lists travel beside the command. */
  sequences: Map<string, Buffer[]>;
  /** The sender does not wait for an answer. */
  isSilent: boolean;
  /** The sender takes several answers to one request. */
  isExhaustAllowed: boolean;
  hasChecksum: boolean;
  /** The old handshake: answered by OP_REPLY. */
  isQuery: boolean;
}

/**
 * Cuts a stream of bytes into messages.
 *
 * @param mostBytes what a message may have, asked for at its beginning
 * @throws WireError when a frame lies about its length, or is longer than it may be
 */
export function createFramer(
  onMessage: (message: Buffer) => void,
  mostBytes: () => number = () => maxMessageBytes,
): (chunk: Buffer) => void {
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
        if (wanted < headerBytes || wanted > mostBytes()) throw new WireError(`a message of ${wanted} bytes`);
      }
      if (held < wanted) return;
      const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts, held);
      const message = all.subarray(0, wanted);
      const rest = all.subarray(wanted);
      parts = rest.length > 0 ? [rest] : [];
      held = rest.length;
      wanted = 0;
      onMessage(message);
    }
  };
}

function documentAt(bytes: Buffer, at: number, end: number): Buffer {
  if (at + 5 > end) throw new WireError('a document beyond the end');
  const length = bytes.readInt32LE(at);
  if (length < 5 || at + length > end || bytes[at + length - 1] !== 0)
    throw new WireError(`a document of ${length} bytes`);
  return bytes.subarray(at, at + length);
}

/** @throws WireError when the message is not well-formed */
export function readMessage(message: Buffer): Message {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === opMsg) return readMsg(message, requestId);
  if (opCode !== opQuery) throw new WireError(`op code ${opCode}`);
  if (message.length < 25) throw new WireError('a query cut short');
  const nameEnd = message.indexOf(0, 20);
  if (nameEnd < 0) throw new WireError('a name without an end');
  return {
    requestId,
    body: documentAt(message, nameEnd + 9, message.length),
    sequences: new Map(),
    isSilent: false,
    isExhaustAllowed: false,
    hasChecksum: false,
    isQuery: true,
  };
}

function readMsg(message: Buffer, requestId: number): Message {
  if (message.length < 26) throw new WireError('a message cut short');
  const flags = message.readUInt32LE(16);
  // The lower half names what a reader must understand.
  if (flags & 0xfffc) throw new WireError('an unknown flag');
  const hasChecksum = (flags & checksumPresent) !== 0;
  const end = hasChecksum ? message.length - 4 : message.length;
  if (hasChecksum && message.readUInt32LE(end) !== crc32c(message, end))
    throw new WireError('a wrong checksum');
  let body: Buffer | null = null;
  const sequences = new Map<string, Buffer[]>();
  for (let at = 20; at < end; ) {
    const kind = message[at]!;
    if (kind === 0) {
      if (body) throw new WireError('two bodies');
      body = documentAt(message, at + 1, end);
      at += 1 + body.length;
    } else if (kind === 1) at = readSequence(message, at + 1, end, sequences);
    else throw new WireError(`section kind ${kind}`);
  }
  if (!body) throw new WireError('no body');
  return {
    requestId,
    body,
    sequences,
    isSilent: (flags & moreToCome) !== 0,
    isExhaustAllowed: (flags & exhaustAllowed) !== 0,
    hasChecksum,
    isQuery: false,
  };
}

function readSequence(bytes: Buffer, start: number, end: number, into: Map<string, Buffer[]>): number {
  if (start + 5 > end) throw new WireError('a section beyond the end');
  const size = bytes.readInt32LE(start);
  const sectionEnd = start + size;
  const nameEnd = bytes.indexOf(0, start + 4);
  if (size < 5 || sectionEnd > end || nameEnd < 0 || nameEnd >= sectionEnd)
    throw new WireError('a broken section');
  const name = bytes.toString('utf8', start + 4, nameEnd);
  if (into.has(name)) throw new WireError(`two sequences called ${name}`);
  const documents: Buffer[] = [];
  for (let at = nameEnd + 1; at < sectionEnd; ) {
    const document = documentAt(bytes, at, sectionEnd);
    documents.push(document);
    at += document.length;
  }
  into.set(name, documents);
  return sectionEnd;
}

let nextRequestId = 1;

/** An answer's bytes: an encoded document in a frame. `hasMore`: another answer to the same request follows. */
export function frameAnswer(
  to: Pick<Message, 'requestId' | 'isQuery' | 'hasChecksum'>,
  document: Buffer,
  hasMore = false,
): { bytes: Buffer; requestId: number } {
  const requestId = nextRequestId;
  nextRequestId = (nextRequestId + 1) & 0x7fffffff;
  const prefix = to.isQuery ? 20 : 5;
  const start = headerBytes + prefix;
  const bytes = Buffer.allocUnsafe(start + document.length + (to.hasChecksum ? 4 : 0));
  bytes.fill(0, 0, start);
  bytes.writeInt32LE(bytes.length, 0);
  bytes.writeInt32LE(requestId, 4);
  bytes.writeInt32LE(to.requestId, 8);
  bytes.writeInt32LE(to.isQuery ? opReply : opMsg, 12);
  if (to.isQuery) {
    bytes.writeInt32LE(8, 16); // awaitCapable
    bytes.writeInt32LE(1, 32); // one document
  } else bytes.writeUInt32LE((to.hasChecksum ? checksumPresent : 0) | (hasMore ? moreToCome : 0), 16);
  document.copy(bytes, start);
  if (to.hasChecksum) bytes.writeUInt32LE(crc32c(bytes, bytes.length - 4), bytes.length - 4);
  return { bytes, requestId };
}
