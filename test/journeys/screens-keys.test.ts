import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { en } from '../../console/texts/en.js';
import type { ContactDetail, ConversationDetail, ConversationList } from '../../shared/api.js';
import { openBrowser } from './browser.js';
import { type Scene, setScene } from './screens-scene.js';

/** A shift by the keyboard alone against a real server: each key that the sheet names does what it says. */

let browser: Browser;
let scene: Scene;
let page: Page;

const until = (what: string, ...values: string[]): Promise<unknown> =>
  page.waitForFunction(what, { timeout: 30_000, polling: 50 }, ...values);
const shown = (selector: string, text = ''): Promise<unknown> =>
  until(
    `([...document.querySelectorAll(${JSON.stringify(selector)})].some((one) => one.textContent.includes(${JSON.stringify(text)})))`,
  );
const gone = (selector: string): Promise<unknown> =>
  until(`document.querySelector(${JSON.stringify(selector)}) === null`);
const at = (path: string): Promise<unknown> => until(`location.pathname.includes(${JSON.stringify(path)})`);

async function press(...keys: string[]): Promise<void> {
  for (const key of keys) {
    const pieces = key.split('+');
    const last = pieces.pop() ?? '';
    for (const held of pieces) await page.keyboard.down(held as 'Control');
    await page.keyboard.press(last as 'Enter');
    for (const held of pieces) await page.keyboard.up(held as 'Control');
  }
}
const openId = (): Promise<string> =>
  page.evaluate(() => /\/inbox\/\w+\/([\w-]+)/.exec(location.pathname)?.[1] ?? '');
const detail = async (id?: string): Promise<ConversationDetail> =>
  scene.w('GET', `/conversations/${id ?? (await openId())}`);
/** Asks the server until it says so: what a key did is done when it is stored. */
async function stored(holds: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`after 30 s it still does not hold that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const go = async (path: string, ready: string): Promise<void> => {
  await page.goto(`${scene.server.url}/w/${scene.workspaceId}${path}`);
  await shown(ready);
};
const idWhere = async (holds: (row: ConversationList['rows'][number]) => boolean): Promise<string> => {
  const { rows } = await scene.w<ConversationList>('GET', '/conversations?view=all');
  return rows.find(holds)?.id ?? '';
};

beforeAll(async () => {
  browser = await openBrowser();
  scene = await setScene(browser);
  page = (await scene.agent({ width: 1_440, height: 900 })).page;
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await scene?.remove();
});

describe('by the keyboard alone', () => {
  it('j and k go down and up the list, Enter into the conversation, Escape back', async () => {
    await go('/inbox/all', 'a.row');
    await press('j');
    await at('/inbox/all/');
    const first = await openId();
    await press('j');
    await until(`!location.pathname.endsWith('${first}')`);
    await press('k');
    await at(first);
    await shown('.msg[data-seq]');
    await press('Enter');
    await until(`document.activeElement?.classList.contains('log')`);
    await press('Escape');
    await until(`location.pathname.endsWith('/inbox/all')`);
  });

  it('r answers, n keeps a note, and both are stored once; letters typed there command nothing', async () => {
    const id = await idWhere(({ contact }) => contact.name === 'Helen');
    await go(`/inbox/all/${id}`, '.msg[data-seq]');
    await press('r');
    await until(`document.activeElement?.tagName === 'TEXTAREA'`);
    await page.keyboard.type('Until five, then. jkeni?#');
    await until(`!document.querySelector('.composer .send').disabled`);
    await press('Control+Enter');
    await shown('.msg.ours', 'Until five, then. jkeni?#');
    await press('Escape', 'n');
    await shown('.composer.is-note');
    await page.keyboard.type('Blue one is behind the counter.');
    await press('Control+Enter');
    await shown('.msg.note', 'behind the counter');
    await stored(async () => (await detail(id)).status === 'open', 'it is open');
    const count = (text: string) =>
      page.$$eval('.msg', (all, words) => all.filter((one) => one.textContent?.includes(words)).length, text);
    expect(await count('Until five, then.')).toBe(1);
    expect(await count('behind the counter')).toBe(1);
  });

  it('i takes it, a gives it to somebody, Ctrl+Z takes that back', async () => {
    const id = await openId();
    await press('Escape');
    await press('i');
    await stored(async () => (await detail(id)).assigneeId !== null, 'somebody has it');
    await press('a');
    await shown('[role=menu] [role^=menuitem]');
    await press('End', 'Enter');
    await stored(async () => (await detail(id)).assigneeId === null, 'nobody has it');
    await shown('.toast');
    await press('Control+z');
    await stored(async () => (await detail(id)).assigneeId !== null, 'it is whose it was');
  });

  it('e closes and goes on to the next, Ctrl+Z opens it again, # is spam, Shift+E reopens', async () => {
    const id = await openId();
    await press('e');
    await shown('.toast', en['toast.undo']);
    await stored(async () => (await detail(id)).status === 'closed', 'it is closed');
    await until(`!location.pathname.endsWith('${id}')`);
    await press('Control+z');
    await stored(async () => (await detail(id)).status === 'open', 'it is open again');
    await go(`/inbox/all/${id}`, '.msg[data-seq]');
    await press('#');
    await stored(async () => (await detail(id)).status === 'spam', 'it is spam');
    await go(`/inbox/spam/${id}`, '.msg[data-seq]');
    await press('Shift+E');
    await stored(async () => (await detail(id)).status === 'open', 'it is open');
  });

  it('y joins two who are one, Ctrl+Z parts them exactly', async () => {
    const id = await idWhere(({ subject }) => subject === 'Не дозвонился');
    await go(`/inbox/all/${id}`, '.suggest');
    const contactId = (await detail(id)).contact.id;
    const before = await scene.w<ContactDetail>('GET', `/contacts/${contactId}`);
    await press('y');
    await shown('.toast', 'Дмитрий');
    await shown('.time .mergeev');
    await press('Control+z');
    await gone('.time .mergeev');
    await shown('.time .tl', en['timeline.undone']);
    await shown('.suggest');
    expect((await scene.w<ContactDetail>('GET', `/contacts/${contactId}`)).identities).toEqual(
      before.identities,
    );
  });

  it('1, 2 and 3 show one channel of the timeline, 0 everything, d goes to a date, t to the timeline', async () => {
    const id = await idWhere(({ subject }) => subject === 'Four bicycles for our office');
    await go(`/inbox/all/${id}`, '.time .tl .knot.phone');
    for (const [key, knot] of [
      ['1', 'chat'],
      ['2', 'mail'],
      ['3', 'phone'],
    ] as const) {
      await press(key);
      await until(
        `(() => { const knots = [...document.querySelectorAll('.time .tl .knot')]; return knots.length > 0 && knots.every((one) => one.classList.contains('${knot}')); })()`,
      );
    }
    await press('0');
    await until(
      `new Set([...document.querySelectorAll('.time .tl .knot')].map((one) => one.classList[1])).size > 2`,
    );
    await press('d');
    await until(`document.activeElement?.getAttribute('type') === 'date'`);
    await press('Escape', 't');
    await until(`document.activeElement?.matches('.time .scroll')`);
  });

  it('the arrows go from event to event of the year, and Enter opens a folded month', async () => {
    await page.$eval('.time [role=slider]', (one) => one instanceof SVGElement && one.focus());
    await press('Home');
    await until(
      `/ 1 of /.test(document.querySelector('.time [role=slider]').getAttribute('aria-valuetext'))`,
    );
    await press('ArrowRight', 'End');
    await until(
      `(() => { const [, at, all] = / (\\d+) of (\\d+)$/.exec(document.querySelector('.time [role=slider]').getAttribute('aria-valuetext')) ?? []; return at && at === all; })()`,
    );
    await shown('.time .tl .knot.stack');
    const letters = await page.$$eval('.time .tl .knot.mail', (all) => all.length);
    await page.$eval(
      '.time .ev:has(.knot.stack) .end button',
      (one) => one instanceof HTMLElement && one.focus(),
    );
    await press('Enter');
    await gone('.time .tl .knot.stack');
    expect(await page.$$eval('.time .tl .knot.mail', (all) => all.length)).toBeGreaterThan(letters);
  });

  it('g and a letter go everywhere, / and Ctrl+K find, ? tells the keys, Escape closes', async () => {
    await go('/inbox/all', 'a.row');
    for (const [letter, place] of [
      ['m', '/inbox/mine'],
      ['u', '/inbox/unassigned'],
      ['e', '/inbox/closed'],
      ['c', '/contacts'],
      ['s', '/settings'],
      ['i', '/inbox/all'],
    ] as const) {
      await press('g', letter);
      await at(place);
    }
    await press('?');
    await shown('dialog.sheet', en['sheet.title']);
    await press('Escape');
    await gone('dialog');
    await press('/');
    await shown('dialog.palette');
    await press('Escape');
    await gone('dialog');
    await press('Control+k');
    await shown('dialog.palette');
    await page.keyboard.type('Demir');
    await shown('dialog.palette .opt', 'Yusuf Demir');
    await press('Enter');
    await gone('dialog');
    await shown('body', 'Yusuf Demir');
  });

  it('Tab comes to everything in reading order, and each place shows that it has the focus', async () => {
    const id = await idWhere(({ contact }) => contact.name === 'Helen');
    await go(`/inbox/all/${id}`, '.time .tl .ev');
    await page.evaluate(() => {
      const { activeElement } = document;
      if (activeElement instanceof HTMLElement) activeElement.blur();
    });
    const names: string[] = [];
    const bare: string[] = [];
    for (let step = 0; step < 120; step += 1) {
      await press('Tab');
      const found = await page.evaluate(() => {
        const one = document.activeElement;
        if (!one || one === document.body) return null;
        const name = `${one.localName}.${[...one.classList].join('.')} ${(one.getAttribute('aria-label') ?? one.textContent ?? '').trim().slice(0, 30)}`;
        const style = getComputedStyle(one);
        // A text area has no ring of its own: its box has.
        const box = one.closest('.composer, .searchbox, .q');
        const ringed = (held: Element) => {
          const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(held);
          return (
            (outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2) || /\b2px\b/.test(boxShadow)
          );
        };
        const isSeen = one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
        return {
          name,
          isRinged: (style.outlineStyle !== 'none' && ringed(one)) || (box !== null && ringed(box)),
          isSeen,
        };
      });
      if (found === null) break;
      names.push(found.name);
      if (!found.isRinged || !found.isSeen) bare.push(found.name);
    }
    expect(bare).toEqual([]);
    expect(new Set(names).size, 'it goes round once and ends').toBeGreaterThan(20);
    expect(names.length).toBeLessThan(120);
    const order = [
      'button.view.find',
      `a.view ${en['view.mine']}`,
      'a.row',
      `button.btn ${en['key.close']}`,
      'textarea',
    ].map((words) => names.findIndex((name) => name.startsWith(words)));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);
  });
});
