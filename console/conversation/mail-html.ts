import DOMPurify from 'dompurify';

/**
 * Somebody else's HTML, made harmless: DOMPurify removes what acts, and every address is taken out of it, so that
 * nothing is fetched. Styles are lifted out too: the frame gets them as objects, which a strict CSP allows and which
 * cannot import anything.
 */
export interface CleanMail {
  /** Without any address but links. */
  body: string;
  /** Style sheets without `@import` and `url()`. */
  styles: string[];
  /** How many pictures and other remote parts were held back. */
  blocked: number;
}

const attributesThatFetch = [
  'src',
  'srcset',
  'background',
  'poster',
  'data',
  'lowsrc',
  'dynsrc',
  'longdesc',
  'xlink:href',
];
const isEmbedded = (address: string) => /^(data:image\/(png|jpeg|gif|webp|avif);|cid:)/i.test(address.trim());

/** @param options.allowRemote pictures from the web stay; scripts, forms and frames never do */
export function cleanMail(source: string, options: { allowRemote: boolean }): CleanMail {
  let blocked = 0;
  const styles: string[] = [];
  const purify = DOMPurify(window);
  const cleanStyle = (css: string) => {
    const noImports = css.replace(/@import[^;]*;?/gi, () => {
      blocked += 1;
      return '';
    });
    if (options.allowRemote)
      return noImports.replace(/url\(\s*(['"]?)(?!https:|data:image\/)[^)]*\)/gi, 'none');
    // An escape could spell `url(` otherwise: a style with one goes as a whole.
    if (
      /\\/.test(noImports) ||
      /@font-face|image-set\(|(?:-webkit-)?cross-fade\(|src\s*\(/i.test(noImports)
    ) {
      blocked += 1;
      return '';
    }
    return noImports.replace(/url\(\s*(['"]?)(?!data:image\/(?:png|jpeg|gif|webp))[^)]*\)?/gi, () => {
      blocked += 1;
      return 'none';
    });
  };

  purify.addHook('uponSanitizeElement', (node, data) => {
    if (data.tagName === 'style' && node.textContent) {
      styles.push(cleanStyle(node.textContent));
      node.textContent = '';
    }
  });
  purify.addHook('afterSanitizeAttributes', (node) => {
    if (!(node instanceof Element)) return;
    for (const name of attributesThatFetch) {
      const value = node.getAttribute(name);
      if (value === null) continue;
      if (name === 'src' && node.localName === 'img' && isEmbedded(value)) continue;
      if (
        options.allowRemote &&
        name === 'src' &&
        node.localName === 'img' &&
        /^https?:/i.test(value.trim())
      ) {
        node.setAttribute('referrerpolicy', 'no-referrer');
        continue;
      }
      blocked += 1;
      node.removeAttribute(name);
    }
    const style = node.getAttribute('style');
    if (style !== null) {
      node.removeAttribute('style');
      const cleaned = cleanStyle(style);
      if (cleaned !== '') node.setAttribute('data-style', cleaned);
    }
    // An id could shadow a name that a page relies on; nobody relies on it here.
    node.removeAttribute('id');
    node.removeAttribute('name');
    if (node.localName === 'a') {
      const href = node.getAttribute('href') ?? '';
      if (!/^(https?:|mailto:|tel:)/i.test(href.trim())) node.removeAttribute('href');
      node.setAttribute('target', '_blank');
      node.setAttribute('rel', 'noopener noreferrer nofollow');
    } else if (node.hasAttribute('href')) node.removeAttribute('href');
  });

  const body = purify.sanitize(source, {
    USE_PROFILES: { html: true },
    ADD_TAGS: ['center', 'font'],
    ADD_ATTR: [
      'bgcolor',
      'align',
      'valign',
      'cellpadding',
      'cellspacing',
      'width',
      'height',
      'border',
      'color',
      'face',
      'size',
    ],
    FORBID_TAGS: [
      'style',
      'form',
      'input',
      'button',
      'textarea',
      'select',
      'option',
      'base',
      'meta',
      'link',
      'iframe',
      'object',
      'embed',
      'frame',
      'frameset',
      'svg',
      'math',
      'video',
      'audio',
      'source',
      'track',
      'picture',
      'dialog',
      'template',
    ],
    FORBID_ATTR: [
      'action',
      'formaction',
      'ping',
      'target',
      'autofocus',
      'contenteditable',
      'tabindex',
      'accesskey',
      'popover',
      'popovertarget',
      'is',
      'slot',
      'data-style',
    ],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    FORCE_BODY: true,
    WHOLE_DOCUMENT: false,
  });
  return { body, styles: styles.filter((style) => style.trim() !== ''), blocked };
}
