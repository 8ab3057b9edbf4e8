import { cleanMail } from '../../console/conversation/mail-html.js';
import { expect } from './fixtures/expect.js';
import '../../console/conversation/mail-sheet.js';
import { piecesOf } from '../../console/conversation/text.js';
import { find, findAll, mount, shows, unmount, until } from './fixtures/mount.js';
import { danielEvents } from './fixtures/world.js';

declare global {
  /** What ran that must not run. */
  var hit: string[];
}
const probe = (name: string) => `${location.origin}/probe/${name}`;

/** Each line of the corpus tries to run something or to fetch something. */
const corpus: Record<string, string> = {
  script: '<script>hit.push("script")</script>',
  'script in a table': '<table><tr><td><script>hit.push("table")</script></table>',
  onerror: `<img src="${probe('onerror')}" onerror="hit.push('onerror')">`,
  onload: '<body onload="hit.push(\'onload\')">',
  'on* with odd spacing': '<img/src="x"/onerror=hit.push("odd")>',
  'javascript: link': '<a href="javascript:hit.push(1)">x</a><a href=" java\tscript:hit.push(2)">y</a>',
  svg: '<svg onload="hit.push(\'svg\')"><script>hit.push("svg script")</script><animate onbegin="hit.push(3)"/><use href="data:image/svg+xml,<svg id=x onload=hit.push(4)>#x"/></svg>',
  math: '<math><mtext><table><mglyph><style><img src=x onerror=hit.push("math")></style></mglyph></table></mtext></math>',
  srcdoc: '<iframe srcdoc="<script>parent.hit.push(\'srcdoc\')</script>"></iframe>',
  iframe: `<iframe src="${probe('iframe')}"></iframe><object data="${probe('object')}"></object><embed src="${probe('embed')}">`,
  form: `<form action="${probe('form')}"><input name=password><button formaction="javascript:hit.push(5)">go</button></form>`,
  base: `<base href="${probe('base')}/"><img src="relative.png">`,
  'meta refresh': `<meta http-equiv="refresh" content="0;url=${probe('meta')}">`,
  link: `<link rel="stylesheet" href="${probe('link')}"><link rel="preload" as="image" href="${probe('preload')}">`,
  '@import': `<style>@import "${probe('import')}"; @import url(${probe('import2')}); p{color:red}</style>`,
  'remote font': `<style>@font-face{font-family:x;src:url(${probe('font')})} p{font-family:x}</style><p>x</p>`,
  'background in a sheet': `<style>p{background:url(${probe('sheet')})}</style><p>x</p>`,
  'background in a style': `<p style="background-image:url('${probe('style')}')">x</p>`,
  'escaped url()': `<p style="background:u\\72l(${probe('escaped')})">x</p>`,
  'image-set': `<p style="background-image:image-set('${probe('image-set')}' 1x)">x</p>`,
  background: `<table background="${probe('background')}"><tr><td background="${probe('td')}">x</table>`,
  pixel: `<img src="${probe('pixel')}" width=1 height=1>`,
  srcset: `<img srcset="${probe('srcset')} 2x"><picture><source srcset="${probe('source')}"><img></picture>`,
  media: `<video poster="${probe('poster')}" src="${probe('video')}" autoplay></video><audio src="${probe('audio')}" autoplay></audio>`,
  'id clobbering':
    '<form id="app"><input id="body" name="defaultView"></form><a id="location" href="https://x.example">x</a>',
  'mutation XSS': '<noscript><p title="</noscript><img src=x onerror=hit.push(6)>"></p></noscript>',
  'nested template': '<template><img src=x onerror=hit.push(7)></template>',
  ping: `<a href="https://x.example" ping="${probe('ping')}">x</a>`,
  'expression and behaviour': `<p style="behavior:url(${probe('behaviour')});width:expression(hit.push(8))">x</p>`,
};

describe('a letter’s HTML', () => {
  beforeEach(() => {
    globalThis.hit = [];
    performance.clearResourceTimings();
  });
  afterEach(unmount);

  it('is cleaned of everything that acts or fetches', () => {
    for (const [name, source] of Object.entries(corpus)) {
      const { body, styles } = cleanMail(source, { allowRemote: false });
      const holder = document.implementation.createHTMLDocument().body;
      holder.innerHTML = body;
      for (const element of holder.querySelectorAll('*')) {
        expect(element.localName, name).isNot(
          /^(script|iframe|object|embed|form|input|button|base|meta|link|svg|math|video|audio|source|picture|template|style)$/,
        );
        for (const attribute of element.attributes) {
          expect(attribute.name, name).isNot(
            /^(on|src$|srcset|background|poster|action|formaction|ping|id$|name$|style$)/,
          );
          expect(attribute.value, name).isNot(/javascript:|url\(/i);
        }
      }
      for (const style of styles) expect(style, name).isNot(/@import|url\(\s*['"]?http/i);
    }
  });

  it('runs nothing and fetches nothing in the sheet, until the agent asks', async () => {
    const { app } = await mount('/w/kestrel/inbox/spam', (server) => {
      server.answer = (_method, path) =>
        path.endsWith('/html') ? `${Object.values(corpus).join('\n')}<p>The end of it</p>` : undefined;
    });
    await shows('.blank h3');
    const sheet = document.createElement('tl-mail-sheet');
    Object.assign(sheet, { app, eventId: 'e1' });
    find('tl-app')!.append(sheet);
    const frame = await until(() => sheet.querySelector('iframe'), 'the frame');
    await until(() => frame.contentDocument?.body?.textContent?.includes('The end of it'), 'the letter');
    expect(frame.sandbox.contains('allow-scripts')).is(false);
    await until(() => sheet.textContent?.includes('held back'), 'the notice');
    // A second letter's time on the page: whatever was to load has asked by now.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    expect(globalThis.hit).sameAs([]);
    const fetched = [performance, frame.contentWindow!.performance].flatMap((one) =>
      one.getEntriesByType('resource').map((entry) => entry.name),
    );
    expect(fetched.filter((name) => name.includes('/probe/'))).sameAs([]);
  });

  it('keeps what is harmless: words, links, embedded pictures, colours', () => {
    const { body, blocked } = cleanMail(
      '<p style="color:red">Hello <b>you</b> <a href="https://x.example">x</a><img src="data:image/png;base64,AAAA"></p>',
      { allowRemote: false },
    );
    expect(body)
      .contains('Hello <b>you</b>')
      .contains('data:image/png')
      .contains('data-style="color:red"')
      .contains('noopener');
    expect(blocked).is(0);
  });
});

describe('a stranger’s text', () => {
  afterEach(unmount);
  const hostile =
    '<img src=x onerror="hit.push(9)"> [x](javascript:alert(1)) data:text/html,<script>hit.push(10)</script> https://good.example/a \u202egro.elpmaxe\u202c';

  it('is text: no markup, no script address, no turned direction', () => {
    const pieces = piecesOf(hostile);
    for (const piece of pieces) {
      if ('href' in piece) expect(piece.href).matches(/^https?:|^mailto:/);
      expect(piece.text).isNot(/[\u202a-\u202e]/);
    }
    expect(pieces.filter((piece) => 'href' in piece).map((piece) => piece.text)).sameAs([
      'https://good.example/a',
    ]);
  });

  it('stands in the conversation as it was written', async () => {
    globalThis.hit = [];
    const event = { ...danielEvents[0]!, body: { text: hostile, attachments: [], clientId: 'hostile' } };
    await mount('/w/kestrel/inbox/all/daniel', (server) => {
      server.answer = (_method, path) =>
        path.includes('/events') ? { events: [event], upTo: 8, head: 8, isStart: true } : undefined;
    });
    const said = await shows('.msg .said');
    expect(said.textContent).contains('<img src=x onerror="hit.push(9)">');
    expect(said.querySelector('img, script')).is(null);
    expect(globalThis.hit).sameAs([]);
  });

  it('is text in a colleague’s message, too, which has lists, bold words and links to the web', async () => {
    globalThis.hit = [];
    const text = `${hostile}\n1. **one**\n2. [two](https://good.example/two)`;
    const body = { text, attachments: [], clientId: 'formatted' };
    const event = { ...danielEvents[0]!, direction: 'out', actor: { type: 'agent', id: 'anna' }, body };
    await mount('/w/kestrel/inbox/all/daniel', (server) => {
      server.answer = (_method, path) =>
        path.includes('/events') ? { events: [event], upTo: 8, head: 8, isStart: true } : undefined;
    });
    await shows('.msg ol.said b', 'one');
    expect([...findAll('.msg .said a')].map((one) => one.getAttribute('href'))).sameAs([
      'https://good.example/a',
      'https://good.example/two',
    ]);
    expect((await shows('.msg p.said')).textContent).isNot(/[\u202a-\u202e]/);
    expect(findAll('.msg .said img, .msg .said script')).hasLength(0);
    expect(globalThis.hit).sameAs([]);
  });
});
