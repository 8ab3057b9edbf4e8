import { testPanel } from './panel-suite.js';

/**
 * What visitors download: shortened names, minified templates and sheets, and templates.ts in the place of Lit. The
 * loader, as built, says where its panel is.
 */
const loader = await (await fetch('/dist/widget/threadline.js')).text();
const address = /assets\/panel-\w+\.js/.exec(loader)?.[0];
if (!address) throw new Error('The widget is not built: run `npm run build`.');
const { mount } = await import(`/dist/widget/${address}`);

testPanel('the panel as built', mount);
