const encoder = new TextEncoder();
export const byteLength = (text: string): number => encoder.encode(text).length;

/** Characters as people count them. Lone surrogates count one each. */
export function codePointLength(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}
