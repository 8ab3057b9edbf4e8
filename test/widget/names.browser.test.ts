import { en } from '../../widget/texts/en.js';
import { extrasEn } from '../../widget/texts/extras-en.js';

/** The build shortens names of ours. One that the browser knows, too, would break whatever uses the browser's. */

const { ownNames }: { ownNames: string[] } = await import(`${'/scripts'}/widget/names.mjs`);

function namesOfTheBrowser(): Set<string> {
  const names = new Set<string>();
  const seen = new Set<unknown>();
  const add = (value: unknown): void => {
    if (!(value instanceof Object) || seen.has(value)) return;
    seen.add(value);
    for (const name of Object.getOwnPropertyNames(value)) names.add(name);
    add(Object.getPrototypeOf(value));
  };
  for (const name of Object.getOwnPropertyNames(window)) {
    names.add(name);
    const value: unknown = Reflect.get(window, name);
    add(value);
    if (typeof value === 'function') add(value.prototype);
  }
  // Options and records that exist on no prototype.
  for (const name of ['signal', 'durability', 'ifAvailable', 'steal', 'keepalive', 'detail', 'persisted'])
    names.add(name);
  return names;
}

describe('shortened names', () => {
  it('are none of the browser’s', () => {
    const known = namesOfTheBrowser();
    if (!known.has('addEventListener') || !known.has('adoptedStyleSheets'))
      throw new Error('The browser’s names were not found.');
    const clashes = [...ownNames, ...Object.keys({ ...en, ...extrasEn })].filter((name) => known.has(name));
    if (clashes.length) throw new Error(`The browser has these, too: ${clashes.join(', ')}`);
  });
});
