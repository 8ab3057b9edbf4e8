/**
 * What a user agent says it is, in the words people use: for an agent who helps with "the button does not work".
 * The first line that fits decides, so browsers that pretend to be others stand before those.
 */
const browsers: readonly (readonly [string, RegExp])[] = [
  ['Edge', /\bEdgA?(?:iOS)?\/(\d+)/],
  ['Opera', /\b(?:OPR|Opera)\/(\d+)/],
  ['Samsung Internet', /\bSamsungBrowser\/(\d+)/],
  ['Yandex', /\bYaBrowser\/(\d+)/],
  ['Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
  ['Chrome', /\b(?:Chrome|CriOS|HeadlessChrome)\/(\d+)/],
  ['Safari', /\bVersion\/(\d+)[\d.]* (?:Mobile\/\w+ )?Safari\//],
];
const systems: readonly (readonly [string, RegExp])[] = [
  ['iOS', /\b(?:iPhone|iPod)\b/],
  ['iPadOS', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Linux', /\bLinux\b/],
];

const longestAgent = 512;

export function readUserAgent(userAgent: string | undefined): { browser: string; system: string } {
  const text = (userAgent ?? '').slice(0, longestAgent);
  let browser = '';
  for (const [name, pattern] of browsers) {
    const found = pattern.exec(text);
    if (!found) continue;
    browser = `${name} ${found[1]}`;
    break;
  }
  return { browser, system: systems.find(([, pattern]) => pattern.test(text))?.[0] ?? '' };
}
