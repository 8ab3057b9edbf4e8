/**
 * Bytes to text, whatever the label says. A label that cannot be right (unknown, plain ASCII over 8-bit bytes, UTF-8
 * that is not) is replaced by the best guess: a letter with a wrong label is still a letter that somebody wrote.
 */

export interface DecodedText {
  text: string;
  /** What it was decoded as. */
  charset: string;
  /** The label was missing or wrong, and the charset is a guess (or one that platforms do not know, as UTF-7). */
  repaired: boolean;
}

const aliases: Record<string, string> = {
  cp866: 'ibm866',
  dos866: 'ibm866',
  ansicyrillic: 'windows-1251',
  cyrillicwindows: 'windows-1251',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  cp932: 'shift_jis',
  windows31j: 'shift_jis',
  cp936: 'gbk',
  ms936: 'gbk',
  cp949: 'euc-kr',
  uhc: 'euc-kr',
  cp950: 'big5',
  iso2022jp1: 'iso-2022-jp',
  iso2022jp2: 'iso-2022-jp',
  iso2022jpms: 'iso-2022-jp',
  cp50220: 'iso-2022-jp',
  cp50221: 'iso-2022-jp',
  eucjp: 'euc-jp',
  euckr: 'euc-kr',
  tis620: 'windows-874',
  macroman: 'macintosh',
  maccyrillic: 'x-mac-cyrillic',
  iso88598i: 'iso-8859-8-i',
  utf8mb4: 'utf-8',
};

/** Labels that say "seven bits": nothing follows from them once a byte has eight. */
const sevenBit = new Set([
  '',
  'us-ascii',
  'ascii',
  'ansi_x3.4-1968',
  '7bit',
  '8bit',
  'unknown-8bit',
  'x-unknown',
]);
const latin1 = new Set(['iso-8859-1', 'iso8859-1', 'latin1', 'l1', 'windows-1252', 'cp1252']);
const decoders = new Map<string, TextDecoder | null>();

/** A strict decoder for the label; null when the platform knows none. */
function decoderFor(label: string): TextDecoder | null {
  const squeezed = label.replace(/^(?:x-|cs)/, '').replace(/[\s._-]+/g, '');
  const name = aliases[squeezed] ?? label;
  const known = decoders.get(name);
  if (known !== undefined) return known;
  let decoder: TextDecoder | null = null;
  try {
    // A byte order mark stays: swallowed at the begin of a header line, it would let a second From line through.
    decoder = new TextDecoder(name, { fatal: true, ignoreBOM: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  // A letter chooses its labels: without a bound it could fill the table.
  if (decoders.size < 200) decoders.set(name, decoder);
  return decoder;
}

function strictly(decoder: TextDecoder, bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

const isSevenBit = (bytes: Uint8Array): boolean => {
  for (const byte of bytes) if (byte > 127) return false;
  return true;
};
const hasEscape = (bytes: Uint8Array): boolean => bytes.includes(0x1b);

/** Decodes with the label when it fits, else with the best guess. Never throws; what nobody can read is U+FFFD. */
export function decodeText(bytes: Uint8Array, givenLabel: string | undefined): DecodedText {
  const label = (givenLabel ?? '')
    .trim()
    .toLowerCase()
    .replace(/^["']|["']$/g, '')
    .replace(/\*.*$/, '');
  if (/^(?:x-)?(?:unicode-1-1-)?utf-?7$/.test(label)) {
    return { text: decodeUtf7(latin1Text(bytes)), charset: 'utf-7', repaired: true };
  }
  const decoder = sevenBit.has(label) || (latin1.has(label) && isUtf8(bytes)) ? null : decoderFor(label);
  const text = decoder && strictly(decoder, bytes);
  if (decoder && text !== null) {
    const whole = asWindows(text, decoder.encoding);
    return { text: whole, charset: decoder.encoding, repaired: whole !== text };
  }
  if (isSevenBit(bytes) && !hasEscape(bytes)) {
    return { text: latin1Text(bytes), charset: 'us-ascii', repaired: false };
  }
  // One bad byte in a long letter is a damaged letter, not another charset.
  const lenient = decoder && mostlyRight(decoder.encoding, bytes);
  if (decoder && lenient) return { text: lenient, charset: decoder.encoding, repaired: true };
  const charset = guessCharset(bytes);
  return { text: decodeAs(charset, bytes), charset, repaired: true };
}

/** Decodes as exactly this; what does not fit is U+FFFD. */
export const decodeAs = (charset: string, bytes: Uint8Array): string =>
  asWindows(new TextDecoder(charset).decode(bytes), charset);

const windowsSigns = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/**
 * The Encoding Standard reads ISO 8859-1 as windows-1252; Node 20 reads windows-1252 as ISO 8859-1, and makes control
 * characters of quotation marks and of the euro sign. Nobody writes those control characters.
 */
const asWindows = (text: string, charset: string): string =>
  charset === 'windows-1252'
    ? text.replace(/[\u0080-\u009f]/g, (sign) => windowsSigns[sign.charCodeAt(0) - 0x80] ?? sign)
    : text;

const latin1Text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** Valid UTF-8 with at least one character that takes several bytes: that does not happen by chance. */
function isUtf8(bytes: Uint8Array): boolean {
  if (isSevenBit(bytes)) return false;
  const decoder = decoderFor('utf-8');
  return decoder !== null && strictly(decoder, bytes) !== null;
}

function mostlyRight(encoding: string, bytes: Uint8Array): string | null {
  const text = new TextDecoder(encoding).decode(bytes);
  let bad = 0;
  let foreign = 0;
  for (const character of text) {
    if (character === '\ufffd') bad += 1;
    else if (character > '\u007f') foreign += 1;
  }
  return bad <= foreign / 8 ? text : null;
}

/** The letters that Russian is mostly made of. Read in a wrong charset, text has other ones. */
const commonCyrillic = new Set('оеаинтсрвлкмдпуяыьгзбчйОеАИНТСВПЗ');
const cyrillicCharsets = ['windows-1251', 'koi8-r', 'ibm866', 'iso-8859-5'] as const;

/** The likeliest charset of 8-bit text (or of text with escape sequences). */
export function guessCharset(bytes: Uint8Array): string {
  const sample = bytes.subarray(0, 64 * 1024);
  if (/\x1b\$[@B]/.test(latin1Text(sample))) return 'iso-2022-jp';
  if (isUtf8(trimToCharacters(sample))) return 'utf-8';
  const wide = guessWide(sample);
  if (wide) return wide;
  if (!runsTogether(sample)) return 'windows-1252';
  let best = { charset: 'windows-1252', score: 0.5 };
  for (const charset of cyrillicCharsets) {
    const score = cyrillicScore(new TextDecoder(charset).decode(sample));
    if (score > best.score) best = { charset, score };
  }
  return best.charset;
}

/** A sample may end in the middle of a character. */
function trimToCharacters(sample: Uint8Array): Uint8Array {
  let end = sample.length;
  while (end > 0 && sample.length - end < 4 && (sample[end - 1] ?? 0) >= 0x80) end -= 1;
  return end > 0 && sample.length === 64 * 1024 ? sample.subarray(0, end) : sample;
}

/** In a language of another script high bytes stand side by side; in Latin languages they are scattered accents. */
function runsTogether(bytes: Uint8Array): boolean {
  let high = 0;
  let together = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if ((bytes[at] ?? 0) < 128) continue;
    high += 1;
    if ((bytes[at - 1] ?? 0) >= 128 || (bytes[at + 1] ?? 0) >= 128) together += 1;
  }
  return together > high * 0.6;
}

function cyrillicScore(text: string): number {
  let foreign = 0;
  let score = 0;
  let before = '';
  for (const character of text) {
    if (character > '\u007f') {
      foreign += 1;
      if (commonCyrillic.has(character)) score += 1;
      else if (!/\p{Script=Cyrillic}|[№«»—–…“”„]/u.test(character)) score -= 1;
      // aБ: a capital in the middle of a word means that the cases are swapped, which is koi8 read as 1251.
      if (/\p{Lu}/u.test(character) && /\p{Ll}/u.test(before)) score -= 1;
    }
    before = character;
  }
  return foreign === 0 ? 0 : score / foreign;
}

/** Japanese shows by its kana, Korean by its syllables, Chinese by its commonest characters. */
function guessWide(bytes: Uint8Array): string | null {
  const share = (charset: string, pattern: RegExp): number => {
    const decoder = decoderFor(charset);
    const text = decoder && strictly(decoder, bytes);
    if (!text) return 0;
    const foreign = [...text].filter((character) => character > '\u007f');
    return foreign.length < 2
      ? 0
      : foreign.filter((character) => pattern.test(character)).length / foreign.length;
  };
  const kana = /[\u3040-\u30ff]/;
  if (share('shift_jis', kana) > 0.3) return 'shift_jis';
  if (share('euc-jp', kana) > 0.3) return 'euc-jp';
  const common =
    /[的一是不了在人有我他这中大来上个国和说们为子你地出道也时年得就那要下以生会自着去之过家学对可她里后您好订单请问]|[、。，！？：；「」（）]/;
  if (share('gb18030', common) > 0.25) return 'gb18030';
  if (
    share(
      'big5',
      /[的一是不了在人有我他這中大來上個國和說們為子你地出道也時年得就那要下以生會自著去之過家學對可您好]|[、。，！？：；「」]/,
    ) > 0.25
  ) {
    return 'big5';
  }
  // Cyrillic read as Korean gives hanja, real Korean almost only syllables and an ASCII space between words.
  if (share('euc-kr', /[\uac00-\ud7a3]/) > 0.95 && bytes.includes(0x20)) return 'euc-kr';
  return null;
}

/** RFC 2152. What does not decode stays as it stands. */
export function decodeUtf7(text: string): string {
  return text.replace(/\+([A-Za-z0-9+/]*)-?/g, (whole: string, base64: string) => {
    if (base64 === '') return whole === '+-' ? '+' : whole;
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length < 2) return whole;
    return new TextDecoder('utf-16be').decode(bytes.subarray(0, bytes.length - (bytes.length % 2)));
  });
}
