import { emulateMedia, sendKeys, setViewport } from '@web/test-runner-commands';
import 'axe-core/axe.min.js';
import type { mount as mountOfSources } from '../../widget/panel.js';
import type { Lent, PanelHandle } from '../../widget/shell.js';
import { conversationId, type FakeLine, fakeLine, message } from './fake-line.js';

/**
 * The panel in real Chromium, on a line of the test's own: what a visitor sees, does and hears. Held against the
 * sources, on Lit itself, and against what the build makes of them.
 */

declare global {
  interface Window {
    /** Comes as a script of its own: it has no module form. */
    axe: typeof import('axe-core');
  }
}

interface Stage {
  line: FakeLine;
  handle: PanelHandle;
  root: ShadowRoot;
  shell: Lent & { root: ShadowRoot };
  told: [string, unknown][];
}

let stage: Stage | null = null;
let mount: typeof mountOfSources;

function equal(actual: unknown, expected: unknown, what = ''): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what} is ${is}, should be ${should}`);
}

/** Waits for the state itself, with a guard. */
async function until<Value>(what: () => Value, guardMs = 30_000): Promise<NonNullable<Value>> {
  const end = performance.now() + guardMs;
  for (;;) {
    const value = what();
    if (value) return value;
    if (performance.now() > end) throw new Error(`Never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function put(
  made: ReturnType<typeof fakeLine> = fakeLine(),
  { locale = 'en', open = true }: { locale?: string; open?: boolean } = {},
): Promise<Stage> {
  const host = document.createElement('div');
  const shadow = host.attachShadow({ mode: 'open' });
  const launcher = document.createElement('button');
  launcher.ariaLabel = 'Chat with us';
  shadow.append(launcher);
  const style = new CSSStyleSheet();
  style.replaceSync(
    ':host{position:fixed;inset:auto 20px 20px auto;color-scheme:light dark;--ink:light-dark(oklch(.225 .012 170),oklch(.945 .004 170));--surface:light-dark(oklch(.997 .001 170),oklch(.206 .007 170));--w-fill:var(--tl-accent,#1d6b54);--w-on-fill:#fff;--w-edge:#1d6b54}',
  );
  shadow.adoptedStyleSheets = [style];
  document.documentElement.append(host);
  const told: [string, unknown][] = [];
  const lent: Lent = {
    host,
    launcher,
    inboxId: `inbox-${crypto.randomUUID()}`,
    base: `${location.origin}/`,
    locale: () => locale,
    draw(isOpen) {
      launcher.ariaExpanded = `${isOpen}`;
    },
    emit: (event, detail) => told.push([event, detail]),
  };
  const handle = mount(lent, made.openLine);
  stage = {
    line: made.line,
    handle,
    shell: { ...lent, root: shadow },
    told,
    root: await until(() => shadow.querySelector('threadline-panel')?.shadowRoot),
  };
  if (open) {
    await handle.open(true);
    const { name } = made.line.session.inbox;
    await until(() => stage?.root.querySelector('h2')?.textContent === name);
    await until(() => stage?.root.querySelector('textarea, .f'));
  }
  return stage;
}

afterEach(async () => {
  stage?.handle.destroy();
  stage?.shell.host.remove();
  stage = null;
  document.documentElement.removeAttribute('dir');
  await setViewport({ width: 1280, height: 800 });
  await emulateMedia({ colorScheme: 'light' });
});

const field = (): HTMLTextAreaElement => {
  const found = stage?.root.querySelector('textarea');
  if (!found) throw new Error('There is no composer.');
  return found;
};
const texts = (selector: string): string[] =>
  [...(stage?.root.querySelectorAll(selector) ?? [])].map((one) =>
    (one.textContent ?? '').trim().replace(/\s+/g, ' '),
  );
const button = (label: string): HTMLButtonElement =>
  [...(stage?.root.querySelectorAll('button') ?? [])].find(
    (one) => (one.ariaLabel ?? one.textContent ?? '').trim() === label,
  ) ??
  (() => {
    throw new Error(`There is no button ${label}.`);
  })();

/** Sends what is typed, by keys alone. */
async function write(text: string): Promise<void> {
  field().focus();
  await sendKeys({ type: text });
  await sendKeys({ press: 'Enter' });
}

async function expectNoViolations(): Promise<void> {
  const { violations } = await window.axe.run(document.documentElement, {
    rules: {
      'page-has-heading-one': { enabled: false },
      region: { enabled: false },
      'landmark-one-main': { enabled: false },
    },
  });
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  equal(found, [], 'axe');
}

const talk = () => [
  message(1, 'visitor', 'Bought one. Now I get this:', 40),
  message(2, 'anna', 'E-07 is the speed sensor. See https://kestrel.example/e-07.', 31),
];

/** Registers the tests of the panel that `mounted` puts into a page. */
export function testPanel(name: string, mounted: typeof mountOfSources): void {
  mount = mounted;
  describe(name, () => {
    describe('accessibility', () => {
      const scenes: Record<string, () => Promise<unknown>> = {
        closed: () => put(fakeLine(talk()), { open: false }),
        'open and empty': () => put(),
        'in a conversation': async () => {
          await put(fakeLine(talk()));
          await until(() => texts('.m').length === 2);
        },
        'with a message that was refused': async () => {
          const { line } = await put();
          line.refuseWith = { code: 'message_too_long', retry: 'changed' };
          await write('no');
          await until(() => texts('.fail').length);
        },
        offline: async () => {
          const { line } = await put(fakeLine(talk()));
          line.cut();
          await until(() => texts('.bar').length);
        },
        'from right to left': async () => {
          document.documentElement.dir = 'rtl';
          await put(fakeLine(talk()));
        },
        'in the dark': async () => {
          await emulateMedia({ colorScheme: 'dark' });
          await put(fakeLine(talk()));
          await until(() => texts('.m').length === 2);
        },
        'with the form before the chat': async () => {
          await put(fakeLine([], { asksForEmail: true }));
          button('Start the chat').click();
          await until(() => texts('.err').length);
        },
        'in the list': async () => {
          await put(fakeLine(talk()));
          button('Menu').click();
          await until(() => texts('.menu button').length);
          button('Your conversations').click();
          await until(() => texts('.li').length);
        },
        'on a phone, in Russian': async () => {
          await setViewport({ width: 360, height: 740 });
          await put(fakeLine(talk()), { locale: 'ru' });
        },
      };
      for (const [name, make] of Object.entries(scenes)) {
        it(`has no violations ${name}`, async () => {
          await make();
          await Promise.all(document.getAnimations().map((one) => one.finished));
          await new Promise((resolve) => setTimeout(resolve, 200));
          await expectNoViolations();
        });
      }

      it('is a dialog that leaves the page usable, and on a phone one that does not', async () => {
        const { root, handle } = await put();
        const dialog = root.querySelector('[role=dialog]');
        equal([dialog?.getAttribute('aria-modal'), document.body.inert], [null, false]);
        equal(
          root.getElementById(dialog?.getAttribute('aria-labelledby') ?? '')?.textContent,
          'Kestrel Cycles',
        );
        handle.close();
        await setViewport({ width: 360, height: 740 });
        await handle.open(true);
        await until(() => root.querySelector('.full'));
        equal(
          [root.querySelector('[role=dialog]')?.getAttribute('aria-modal'), document.body.inert],
          ['true', true],
        );
        handle.close();
        equal(document.body.inert, false);
      });

      it('moves the focus into the composer for the visitor, and nowhere for the site', async () => {
        const before = document.createElement('button');
        before.textContent = 'of the page';
        document.body.append(before);
        before.focus();
        const { handle, root } = await put(fakeLine(), { open: false });
        await handle.open();
        await until(() => root.querySelector('textarea'));
        equal(document.activeElement === before, true);
        handle.close();
        await handle.open(true);
        await until(() => root.activeElement === root.querySelector('textarea'));
        await sendKeys({ press: 'Escape' });
        await until(() => !root.querySelector('.panel'));
        equal(stage?.shell.root.activeElement === stage?.shell.launcher, true);
        before.remove();
      });

      it('holds an empty log before the first message, and announces theirs alone, with the name', async () => {
        const { root, line } = await put();
        const log = root.querySelector('[role=log]');
        equal([log?.childElementCount, log?.getAttribute('aria-relevant')], [0, 'additions']);
        await write('Hello');
        await until(() => texts('.me').length === 1 && texts('.st').includes('Sent'));
        equal(root.querySelector('[role=log]')?.getAttribute('aria-live'), 'off');
        line.say('Hello Daniel');
        await until(() => texts('.ag').length === 1);
        equal(root.querySelector('[role=log]')?.getAttribute('aria-live'), 'polite');
        equal(texts('.nm')[0]?.startsWith('Anna'), true);
      });

      it('gives every target at least 24 by 24 pixels, and every field 16 px', async () => {
        const { root } = await put(fakeLine(talk()));
        await until(() => texts('.m').length === 2);
        for (const one of root.querySelectorAll('button')) {
          const { width, height } = one.getBoundingClientRect();
          if (width < 24 || height < 24) throw new Error(`${one.outerHTML} is ${width} by ${height}`);
        }
        equal(getComputedStyle(field()).fontSize, '16px');
      });
    });

    describe('writing', () => {
      it('sends with Enter, breaks with Shift and Enter, and leaves Enter to an input method', async () => {
        const { line } = await put();
        field().focus();
        await sendKeys({ type: 'one' });
        await sendKeys({ down: 'Shift' });
        await sendKeys({ press: 'Enter' });
        await sendKeys({ up: 'Shift' });
        await sendKeys({ type: 'two' });
        field().dispatchEvent(
          new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }),
        );
        equal(
          line.requests.some(({ name }) => name === 'message:send'),
          false,
        );
        await sendKeys({ press: 'Enter' });
        const sent = await until(() => line.requests.find(({ name }) => name === 'message:send'));
        equal([sent.body.text, sent.body.conversationId, field().value], ['one\ntwo', null, '']);
        await until(() => texts('.st').includes('Sent'));
      });

      it('says Sending, Sent and Seen under the last message alone', async () => {
        const { line } = await put();
        await write('first');
        await until(() => texts('.st').includes('Sent'));
        await write('second');
        await until(() => texts('.me').length === 2 && texts('.st').join() === 'Sent');
        line.notice('read', { conversationId, seq: 2 });
        await until(() => texts('.st').join() === 'Seen');
      });

      it('keeps what is written offline, says so, and sends it in order when the line is back', async () => {
        const { line } = await put();
        line.cut();
        await write('first');
        await write('second');
        await until(() => texts('.waiting').length === 2);
        equal([texts('.st').join(), texts('.bar b').join()], ['Waiting for connection', 'No connection.']);
        line.connect();
        await until(() => texts('.st').join() === 'Sent' && texts('.bar').length === 0);
        equal(
          line.events.map((event) => event.kind === 'message' && event.body.text),
          ['first', 'second'],
        );
      });

      it('looks at once whether there is still a connection when the browser says that there is no network', async () => {
        const { line } = await put(fakeLine(talk()));
        const { wake } = line;
        line.wake = () => undefined;
        dispatchEvent(new Event('offline'));
        await until(() => texts('.bar b').join() === 'No connection.');
        line.wake = wake;
        dispatchEvent(new Event('online'));
        await until(() => texts('.bar').length === 0);
      });

      it('keeps a refused message, and sends it again when told to', async () => {
        const { line } = await put();
        const why = () => texts('.fail .st')[0] ?? '';
        line.refuseWith = { code: 'blocked', retry: 'never' };
        await write('please');
        await until(() => texts('.fail button').includes('Try again'));
        equal(why().includes('This conversation does not take messages.'), true);
        line.refuseWith = { code: 'too_many_conversations', retry: 'changed' };
        button('Try again').click();
        await until(() => why().includes('Too many open conversations. Write in one of them.'));
        line.refuseWith = null;
        button('Try again').click();
        await until(() => texts('.st').join() === 'Sent');
      });

      it('keeps a text over the limit and names the limit', async () => {
        const { line } = await put();
        field().value = 'x'.repeat(8_001);
        field().dispatchEvent(new Event('input', { bubbles: true }));
        await until(() => texts('#problem').length);
        equal(texts('#problem')[0], 'At most 8000 characters. Yours has 8001.');
        field().focus();
        await sendKeys({ press: 'Enter' });
        equal(
          [field().value.length, line.requests.some(({ name }) => name === 'message:send')],
          [8_001, false],
        );
      });

      it('keeps a draft through closing and a new load', async () => {
        const made = fakeLine();
        const { handle, shell } = await put(made);
        field().focus();
        await sendKeys({ type: 'half a sen' });
        handle.close();
        await handle.open(true);
        equal((await until(() => stage?.root.querySelector('textarea'))).value, 'half a sen');
        handle.destroy();
        const again = mount(shell, fakeLine().openLine);
        await again.open(true);
        const panel = await until(() =>
          shell.root.querySelector('threadline-panel')?.shadowRoot?.querySelector('textarea'),
        );
        await until(() => panel.value === 'half a sen');
        again.destroy();
      });

      it('keeps a message through a closed tab, and sends it from the next', async () => {
        const first = fakeLine();
        const { handle, shell } = await put(first);
        first.line.cut();
        await write('do not lose me');
        await until(() => texts('.waiting').length === 1);
        handle.destroy();
        const second = fakeLine();
        const again = mount(shell, second.openLine);
        await again.open();
        await until(() => second.line.events.length === 1);
        again.destroy();
      });

      it('sends a quick reply', async () => {
        const { line } = await put();
        button('Book a service').click();
        await until(() =>
          line.requests.some(({ name, body }) => name === 'message:send' && body.text === 'Book a service'),
        );
      });

      it('tells where the visit came from once, with the first message', async () => {
        const { line } = await put();
        await write('one');
        await until(() => texts('.st').join() === 'Sent');
        await write('two');
        await until(() => line.events.length === 2);
        const sent = line.requests.filter(({ name }) => name === 'message:send');
        equal(
          sent.map(({ body }) => 'touch' in body),
          [true, false],
        );
      });
    });

    describe('reading', () => {
      it('shows markup, script links and bidi tricks as the text they are', async () => {
        const { root } = await put(
          fakeLine([
            message(
              1,
              'anna',
              '<img src=x onerror=alert(1)> [x](javascript:alert(1)) data:text/html,<b>x</b>',
            ),
            message(2, 'anna', 'https://good.example/\u202Egpj.exe and javascript:alert(1)'),
            message(3, 'anna', '(see https://good.example/a_(b)), then https://two.example.'),
          ]),
        );
        await until(() => texts('.b').length === 3);
        equal(root.querySelectorAll('.b img, .b script, .b b').length, 0);
        equal(
          [...root.querySelectorAll<HTMLAnchorElement>('.b a')].map((one) => [
            one.getAttribute('href'),
            one.rel,
          ]),
          [
            ['https://good.example/', 'noopener noreferrer nofollow'],
            ['https://good.example/a_(b)', 'noopener noreferrer nofollow'],
            ['https://two.example', 'noopener noreferrer nofollow'],
          ],
        );
        equal(
          [...root.querySelectorAll('.b')].every((one) => one.getAttribute('dir') === 'auto'),
          true,
        );
      });

      it('draws the lists, bold words and links of an agent, and leaves what a visitor wrote', async () => {
        const text = '**Three checks:**\n1. Magnet\n2. Sensor\n\n[How to](https://kestrel.example/check)';
        const { root } = await put(fakeLine([message(1, 'anna', text), message(2, 'visitor', text)]));
        await until(() => root.querySelector('.b ol') !== null);
        const [theirs, own] = root.querySelectorAll('.b');
        equal(
          [...(theirs?.children ?? [])].map((one) => [one.localName, one.textContent]),
          [
            ['p', 'Three checks:'],
            ['ol', 'MagnetSensor'],
            ['p', 'How to'],
          ],
        );
        equal(theirs?.querySelector('b')?.textContent, 'Three checks:');
        equal(theirs?.querySelector('a')?.href, 'https://kestrel.example/check');
        equal([own?.textContent, own?.querySelectorAll('*').length], [text, 1]);
      });

      it('marks what is new, and tells the server how far it was read', async () => {
        const { line } = await put(
          fakeLine([...talk(), message(3, 'anna', 'Still there?', 1)], {}, { readSeq: 2, unread: 1 }),
        );
        await until(() => texts('.new').includes('New messages'));
        await until(() => line.requests.some(({ name, body }) => name === 'read' && body.seq === 3));
      });

      it('shows a message that came while it was closed beside the launcher', async () => {
        const { handle, line, told, root } = await put(fakeLine(talk()));
        await until(() => texts('.m').length === 2);
        handle.close();
        line.say('Are you there?');
        await until(() => root.querySelector('.peek'));
        equal(texts('.peek b').join(), 'Anna');
        equal(told.findLast(([name]) => name === 'unread')?.[1], 1);
      });

      it('fills a gap that the live stream left', async () => {
        const { line } = await put(fakeLine(talk()));
        await until(() => texts('.m').length === 2);
        line.events.push(message(3, 'anna', 'missed', 1));
        line.say('heard');
        await until(() => texts('.b').slice(-2).join() === 'missed,heard');
      });

      it('shows who types, and that it ends', async () => {
        const { line } = await put(fakeLine(talk()));
        await until(() => texts('.m').length === 2);
        line.notice('typing', { conversationId, typing: true, name: 'Anna' });
        await until(() => texts('.dots').length === 1 && texts('[role=status]').join() === 'Anna is typing');
        line.say('done');
        await until(() => texts('.dots').length === 0);
      });

      it('says who closed the conversation', async () => {
        const closed = {
          ...message(3, 'anna', '', 1),
          kind: 'status_changed',
          direction: 'internal',
          body: { from: 'open', to: 'closed' },
        };
        await put(fakeLine([...talk(), closed as never]));
        await until(() =>
          texts('.sysn').some((words) => words.startsWith('Anna closed this conversation, ')),
        );
      });
    });

    describe('people', () => {
      it('asks for an address before the first message where the inbox does, and refuses one that is none', async () => {
        const { line, root } = await put(fakeLine([], { asksForEmail: true }));
        const email = await until(() => root.querySelector<HTMLInputElement>('[name=email]'));
        email.focus();
        await sendKeys({ type: 'daniel@okafor' });
        await sendKeys({ press: 'Enter' });
        await until(() => email.getAttribute('aria-invalid') === 'true');
        await sendKeys({ type: '.example' });
        await sendKeys({ press: 'Enter' });
        await until(() =>
          line.requests.some(({ name, body }) => name === 'claim' && body.email === 'daniel@okafor.example'),
        );
        await until(() => root.querySelector('textarea'));
      });

      it('W8: back from the back-forward cache, shows nothing of who was there before', async () => {
        const { line, shell, root } = await put(fakeLine(talk()));
        await until(() => texts('.m').length === 2);
        dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
        // Meanwhile somebody else signed in, in another tab.
        const kept = JSON.stringify({ token: 'other', contactId: 'contact-2' });
        localStorage.setItem(`threadline:${shell.inboxId}`, kept);
        line.events.length = 0;
        line.session = { ...line.session, contactId: 'contact-2', token: 'other', conversations: [] };
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
        await Promise.resolve();
        equal([texts('.m').length, root.textContent?.includes('E-07')], [0, false]);
        await until(() => texts('.big').length === 1);
        equal(localStorage.getItem(`threadline:${shell.inboxId}`)?.includes('other'), true);
      });

      it('shows the next person nothing of the one who signed out, in this tab or another', async () => {
        const { line, shell, root } = await put(fakeLine(talk()));
        await until(() => texts('.m').length === 2);
        field().focus();
        await sendKeys({ type: 'a private draft' });
        line.events.length = 0;
        line.session = { ...line.session, contactId: 'contact-2', token: 'other', conversations: [] };
        line.notice('signed-out', {});
        await until(() => texts('.m').length === 0 && line.session.contactId === 'contact-2');
        await until(() => field().value === '');
        equal(root.textContent?.includes('E-07'), false);
        const kept = localStorage.getItem(`threadline:${shell.inboxId}`) ?? '';
        equal([kept.includes('private'), kept.includes('secret')], [false, false]);
      });
    });
  });
}
