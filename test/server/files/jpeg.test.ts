import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutMetadata } from '../../../server/files/jpeg.js';

const segment = (marker: number, content: Buffer): Buffer => {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([head, content]);
};

/** Exif, little-endian: how to turn the picture, and a place on the earth. */
function exif(orientation: number): Buffer {
  const tiff = Buffer.alloc(120);
  tiff.write('II*\0', 'latin1');
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(2, 8);
  tiff.writeUInt16LE(0x0112, 10);
  tiff.writeUInt16LE(3, 12);
  tiff.writeUInt32LE(1, 14);
  tiff.writeUInt16LE(orientation, 18);
  tiff.writeUInt16LE(0x8825, 22);
  tiff.write('GPS N 55.7558 E 37.6173', 60, 'latin1');
  return Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
}

const picture = Buffer.from([0x11, 0x22, 0xff, 0x00, 0x33, 0xff, 0xd9]);
const photo = Buffer.concat([
  Buffer.from([0xff, 0xd8]),
  segment(0xe0, Buffer.from('JFIF\0\x01\x02\0\0\x01\0\x01\0\0', 'latin1')),
  segment(0xe1, exif(6)),
  segment(0xe1, Buffer.from('http://ns.adobe.com/xap/1.0/\0<x exif:GPSLatitude="55,45N"/>', 'latin1')),
  segment(0xed, Buffer.from('Photoshop 3.0\0 city: Moscow', 'latin1')),
  segment(0xfe, Buffer.from('taken at home')),
  segment(0xda, Buffer.from([1, 1, 0, 0, 0x3f, 0])),
  picture,
]);

async function clean(bytes: Buffer, pieceBytes: number): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const out: Uint8Array[] = [];
  for await (const piece of withoutMetadata(pieces())) out.push(piece);
  return Buffer.concat(out);
}

describe('a photograph as it is served (F3)', () => {
  it('has no place, no author and no comment, and its size and picture as before', async () => {
    const served = await clean(photo, 16);
    expect(served).toHaveLength(photo.length);
    expect(served.subarray(-picture.length)).toEqual(picture);
    const text = served.toString('latin1');
    for (const told of ['GPS', '55.7', '55,45', 'Moscow', 'home', 'exif:']) expect(text).not.toContain(told);
  });

  it('still says how it must be turned', async () => {
    const served = await clean(photo, 1_000);
    const at = served.indexOf('Exif\0\0', 'latin1');
    expect(served.subarray(at + 6, at + 10).toString('latin1')).toBe('MM\0*');
    expect(served.readUInt16BE(at + 6 + 10)).toBe(0x0112);
    expect(served.readUInt16BE(at + 6 + 18)).toBe(6);
  });

  it('is the same in whatever pieces it is read, and keeps the length of anything that only looks like one', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 64 }),
        async (noise, size) => {
          const bytes = Buffer.concat([photo.subarray(0, noise.length), noise]);
          const served = await clean(bytes, size);
          expect(served).toHaveLength(bytes.length);
          expect(served).toEqual(await clean(bytes, bytes.length || 1));
        },
      ),
    ));
});
