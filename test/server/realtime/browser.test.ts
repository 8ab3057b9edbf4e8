import { describe, expect, it } from 'vitest';
import { readUserAgent } from '../../../server/realtime/browser.js';
import { createPresence } from '../../../server/realtime/presence.js';

describe('a user agent in words', () => {
  it.each([
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15',
      'Safari 18',
      'macOS',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
      'Chrome 141',
      'Windows',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0',
      'Edge 141',
      'Windows',
    ],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox 140', 'Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1',
      'Safari 18',
      'iOS',
    ],
    [
      'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36',
      'Samsung Internet 27',
      'Android',
    ],
    ['curl/8.5.0', '', ''],
    ['', '', ''],
  ])('%s', (userAgent, browser, system) => {
    expect(readUserAgent(userAgent)).toEqual({ browser, system });
  });

  it('A13: 50,000 characters of a trap take no time', () => {
    const began = process.cpuUsage();
    readUserAgent(`Version/1${'.1'.repeat(25_000)}`);
    readUserAgent('Mozilla '.repeat(6_000));
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1_000).toBeLessThan(100);
  });
});

describe('presence', () => {
  const visit = (url: string) => ({
    online: true,
    url,
    title: '',
    browser: '',
    system: '',
    locale: '',
    timeZone: '',
  });

  it('shows the tab that spoke last, and the other when that one closes', () => {
    const told: (string | null)[] = [];
    const presence = createPresence((workspaceId, contactId) => {
      told.push(presence.latest(workspaceId, [contactId])?.visit.url ?? null);
    });
    presence.set('w', 'c', 'tab-1', visit('/one'));
    presence.set('w', 'c', 'tab-2', visit('/two'));
    presence.set('w', 'c', 'tab-1', visit('/three'));
    presence.remove('w', 'c', 'tab-1');
    presence.remove('w', 'c', 'tab-1');
    presence.remove('w', 'c', 'tab-2');
    expect(told).toEqual(['/one', '/two', '/three', '/two', null]);
  });

  it('keeps workspaces apart and looks at all members of a group', () => {
    const presence = createPresence(() => {});
    presence.set('w1', 'c', 't', visit('/one'));
    expect(presence.latest('w2', ['c'])).toBeNull();
    expect(presence.latest('w1', ['other', 'c'])?.visit.url).toBe('/one');
  });
});
