/**
 * HTML to the text that a person would copy out of it. One pass, no tree, no recursion: nothing in it can grow faster
 * than the letter. It is for reading, searching and folding; the HTML itself is kept as it came.
 */

export interface TextOfHtml {
  text: string;
  /** Where, in `text`, a mail program marked the begin of the letter that is answered; absent when none did. */
  quoteStart?: number;
}

const skipped = new Set([
  'script',
  'style',
  'head',
  'title',
  'noscript',
  'template',
  'svg',
  'math',
  'object',
  'select',
  'textarea',
  'iframe',
]);
const blocks = new Set(
  'address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section table tbody tfoot thead tr ul'.split(
    ' ',
  ),
);
/** Elements that stand apart by an empty line. */
const spaced = new Set(['p', 'blockquote', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'dl', 'pre']);
const maxQuoteDepth = 20;

/** Ids and classes that Outlook, Apple, Yahoo, Proton and others give to what they quote without a `blockquote`. */
const quoteMark =
  /\b(?:id\s*=\s*["']?(?:divRplyFwdMsg|appendonsend|OLK_SRC_BODY_SECTION|mail-editor-reference-message-container|reply-intro|[\w-]*yahoo_quoted_\d+)\b|class\s*=\s*["'][^"']*\b(?:[\w-]*yahoo_quoted|protonmail_quote|zmail_extra|tutanota_quote|moz-cite-prefix|gmail_attr)\b)/i;

export function htmlToText(html: string): TextOfHtml {
  const lines: string[] = [];
  let line = '';
  let depth = 0;
  let quoteLine = -1;
  let preformatted = 0;
  let at = 0;

  const breakLine = () => {
    const shown = preformatted > 0 ? line.trimEnd() : line.trim();
    if (depth > 0) lines.push(`${'> '.repeat(depth)}${shown}`.trimEnd());
    else lines.push(shown);
    line = '';
  };
  const endBlock = () => {
    if (line.trim() !== '') breakLine();
    else line = '';
  };
  const emptyLine = () => {
    endBlock();
    const bare = '> '.repeat(depth).trimEnd();
    if (lines.length > 0 && lines.at(-1) !== bare) lines.push(bare);
  };

  while (at < html.length) {
    const open = html.indexOf('<', at);
    const stop = open === -1 ? html.length : open;
    if (stop > at) {
      const text = decodeEntities(html.slice(at, stop));
      if (preformatted > 0) {
        const [first = '', ...rest] = text.split(/\r?\n/);
        line += first;
        for (const next of rest) {
          breakLine();
          line = next;
        }
      } else {
        const squeezed = text.replace(/[ \t\r\n\f]+/g, ' ');
        line += line === '' || line.endsWith(' ') ? squeezed.replace(/^ /, '') : squeezed;
      }
    }
    if (open === -1) break;
    const tag = tagAt(html, open);
    at = tag.end;
    if (tag.name === '') continue;
    if (skipped.has(tag.name)) {
      if (!tag.isEnd && !tag.isClosed) at = endOf(html, tag.name, tag.end);
      continue;
    }
    if (tag.name === 'br') breakLine();
    else if (tag.name === 'td' || tag.name === 'th') line += line === '' || tag.isEnd ? '' : ' ';
    else if (tag.name === 'img' && !tag.isEnd) line += altOf(tag.attributes);
    else if (blocks.has(tag.name)) {
      if (spaced.has(tag.name) && (lines.length > 0 || line !== '')) emptyLine();
      else endBlock();
      if (tag.name === 'hr') {
        line = '_'.repeat(32);
        endBlock();
      }
      if (tag.name === 'li' && !tag.isEnd) line = '• ';
      if (tag.name === 'pre') preformatted = Math.max(0, preformatted + (tag.isEnd ? -1 : 1));
      if (tag.name === 'blockquote')
        depth = Math.min(maxQuoteDepth, Math.max(0, depth + (tag.isEnd ? -1 : 1)));
    }
    if (!tag.isEnd && quoteLine === -1 && quoteMark.test(tag.attributes)) {
      endBlock();
      quoteLine = lines.length;
    }
  }
  endBlock();
  return assembled(lines, quoteLine);
}

/** At most one empty line in a row, none at the ends. */
function assembled(lines: readonly string[], quoteLine: number): TextOfHtml {
  let text = '';
  let quoteStart = -1;
  let emptyBefore = true;
  lines.forEach((line, index) => {
    if (index === quoteLine) quoteStart = text.length;
    const isEmpty = line === '';
    if (isEmpty && emptyBefore) return;
    emptyBefore = isEmpty;
    text += `${line}\n`;
  });
  const end = text.trimEnd().length;
  return {
    text: text.slice(0, end),
    ...(quoteStart >= 0 && quoteStart < end && { quoteStart }),
  };
}

interface Tag {
  name: string;
  attributes: string;
  isEnd: boolean;
  isClosed: boolean;
  end: number;
}

/** The tag that begins here. `<` before anything but a letter, `/`, `!` or `?` is text and is passed over. */
function tagAt(html: string, open: number): Tag {
  if (html.startsWith('<!--', open)) {
    const end = html.indexOf('-->', open + 4);
    return {
      name: '',
      attributes: '',
      isEnd: false,
      isClosed: false,
      end: end === -1 ? html.length : end + 3,
    };
  }
  let end = open + 1;
  let quote = '';
  const limit = Math.min(html.length, open + 64 * 1024);
  while (end < limit) {
    const character = html[end] ?? '';
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if ((character === '"' || character === "'") && html[end - 1] === '=') quote = character;
    else if (character === '>') break;
    end += 1;
  }
  const inside = html.slice(open + 1, end);
  const name = /^\/?([a-z][a-z0-9:]{0,30})/i.exec(inside)?.[1]?.toLowerCase() ?? '';
  return {
    name,
    attributes: name === '' ? '' : inside.slice(0, 4_096),
    isEnd: inside.startsWith('/'),
    isClosed: inside.endsWith('/'),
    end: Math.min(end + 1, html.length),
  };
}

/** Where the content of an element ends whose content is no text. */
function endOf(html: string, name: string, from: number): number {
  const pattern = new RegExp(`</${name}\\b`, 'gi');
  pattern.lastIndex = from;
  const found = pattern.exec(html);
  if (!found) return html.length;
  const close = html.indexOf('>', found.index);
  return close === -1 ? html.length : close + 1;
}

const altOf = (attributes: string): string => {
  const alt = /\balt\s*=\s*(?:"([^"]{1,200})"|'([^']{1,200})')/i.exec(attributes);
  const text = alt?.[1] ?? alt?.[2];
  return text ? decodeEntities(text) : '';
};

/** Latin-1 from U+00A0 on, in order, and what letters are full of besides. */
const latin =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml'.split(
    ' ',
  );
const named = new Map<string, string>([
  ...latin.map((name, index): [string, string] => [name, String.fromCodePoint(0xa0 + index)]),
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['hellip', '…'],
  ['ndash', '–'],
  ['mdash', '—'],
  ['lsquo', '‘'],
  ['rsquo', '’'],
  ['sbquo', '‚'],
  ['ldquo', '“'],
  ['rdquo', '”'],
  ['bdquo', '„'],
  ['bull', '•'],
  ['euro', '€'],
  ['trade', '™'],
  ['larr', '←'],
  ['rarr', '→'],
  ['zwnj', ''],
  ['zwj', '\u200d'],
  ['ensp', ' '],
  ['emsp', ' '],
  ['thinsp', ' '],
]);

function decodeEntities(text: string): string {
  return text
    .replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z][a-z0-9]{1,8});?/gi, (whole, name: string) => {
      if (!name.startsWith('#')) return named.get(name) ?? whole;
      const point = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
      return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
    })
    .replaceAll('\u00a0', ' ');
}
