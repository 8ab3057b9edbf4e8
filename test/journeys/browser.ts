import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

const executablePath = process.env.CHROME_PATH ?? '/usr/bin/chromium';

/** The installed Chromium. Without a sandbox only where there can be none: as root. */
export function openBrowser(): Promise<Browser> {
  if (!existsSync(executablePath))
    throw new Error(`no Chromium at ${executablePath}: install it or set CHROME_PATH`);
  return puppeteer.launch({
    executablePath,
    headless: true,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--font-render-hinting=none',
    ],
  });
}

export interface View {
  width: number;
  height: number;
  dark?: boolean;
  language?: 'en' | 'ru';
  phone?: boolean;
}

/** A page of its own profile: nothing is shared with another. Errors of the page are collected. */
export async function openPage(
  browser: Browser,
  view: View,
): Promise<{ page: Page; errors: string[]; close(): Promise<void> }> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.setViewport({
    width: view.width,
    height: view.height,
    hasTouch: view.phone ?? false,
    isMobile: view.phone ?? false,
  });
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: view.dark ? 'dark' : 'light' },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
  const language = view.language ?? 'en';
  await page.setExtraHTTPHeaders({ 'accept-language': language });
  await page.evaluateOnNewDocument((chosen) => {
    Object.defineProperty(navigator, 'language', { get: () => chosen });
    Object.defineProperty(navigator, 'languages', { get: () => [chosen] });
  }, language);
  return { page, errors, close: () => context.close() };
}

const artifacts = join(import.meta.dirname, '../.artifacts');

/** Keeps a picture of what the page shows, under test/.artifacts/. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true });
  const path = join(artifacts, `${name}.png`) as `${string}.png`;
  await page.screenshot({ path });
}
