import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser } from 'puppeteer-core';
import { openBrowser, openPage, picture } from './browser.js';
import { type ServerProcess, startServer } from './server.js';

describe('the look', () => {
  let server: ServerProcess;
  let browser: Browser;
  beforeAll(async () => {
    server = await startServer();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.remove();
  });
  it('shows', async () => {
    const { page, errors } = await openPage(browser, { width: 1440, height: 900 });
    await page.goto(`${server.url}/#setup=${server.setupToken()}`);
    await page.waitForNetworkIdle();
    await picture(page, 'setup');
    const demo = await openPage(browser, { width: 1440, height: 900 });
    await demo.page.goto(`${server.url}/demo`);
    await demo.page.waitForNetworkIdle();
    await picture(demo.page, 'demo-closed');
    console.log(server.output(), errors, demo.errors);
    expect(errors).toEqual([]);
  });
});
