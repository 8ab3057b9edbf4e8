import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'puppeteer-core';

/** What can be wrong with a picture and still be a picture: looked for in the page itself, one line a fault. */

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Width and height of a PNG, from its own header. */
export function sizeOf(png: Uint8Array): { width: number; height: number } {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  if (view.getUint32(0) !== 0x89504e47) throw new Error('not a PNG');
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Waits until all that is shown has come: fonts, pictures, code, answers; and nothing moves. */
export async function settled(page: Page): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    const missing = await page.evaluate(() => {
      const roots: (Document | ShadowRoot)[] = [document];
      for (const root of roots)
        for (const one of root.querySelectorAll('*')) if (one.shadowRoot) roots.push(one.shadowRoot);
      const all = (selector: string) => roots.flatMap((root) => [...root.querySelectorAll(selector)]);
      return [
        ...(document.fonts.status === 'loaded' ? [] : ['fonts']),
        ...all('[aria-busy=true], .late:not(.wait)').map((one) => `busy: ${one.outerHTML.slice(0, 120)}`),
        ...all('img').flatMap((one) => (one instanceof HTMLImageElement && !one.complete ? [one.src] : [])),
        ...document
          .getAnimations()
          .filter((one) => one.playState === 'running')
          .map(
            (one) => `moving: ${one.effect instanceof KeyframeEffect ? one.effect.target?.className : ''}`,
          ),
      ];
    });
    if (missing.length === 0) return;
    if (performance.now() > until) throw new Error(`not settled after 30 s: ${missing.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What axe finds against WCAG 2.2 AA, at any impact. */
export async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof import('axe-core') }).axe.run(
      document,
      {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
        resultTypes: ['violations'],
      },
    );
    return violations.flatMap(({ id, impact, nodes }) =>
      nodes.map(
        ({ html, failureSummary }) =>
          `${id} (${impact}): ${html.slice(0, 200)} ${failureSummary?.split('\n')[1]?.trim() ?? ''}`,
      ),
    );
  });
}

/**
 * Text that is cut off, runs out of its button or out of the page, and a page that scrolls sideways. An ellipsis and a
 * line clamp are meant; a scrolled box hides what one can scroll to.
 */
export function layoutFaults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const faults: string[] = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth)
      faults.push(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);

    const parentOf = (node: Node): Element | null =>
      node.parentElement ?? (node.parentNode instanceof ShadowRoot ? node.parentNode.host : null);
    const name = (one: Element) =>
      `${one.localName}${one.id ? `#${one.id}` : ''}${[...one.classList].map((c) => `.${c}`).join('')}`;
    const isFixed = (one: Element) => getComputedStyle(one).position === 'fixed';

    function check(text: Text): void {
      const words = text.data.trim();
      const holder = parentOf(text);
      if (words === '' || !holder?.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
        return;
      const range = document.createRange();
      range.selectNodeContents(text);
      const box = range.getBoundingClientRect();
      if (box.width === 0 || box.height === 0) return;
      const say = (what: string) => faults.push(`${what}: "${words.slice(0, 60)}" in ${name(holder)}`);
      let sideways = true;
      let upright = true;
      for (let one: Element | null = holder; one !== null; one = parentOf(one)) {
        const style = getComputedStyle(one);
        // Said to screen readers alone.
        if (style.clipPath !== 'none' || one.closest('svg') !== null) return;
        const edge = one.getBoundingClientRect();
        if (one.matches('button, a.btn, .chip, .tag, .kbd') && style.overflow === 'visible') {
          if (
            box.left < edge.left - 1 ||
            box.right > edge.right + 1 ||
            box.top < edge.top - 3 ||
            box.bottom > edge.bottom + 3
          )
            say(`runs out of ${name(one)}`);
        }
        if (style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none') sideways = upright = false;
        if (style.overflowX === 'auto' || style.overflowX === 'scroll') sideways = false;
        if (style.overflowY === 'auto' || style.overflowY === 'scroll') upright = false;
        if (
          sideways &&
          style.overflowX !== 'visible' &&
          (box.left < edge.left - 1 || box.right > edge.right + 1)
        )
          say(`cut off sideways by ${name(one)}`);
        // A line box may be lower than its glyphs' own box: three pixels of it hold no ink.
        if (
          upright &&
          style.overflowY !== 'visible' &&
          (box.top < edge.top - 3 || box.bottom > edge.bottom + 3)
        )
          say(`cut off by ${name(one)}`);
        if (isFixed(one)) break;
      }
      if (sideways && (box.left < -1 || box.right > root.clientWidth + 1)) say('outside the window');
    }

    const roots: (Document | ShadowRoot)[] = [document];
    for (const each of roots) {
      for (const one of each.querySelectorAll('*')) if (one.shadowRoot) roots.push(one.shadowRoot);
      const walker = document.createTreeWalker(
        each instanceof Document ? each.body : each,
        NodeFilter.SHOW_TEXT,
      );
      while (walker.nextNode()) if (walker.currentNode instanceof Text) check(walker.currentNode);
    }
    return [...new Set(faults)];
  });
}

/** Everything the page says to people: text, placeholders, tooltips, labels; inside shadow roots too. */
export function wordsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const words: string[] = [];
    const roots: (Document | ShadowRoot)[] = [document];
    for (const root of roots) {
      for (const one of root.querySelectorAll('*')) {
        if (one.shadowRoot) roots.push(one.shadowRoot);
        for (const attribute of ['title', 'aria-label', 'placeholder', 'alt', 'aria-valuetext'])
          words.push(one.getAttribute(attribute) ?? '');
        if (one.matches('script, style')) continue;
        for (const node of one.childNodes) if (node instanceof Text) words.push(node.data);
      }
    }
    return [...new Set(words.map((one) => one.trim().replace(/\s+/g, ' ')).filter(Boolean))];
  });
}

/** How light the ground is that the page stands on: 0 is black, 1 is white. */
export function lightnessOf(page: Page, selector: string): Promise<number> {
  return page.evaluate((wanted) => {
    const deep = wanted
      .split(' >>> ')
      .reduce<Element | null>(
        (at, next, index) => (index === 0 ? document : at?.shadowRoot)?.querySelector(next) ?? null,
        null,
      );
    if (!deep) throw new Error(`nothing at ${wanted}`);
    const canvas = new OffscreenCanvas(1, 1);
    const pen = canvas.getContext('2d');
    if (!pen) throw new Error('no canvas');
    // The browser itself turns oklch() into red, green and blue.
    pen.fillStyle = getComputedStyle(deep).backgroundColor;
    pen.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, alpha = 0] = pen.getImageData(0, 0, 1, 1).data;
    if (alpha < 255) throw new Error(`${wanted} has no ground of its own`);
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  }, selector);
}
