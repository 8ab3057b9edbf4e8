import { decodeWords } from 'postal-mime';
import { decodeText, decodeUtf7 } from './charset.js';

/** One header line, in the order of the letter. */
export interface HeaderLine {
  /** Lower case. */
  name: string;
  /** Unfolded, without line breaks; encoded words as they came. */
  value: string;
}

export interface HeaderBlock {
  lines: HeaderLine[];
  /** Where the body begins. */
  bodyStart: number;
  /** More lines than were read. */
  cut: boolean;
}

const lf = 0x0a;
const cr = 0x0d;
const namePattern = /^[!-9;-~]{1,200}$/;

/** Reads the lines up to the first empty one. At most `maxLines` headers and `maxBytes` are looked at. */
export function readHeaders(bytes: Uint8Array, maxLines: number, maxBytes = 1024 * 1024): HeaderBlock {
  const lines: HeaderLine[] = [];
  const limit = Math.min(bytes.length, maxBytes);
  let raw: Uint8Array[] = [];
  let at = 0;
  const take = () => {
    if (raw.length === 0) return;
    const line = headerLine(raw);
    if (line) lines.push(line);
    raw = [];
  };
  while (at < limit) {
    const found = bytes.indexOf(lf, at);
    const next = found === -1 ? bytes.length : found + 1;
    let end = found === -1 ? bytes.length : found;
    while (end > at && bytes[end - 1] === cr) end -= 1;
    if (end === at) {
      take();
      return { lines, bodyStart: next, cut: false };
    }
    const first = bytes[at];
    if (first !== 0x20 && first !== 0x09) {
      take();
      if (lines.length >= maxLines) return { lines, bodyStart: bytes.length, cut: true };
    }
    raw.push(bytes.subarray(at, Math.min(end, at + 64 * 1024)));
    at = next;
  }
  take();
  return { lines, bodyStart: bytes.length, cut: limit < bytes.length };
}

function headerLine(raw: readonly Uint8Array[]): HeaderLine | null {
  // RFC 5322, 2.2.3: unfolding removes the line break and keeps the white space after it.
  const { text } = decodeText(raw.length === 1 && raw[0] ? raw[0] : Buffer.concat(raw), 'utf-8');
  const colon = text.indexOf(':');
  if (colon <= 0) return null;
  let nameEnd = colon;
  while (text[nameEnd - 1] === ' ' || text[nameEnd - 1] === '\t') nameEnd -= 1;
  const name = text.slice(0, nameEnd);
  if (!namePattern.test(name)) return null;
  return { name: name.toLowerCase(), value: text.slice(colon + 1).trim() };
}

/** All values of a header, in order. */
export const allOf = (lines: readonly HeaderLine[], name: string): string[] =>
  lines.flatMap((line) => (line.name === name ? [line.value] : []));

export const firstOf = (lines: readonly HeaderLine[], name: string): string | undefined =>
  lines.find((line) => line.name === name)?.value;

/** Characters that break a line or steer a terminal or a text direction have no place in a header that is shown. */
const steering = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/** A header value as people read it: encoded words decoded, on one line. */
export function readable(value: string): string {
  const words = value
    .slice(0, 16_384)
    // UTF-7 in an encoded word: no platform decodes it, and it is what old attacks and old phones used.
    .replace(
      /=\?(?:unicode-1-1-)?utf-7(?:\*[^?]*)?\?([bq])\?([^?]*)\?=/gi,
      (_, kind: string, data: string) => {
        const text =
          kind.toLowerCase() === 'b' ? Buffer.from(data, 'base64').toString('latin1') : decodeQ(data);
        return `=?utf-8?B?${Buffer.from(decodeUtf7(text)).toString('base64')}?=`;
      },
    );
  return decodeWords(words).toWellFormed().replace(steering, ' ').replace(/\s+/g, ' ').trim();
}

const decodeQ = (data: string): string =>
  data
    .replace(/_/g, ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** `type/subtype; name=value`: the value in lower case and the parameters, the first of each name. */
export function readParameters(value: string): { value: string; parameters: Map<string, string> } {
  const parameters = new Map<string, string>();
  const pieces = splitOutsideQuotes(withoutComments(value), ';');
  for (const piece of pieces.slice(1, 100)) {
    const equals = piece.indexOf('=');
    if (equals < 1) continue;
    const name = piece.slice(0, equals).trim().toLowerCase();
    const text = unquoted(piece.slice(equals + 1).trim());
    if (!parameters.has(name)) parameters.set(name, text);
  }
  return { value: (pieces[0] ?? '').trim().toLowerCase(), parameters };
}

/** RFC 5322, 3.2.2: comments nest. An unclosed one ends with the value. */
export function withoutComments(text: string): string {
  let kept = '';
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\' && (quoted || depth > 0)) {
      if (depth === 0) kept += character + (text[at + 1] ?? '');
      at += 1;
    } else if (character === '"' && depth === 0) {
      quoted = !quoted;
      kept += character;
    } else if (character === '(' && !quoted) {
      depth += 1;
    } else if (character === ')' && !quoted && depth > 0) {
      depth -= 1;
      kept += ' ';
    } else if (depth === 0) {
      kept += character;
    }
  }
  return kept;
}

export function splitOutsideQuotes(text: string, separator: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\' && quoted) at += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      pieces.push(text.slice(start, at));
      start = at + 1;
    }
  }
  pieces.push(text.slice(start));
  return pieces;
}

/** A quoted string without its quotes; white space after it is no part of it. */
export function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  let value = '';
  for (let at = 1; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '"') return value;
    if (character === '\\') {
      at += 1;
      value += text[at] ?? '';
    } else {
      value += character;
    }
  }
  return value;
}
