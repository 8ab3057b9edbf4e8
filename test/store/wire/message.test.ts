import { serialize } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../server/store/embedded/wire/crc32c.js';
import {
  createFramer,
  frameAnswer,
  readMessage,
  WireError,
} from '../../../server/store/embedded/wire/message.js';

interface Parts {
  flags?: number;
  sequence?: { name: string; documents: object[] };
}

/** An OP_MSG frame, as a driver sends it. */
function frame(command: object, { flags = 0, sequence }: Parts = {}): Buffer {
  const parts = [Buffer.from([0]), Buffer.from(serialize(command))];
  if (sequence) {
    const documents = Buffer.concat(sequence.documents.map((one) => serialize(one)));
    const name = Buffer.from(`${sequence.name}\0`);
    const size = Buffer.alloc(4);
    size.writeInt32LE(4 + name.length + documents.length);
    parts.push(Buffer.from([1]), size, name, documents);
  }
  const content = Buffer.concat(parts);
  const head = Buffer.alloc(20);
  const checksum = flags & 1 ? 4 : 0;
  head.writeInt32LE(20 + content.length + checksum, 0);
  head.writeInt32LE(7, 4);
  head.writeInt32LE(2013, 12);
  head.writeUInt32LE(flags, 16);
  const message = Buffer.concat([head, content]);
  if (!checksum) return message;
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(crc32c(message));
  return Buffer.concat([message, tail]);
}

describe('CRC-32C', () => {
  it('is the one of the standard', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });
});

describe('a message', () => {
  it('is read with its document sequences', () => {
    const message = readMessage(
      frame(
        { insert: 'a', $db: 'd' },
        { sequence: { name: 'documents', documents: [{ _id: 1 }, { _id: 2 }] } },
      ),
    );
    expect(message).toMatchObject({ requestId: 7, isSilent: false, isQuery: false });
    expect(message.sequences.get('documents')).toHaveLength(2);
    expect(message.body.equals(serialize({ insert: 'a', $db: 'd' }))).toBe(true);
  });

  it('says when its sender waits for no answer, and when it takes several', () => {
    expect(readMessage(frame({ ping: 1 }, { flags: 2 })).isSilent).toBe(true);
    expect(readMessage(frame({ hello: 1 }, { flags: 1 << 16 })).isExhaustAllowed).toBe(true);
  });

  it('is refused with a wrong checksum or a flag that nobody knows', () => {
    const right = frame({ ping: 1 }, { flags: 1 });
    expect(readMessage(right).hasChecksum).toBe(true);
    const wrong = Buffer.from(right);
    wrong[30] = wrong[30]! ^ 1;
    expect(() => readMessage(wrong)).toThrow(/checksum/);
    expect(() => readMessage(frame({ ping: 1 }, { flags: 8 }))).toThrow(/flag/);
  });

  it('comes out whole however its bytes arrive', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (cuts) => {
        const sent = [frame({ ping: 1 }), frame({ hello: 1, note: 'x'.repeat(90) }), frame({ ping: 2 })];
        const received: Buffer[] = [];
        const framer = createFramer((message) => received.push(Buffer.from(message)));
        const stream = Buffer.concat(sent);
        let at = 0;
        for (let turn = 0; at < stream.length; turn += 1) {
          const size = cuts[turn % cuts.length]!;
          framer(stream.subarray(at, at + size));
          at += size;
        }
        expect(received.map((one) => one.toString('hex'))).toEqual(sent.map((one) => one.toString('hex')));
      }),
    ));

  it('is read or refused, never more, whatever its bytes are', () =>
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 40 }), (where, byte, cut) => {
        const whole = frame({ insert: 'a' }, { sequence: { name: 'documents', documents: [{ _id: 1 }] } });
        const broken = Buffer.from(whole.subarray(0, whole.length - (cut < 20 ? cut : 0)));
        broken[4 + (where % (broken.length - 4))] = byte;
        try {
          readMessage(broken);
        } catch (error) {
          expect(error instanceof WireError || error instanceof RangeError).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    ));

  it('that claims more than the limit ends the stream before anything is kept', () => {
    const framer = createFramer(() => expect.unreachable());
    const head = Buffer.alloc(16);
    head.writeInt32LE(48_000_001);
    expect(() => framer(head)).toThrow(WireError);
  });

  it('is answered in the form in which it was asked', () => {
    const document = Buffer.from(serialize({ ok: 1 }));
    const { bytes } = frameAnswer({ requestId: 7, isQuery: false, hasChecksum: true }, document, true);
    expect(bytes.readInt32LE(8)).toBe(7);
    expect(bytes.readUInt32LE(16)).toBe(3);
    expect(readMessage(bytes).body.equals(document)).toBe(true);
    const old = frameAnswer({ requestId: 7, isQuery: true, hasChecksum: false }, document).bytes;
    expect(old.readInt32LE(12)).toBe(1);
    expect(old.subarray(36).equals(document)).toBe(true);
  });
});
