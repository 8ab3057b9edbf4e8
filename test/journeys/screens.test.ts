import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { en } from '../../console/texts/en.js';
import { ru } from '../../console/texts/ru.js';
import { en as widgetEn } from '../../widget/texts/en.js';
import { ru as widgetRu } from '../../widget/texts/ru.js';
import { openBrowser, type View } from './browser.js';
import { axeFaults, layoutFaults, lightnessOf, settled, sizeOf, wordsOf } from './screens-checks.js';
import { inWidget, openWidget, type Scene, setScene, type Watched, write } from './screens-scene.js';

/**
 * How the console and the widget look, on real data in real Chromium: each picture is kept under test/.artifacts/ for
 * whoever wants to look, and each screen is held to what can be said of it without eyes.
 */

const artifacts = join(import.meta.dirname, '../.artifacts');
const shownInReadme: Record<string, string> = { 'console-1440': 'console', 'widget-open': 'widget' };

let browser: Browser;
let scene: Scene;
/** Signed in and available from the beginning: the widget shows who is there. */
let agent: Watched;
const wide: View = { width: 1_440, height: 900 };

/** Takes the picture, and holds the screen to everything that holds for all of them. */
async function shoot({ page, complaints }: Watched, name: string, view: View): Promise<void> {
  await page.bringToFront();
  await settled(page);
  // Nothing hovers by chance.
  await page.mouse.move(0, 0);
  const png = await page.screenshot();
  mkdirSync(artifacts, { recursive: true });
  const path = join(artifacts, `${name}.png`);
  writeFileSync(path, png);
  const shown = shownInReadme[name];
  if (process.env.THREADLINE_PICTURES && shown)
    copyFileSync(path, join(import.meta.dirname, '../../docs/pictures', `${shown}.png`));
  expect.soft(sizeOf(png), name).toEqual({ width: view.width, height: view.height });
  expect.soft(await layoutFaults(page), `${name}: layout`).toEqual([]);
  expect.soft(await axeFaults(page), `${name}: axe`).toEqual([]);
  expect.soft(await complaints(), `${name}: complaints of the page`).toEqual([]);
}

const theme = (page: Page, value: 'light' | 'dark'): Promise<void> =>
  page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
/** A window of another size for as long as the work takes. */
async function resized(page: Page, { width, height }: View, work: () => Promise<void>): Promise<void> {
  const before = page.viewport();
  await page.setViewport({ width, height });
  try {
    await work();
  } finally {
    await page.setViewport(before);
  }
}

const texts = (catalogue: Record<string, unknown>): string[] =>
  Object.values(catalogue).flatMap((text) =>
    typeof text === 'string' ? [text] : Object.values(text as Record<string, string>),
  );
/** Texts that stand whole on a screen, and in this language alone. */
function onlyIn(mine: Record<string, unknown>, other: Record<string, unknown>): Set<string> {
  const theirs = new Set(texts(other));
  return new Set(texts(mine).filter((text) => !text.includes('{') && text.length > 2 && !theirs.has(text)));
}

beforeAll(async () => {
  browser = await openBrowser();
  scene = await setScene(browser);
  agent = await scene.agent(wide);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await scene?.remove();
});

describe('the widget', () => {
  const desk: View = { width: 1_280, height: 800 };
  const panel = 'threadline-widget >>> threadline-panel >>> .panel';

  it('stands closed in the corner of the page', async () => {
    const visitor = await scene.visitor(desk, 'stranger');
    await shoot(visitor, 'widget-closed', desk);
    await visitor.close();
  });

  it('greets who opens it, with whom one will talk to', async () => {
    const visitor = await scene.visitor(desk, 'stranger');
    await openWidget(visitor.page);
    await inWidget(visitor.page, `root.querySelectorAll('button.qr').length === 3`);
    await shoot(visitor, 'widget-empty', desk);
    await visitor.close();
  });

  it('shows a conversation, light and dark', async () => {
    const visitor = await scene.visitor(desk, 'customer');
    await openWidget(visitor.page);
    await write(visitor.page, 'Hello Maya, one more question about the four bicycles.');
    await write(visitor.page, 'Can the two with child seats come a week earlier?');
    const id = await scene.conversation('a week earlier');
    await scene.say(
      id,
      'reply',
      'Good morning Inês! Let me ask the workshop.\n\n1. Two Harbour, dark green\n2. Hamax seats mounted\n3. Ready on 4 May\n\nWould that do?',
    );
    await inWidget(visitor.page, `root.textContent.includes('Would that do?')`);
    await write(visitor.page, 'It would, thank you.');
    await shoot(visitor, 'widget-open', desk);
    const light = await lightnessOf(visitor.page, panel);
    await theme(visitor.page, 'dark');
    await shoot(visitor, 'widget-dark', { ...desk, dark: true });
    const dark = await lightnessOf(visitor.page, panel);
    expect(light).toBeGreaterThan(0.9);
    expect(dark).toBeLessThan(0.15);
    // They stay: the console shows that they are online, and what they look at.
    await theme(visitor.page, 'light');
  });

  it('speaks Russian where the page does', async () => {
    const view: View = { ...desk, language: 'ru' };
    const visitor = await scene.visitor(view, 'stranger');
    await openWidget(visitor.page);
    await write(visitor.page, 'Не подошла рама, хочу обменять на 54');
    await shoot(visitor, 'widget-ru', view);
    const words = await wordsOf(visitor.page);
    expect(words).toEqual(expect.arrayContaining([widgetRu.writeHere, widgetRu.sendIt, widgetRu.wasSent]));
    const english = onlyIn(widgetEn, widgetRu);
    expect(words.filter((one) => english.has(one))).toEqual([]);
    await visitor.close();
  });

  it('fills a phone of 360 px', async () => {
    const view: View = { width: 360, height: 740, phone: true };
    const visitor = await scene.visitor(view, 'customer');
    await openWidget(visitor.page);
    await inWidget(
      visitor.page,
      `root.textContent.includes('It would, thank you.') || root.querySelector('.qr, .big')`,
    );
    await shoot(visitor, 'widget-360', view);
    await visitor.close();
  });
});

describe('the console', () => {
  let open = '';

  const go = async (path: string, ready: string): Promise<void> => {
    await agent.page.goto(`${scene.server.url}/w/${scene.workspaceId}${path}`);
    await agent.page.waitForSelector(ready, { timeout: 30_000 });
  };
  beforeAll(async () => {
    open = await scene.conversation('It would');
  }, 120_000);

  it('says that everyone has an answer, and what to do next', async () => {
    await go('/inbox/mine', '.blank .acts');
    expect(await wordsOf(agent.page)).toContain(en['empty.title']);
    await shoot(agent, 'console-empty', wide);
  });

  it('shows list, conversation and timeline side by side at 1440 px', async () => {
    await scene.say(open, 'note', 'Workshop says the 4th is safe. Pavel mounts the seats on Thursday.');
    await scene.w('PATCH', `/conversations/${open}`, {
      assigneeId: (await scene.api<{ id: string }>('GET', '/api/me')).id,
    });
    await go(`/inbox/all/${open}`, '.tl .ev');
    await agent.page.waitForSelector('.msg');
    await shoot(agent, 'console-1440', wide);
    for (const knot of ['chat', 'mail', 'phone'])
      expect(await agent.page.$$(`.tl .knot.${knot}`), knot).not.toHaveLength(0);
  });

  it('plays the recording of a call in its line, and draws its wave', async () => {
    const player = '.time tl-player:has(.wave)';
    await agent.page.waitForSelector(player);
    const tallest = () =>
      agent.page.$eval(player, (one) =>
        Math.max(...[...one.querySelectorAll('rect')].map((bar) => Number(bar.getAttribute('height')))),
      );
    expect(await tallest(), 'flat before anything was fetched').toBe(2);
    await agent.page.locator(`${player} button`).click();
    await agent.page.waitForFunction(
      (where) => {
        const [one] = document.querySelectorAll(where);
        return [...(one?.querySelectorAll('rect') ?? [])].some(
          (bar) => Number(bar.getAttribute('height')) > 10,
        );
      },
      { timeout: 30_000, polling: 50 },
      player,
    );
    expect(await tallest()).toBe(16);
    await agent.page.waitForFunction(
      (where) => Number(document.querySelector(`${where} .wave`)?.getAttribute('aria-valuenow')) >= 1,
      { timeout: 30_000, polling: 50 },
      player,
    );
    // By the keyboard, too: the wave is a slider.
    await agent.page.locator(`${player} .wave`).click();
    await agent.page.keyboard.press('Home');
    for (let press = 0; press < 17; press += 1) await agent.page.keyboard.press('ArrowRight');
    await agent.page.locator(`${player} button`).click();
    await agent.page.waitForSelector(`${player} button[aria-label="${en['call.play']}"]`);
    const words = await agent.page.$eval(`${player} .num`, (one) => one.textContent ?? '');
    expect(words).toMatch(/^1:2\d \/ 4:12$/);
    await shoot(agent, 'console-player', wide);
  });

  it('says so when a recording lies where the policy admits none, and where it is', async () => {
    const last = '.time tl-player:last-of-type';
    const players = await agent.page.$$('.time tl-player');
    const button = await players.at(-1)?.$('button');
    await button?.click();
    await agent.page.waitForFunction(
      (text) =>
        [...document.querySelectorAll('.time .player')].some((one) => one.textContent?.includes(text)),
      { timeout: 30_000, polling: 50 },
      en['call.not_playable'],
    );
    expect(await agent.page.$eval(`${last} a`, (one) => one.getAttribute('href'))).toContain('localhost');
    expect((await agent.complaints()).join()).toMatch(/media-src/);
  });

  it('is as complete in the dark', async () => {
    const light = await lightnessOf(agent.page, '.pane.conv');
    await theme(agent.page, 'dark');
    await shoot(agent, 'console-dark', { ...wide, dark: true });
    expect(light).toBeGreaterThan(0.9);
    expect(await lightnessOf(agent.page, '.pane.conv')).toBeLessThan(0.15);
    await theme(agent.page, 'light');
  });

  it('folds the customer into a strip at 1024 px', async () => {
    const view: View = { width: 1_024, height: 768 };
    await resized(agent.page, view, async () => {
      await agent.page.waitForSelector('tl-strip svg .g-mail, tl-strip svg .g-chat', { visible: true });
      await shoot(agent, 'console-1024', view);
    });
  });

  it('shows one pane at a time at 360 px', async () => {
    const view: View = { width: 360, height: 740 };
    await resized(agent.page, view, async () => {
      await shoot(agent, 'console-360-conversation', view);
      await go(`/inbox/all/${open}?timeline=1`, '.tl .ev');
      await shoot(agent, 'console-360-timeline', view);
      await go('/inbox/all', 'tl-row');
      await shoot(agent, 'console-360-list', view);
    });
  });

  it('draws a customer’s year on their own page', async () => {
    const { id } = await scene.contact('Carvalho');
    await go(`/contacts/${id}`, '.tl .ev');
    await agent.page.waitForSelector('.glance svg .g-phone');
    await shoot(agent, 'console-contact', wide);
    for (const mark of ['chat', 'mail', 'phone'])
      expect(await agent.page.$$(`.glance svg .g-${mark}`), mark).not.toHaveLength(0);
    expect(await agent.page.$eval('.glance svg', (one) => one.getAttribute('aria-label'))).toMatch(/\d/);
    await theme(agent.page, 'dark');
    await agent.page.$eval('.wide .scroll', (one) => {
      one.scrollTop = one.scrollHeight / 2;
    });
    await shoot(agent, 'console-contact-dark', { ...wide, dark: true });
    await theme(agent.page, 'light');
    const narrow: View = { width: 360, height: 740 };
    await resized(agent.page, narrow, () => shoot(agent, 'console-360-contact', narrow));
  });

  it('suggests that two are one person, and shows what a merge would do', async () => {
    const { id, suggestions } = await scene.contact('losev.d@example.ru');
    expect(suggestions).not.toHaveLength(0);
    await go(`/contacts/${id}`, '.same');
    await shoot(agent, 'console-suggestion', wide);
    // By the mouse, as most would: the ring of the focus is for keyboards.
    await agent.page.locator(`.same button ::-p-text(${en['suggestion.compare']})`).click();
    await agent.page.waitForSelector('dialog.merge .strands circle');
    await shoot(agent, 'console-merge', wide);
  });

  it('finds everything by the keyboard', async () => {
    await go(`/inbox/all/${open}`, '.msg');
    await agent.page.keyboard.press('?');
    await agent.page.waitForSelector('tl-sheet dialog[open]');
    await shoot(agent, 'console-keys', wide);
    await agent.page.keyboard.press('Escape');
    await agent.page.waitForSelector('tl-sheet', { hidden: true });
    await agent.page.keyboard.down('Control');
    await agent.page.keyboard.press('k');
    await agent.page.keyboard.up('Control');
    await agent.page.waitForSelector('tl-palette dialog[open]');
    await agent.page.keyboard.type('in');
    await shoot(agent, 'console-palette', wide);
    await agent.page.keyboard.press('Escape');
  });

  it('keeps contacts and settings as calm as the rest, wide and narrow', async () => {
    const { inboxes } = await scene.w<{ inboxes: { id: string; channel: string }[] }>('GET', '/inboxes');
    const chat = inboxes.find(({ channel }) => channel === 'chat')?.id;
    for (const [name, path, ready] of [
      ['contacts', '/contacts', 'a.person'],
      ['profile', '/settings/profile', '.settings-page form'],
      ['agents', '/settings/agents', '.team li'],
      ['inbox', `/settings/inboxes/${chat}`, '.copyable'],
    ] as const) {
      await go(path, ready);
      await shoot(agent, `console-${name}`, wide);
      const narrow: View = { width: 360, height: 740 };
      await resized(agent.page, narrow, () => shoot(agent, `console-360-${name}`, narrow));
    }
  });

  it('speaks Russian to who chose it', async () => {
    await scene.speak('ru');
    await go(`/inbox/all/${open}`, '.tl .ev');
    await agent.page.waitForSelector('.msg');
    await shoot(agent, 'console-ru', wide);
    const words = await wordsOf(agent.page);
    expect(words).toEqual(
      expect.arrayContaining([ru['view.all'], ru['view.mine'], ru['composer.reply'], ru['customer.title']]),
    );
    const english = onlyIn(en, ru);
    expect(words.filter((one) => english.has(one))).toEqual([]);
    const narrow: View = { width: 360, height: 740 };
    await resized(agent.page, narrow, async () => {
      const { id } = await scene.contact('Carvalho');
      await go(`/contacts/${id}`, '.tl .ev');
      await shoot(agent, 'console-360-contact-ru', narrow);
    });
    await scene.speak('en');
  });

  it('asks who one is', async () => {
    const stranger = await scene.visitor(wide, 'stranger');
    await stranger.page.goto(`${scene.server.url}/sign-in`);
    await stranger.page.waitForSelector('input[name="password"]');
    // Whether somebody is signed in is asked by a cookie that the page cannot read; for a stranger the answer is 401.
    expect(await stranger.complaints()).toEqual([expect.stringContaining('401')]);
    await shoot(stranger, 'console-sign-in', wide);
    await stranger.close();
  });
});
