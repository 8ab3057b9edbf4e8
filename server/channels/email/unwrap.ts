/**
 * What programs put round a letter that they keep in a file of its own, and what the way did to its bytes: taken off
 * for reading. The letter is kept as it came all the same.
 */

const lf = 0x0a;
const cr = 0x0d;
const blank = new Set([lf, cr, 0x20, 0x09]);

/** The letter itself, as a mail host would have handed it on. */
export function unwrapped(bytes: Uint8Array): Uint8Array {
  const bare = withLineFeeds(withoutAppleFrame(bytes));
  return bare.subarray(beginningOf(bare));
}

/** Where the first line stands: behind a byte order mark and empty lines, which would end the headers before the first. */
export function beginningOf(bytes: Uint8Array): number {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let end = at; blank.has(bytes[end] ?? -1); end += 1) if (bytes[end] === lf) at = end + 1;
  return at;
}

/** `.emlx` of Apple Mail: the letter's length on a line of its own before it, a property list after it. */
function withoutAppleFrame(bytes: Uint8Array): Uint8Array {
  const first = bytes.indexOf(lf);
  if (first < 1 || first > 20) return bytes;
  const length = /^(\d{1,12})\s*$/.exec(Buffer.from(bytes.subarray(0, first)).toString('latin1'))?.[1];
  return length === undefined ? bytes : bytes.subarray(first + 1, first + 1 + Number(length));
}

/** Line ends of the old Macintosh: a carriage return alone, all through. */
function withLineFeeds(bytes: Uint8Array): Uint8Array {
  if (bytes.indexOf(cr) === -1 || bytes.indexOf(lf) !== -1) return bytes;
  return bytes.map((byte) => (byte === cr ? lf : byte));
}
